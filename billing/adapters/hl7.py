"""Billing's HL7 v2 adapter: `read_dft` for charges."""

from billing.adapters.hl7_dft import read_dft

__all__ = ["read_dft"]
