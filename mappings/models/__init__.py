"""Everybody's words: master data that the ERP owns, and the crosswalk from partners' codes to it."""

from mappings.models.charge_codes import ChargeCode
from mappings.models.crosswalk import Mapping, SharedCodes
from mappings.models.ledger import CostCenter, GLAccount, Period, ServiceLine
from mappings.models.places import Department, Facility, Location
from mappings.models.supply import Item, PayerClass, Vendor

__all__ = [
    "ChargeCode",
    "CostCenter",
    "Department",
    "Facility",
    "GLAccount",
    "Item",
    "Location",
    "Mapping",
    "PayerClass",
    "Period",
    "ServiceLine",
    "SharedCodes",
    "Vendor",
]
