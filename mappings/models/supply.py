"""Words of supply: items, vendors; and payers."""

from django.db import models

from mappings.models.base import MasterRecord, master_constraints


class Vendor(MasterRecord):
    """A supplier as the ERP knows it."""

    on_hold = models.BooleanField(default=False)

    class Meta(MasterRecord.Meta):
        constraints = master_constraints("vendor")


class Item(MasterRecord):
    """A supply item. `uom` is the unit of issue (X12 DE355)."""

    uom = models.CharField(max_length=3, default="EA")
    vendor = models.ForeignKey(Vendor, models.PROTECT, null=True, blank=True, related_name="items")
    standard_cost = models.DecimalField(max_digits=19, decimal_places=4, null=True, blank=True)
    chargeable = models.BooleanField(default=False)

    class Meta(MasterRecord.Meta):
        constraints = master_constraints("item")


class PayerClass(MasterRecord):
    """Commercial, Medicare, self-pay: what net-to-gross factors are kept by."""

    class Meta(MasterRecord.Meta):
        verbose_name_plural = "payer classes"
        constraints = master_constraints("payer_class")
