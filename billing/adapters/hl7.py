"""Billing's HL7 v2 adapter: `read_dft` for charges, `read_adt` for what happens to a visit."""

from billing.adapters.hl7_adt import read_adt
from billing.adapters.hl7_dft import read_dft

__all__ = ["read_adt", "read_dft"]
