"""Mappings, master data, and the case page of a missing mapping."""

from mappings.admin import crosswalk, masters, missing

__all__ = ["crosswalk", "masters", "missing"]
