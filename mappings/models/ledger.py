"""Words of the general ledger: cost centres, accounts, service lines, periods."""

from django.db import models
from simple_history.models import HistoricalRecords

from mappings.models.base import MasterRecord, master_constraints


class ServiceLine(MasterRecord):
    """Cardiology, orthopaedics: what margins are read by."""

    class Meta(MasterRecord.Meta):
        constraints = master_constraints("service_line")


class CostCenter(MasterRecord):
    """Where cost lands. `facility` is a code; group cost centres are not postable."""

    facility = models.CharField(max_length=20)
    parent = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="children")
    postable = models.BooleanField(default=True)

    class Meta(MasterRecord.Meta):
        constraints = master_constraints("cost_center")


class GLAccount(MasterRecord):
    """A natural account of the general ledger."""

    KINDS = {
        "asset": "Asset",
        "liability": "Liability",
        "revenue": "Revenue",
        "expense": "Expense",
        "statistical": "Statistical",
    }
    kind = models.CharField(max_length=12, choices=KINDS.items())
    postable = models.BooleanField(default=True)

    class Meta(MasterRecord.Meta):
        verbose_name = "GL account"
        constraints = master_constraints("gl_account")


class Period(models.Model):
    """A posting period of one facility. Closing belongs to the ERP; the hub dates its postings into open ones."""

    STATUSES = {"future": "Future", "open": "Open", "closed": "Closed"}
    facility = models.CharField(max_length=20)
    code = models.CharField(max_length=10)  # "2026-11"
    starts = models.DateField()
    ends = models.DateField()  # last day
    status = models.CharField(max_length=10, choices=STATUSES.items())
    history = HistoricalRecords()

    class Meta:
        ordering = ("facility", "starts")
        constraints = (
            models.UniqueConstraint(fields=["facility", "code"], name="period_is_one"),
            models.CheckConstraint(condition=models.Q(ends__gte=models.F("starts")), name="period_dates_are_in_order"),
            models.CheckConstraint(
                condition=models.Q(status__in=["future", "open", "closed"]), name="period_status_is_known"
            ),
        )

    def __str__(self) -> str:
        return f"{self.facility} {self.code}"
