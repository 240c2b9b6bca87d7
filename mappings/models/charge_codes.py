"""The charge description master (CDM): what may be charged, and what it costs."""

from django.db import models

from mappings.models.base import MasterRecord, master_constraints
from mappings.models.ledger import GLAccount, ServiceLine


class ChargeCode(MasterRecord):
    """One CDM entry. `facility` "" means all of them. No CPT texts are kept: they are licensed."""

    facility = models.CharField(max_length=20, blank=True)
    revenue_code = models.CharField(max_length=4, blank=True)
    hcpcs = models.CharField("HCPCS", max_length=5, blank=True)
    price = models.DecimalField(max_digits=19, decimal_places=4, null=True, blank=True, help_text="Per unit.")
    unit_cost = models.DecimalField(max_digits=19, decimal_places=4, null=True, blank=True, help_text="Standard cost.")
    quantity_max = models.DecimalField(max_digits=12, decimal_places=4, null=True, blank=True)
    expense_account = models.ForeignKey(GLAccount, models.PROTECT, null=True, blank=True, related_name="+")
    service_line = models.ForeignKey(ServiceLine, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta(MasterRecord.Meta):
        constraints = (
            *master_constraints("charge_code", "facility", "code", "valid_from"),
            models.CheckConstraint(
                condition=(models.Q(price__isnull=True) | models.Q(price__gte=0))
                & (models.Q(unit_cost__isnull=True) | models.Q(unit_cost__gte=0)),
                name="charge_code_money_is_not_negative",
            ),
        )
