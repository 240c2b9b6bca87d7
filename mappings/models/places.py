"""Places: facilities, their departments and locations."""

from django.db import models

from mappings.models.base import MasterRecord, master_constraints
from mappings.models.ledger import CostCenter, GLAccount, ServiceLine


class Facility(MasterRecord):
    """A hospital: a balancing entity of the ledger, with its own clock and currency."""

    time_zone = models.CharField(max_length=40, default="UTC")
    currency = models.CharField(max_length=3, default="USD")
    clearing_account = models.ForeignKey(
        GLAccount, models.PROTECT, null=True, blank=True, related_name="+", help_text="Credited when cost is allocated."
    )

    class Meta(MasterRecord.Meta):
        verbose_name_plural = "facilities"
        constraints = master_constraints("facility")


class Department(MasterRecord):
    """A performing department: decides cost centre, service line and default expense account."""

    facility = models.ForeignKey(Facility, models.PROTECT, related_name="departments")
    cost_center = models.ForeignKey(CostCenter, models.PROTECT, related_name="+")
    service_line = models.ForeignKey(ServiceLine, models.PROTECT, null=True, blank=True, related_name="+")
    expense_account = models.ForeignKey(GLAccount, models.PROTECT, null=True, blank=True, related_name="+")
    cost_ratio = models.DecimalField(
        max_digits=7, decimal_places=4, null=True, blank=True,
        help_text="Ratio of cost to charges: the estimate where no cost is known.",
    )  # fmt: skip

    class Meta(MasterRecord.Meta):
        constraints = (
            *master_constraints("department", "facility", "code"),
            models.CheckConstraint(
                condition=models.Q(cost_ratio__isnull=True) | models.Q(cost_ratio__gte=0),
                name="department_cost_ratio_is_not_negative",
            ),
        )


class Location(MasterRecord):
    """Where stock lies or a patient is."""

    facility = models.ForeignKey(Facility, models.PROTECT, related_name="locations")
    department = models.ForeignKey(Department, models.PROTECT, null=True, blank=True, related_name="locations")

    class Meta(MasterRecord.Meta):
        constraints = master_constraints("location", "facility", "code")
