"""The ledger's tables: split rules, allocations with their lines, and journals as an ERP receives them."""

from datetime import date

from django.db import models
from simple_history.models import HistoricalRecords

from hub import ids
from hub.models import Endpoint


class SplitRule(models.Model):
    """How a department's cost is shared between cost centres of its own facility, from when to when."""

    facility = models.CharField(max_length=20)
    department = models.CharField(max_length=40)
    charge_code = models.CharField(max_length=40, blank=True, help_text="Empty for all of the department's.")
    valid_from = models.DateField(default=date(2000, 1, 1))
    valid_to = models.DateField(null=True, blank=True)
    history = HistoricalRecords()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["facility", "department", "charge_code", "valid_from"], name="split_rule_is_one"
            ),
        )

    def __str__(self) -> str:
        return f"{self.facility} {self.department} {self.charge_code}".strip()


class SplitShare(models.Model):
    """One cost centre's share in per cent. A rule's shares add up to 100 exactly (a deferred trigger holds it)."""

    rule = models.ForeignKey(SplitRule, models.CASCADE, related_name="shares")
    cost_center = models.CharField(max_length=40)
    percent = models.DecimalField(max_digits=7, decimal_places=4)
    history = HistoricalRecords()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["rule", "cost_center"], name="split_share_is_one"),
            models.CheckConstraint(
                condition=models.Q(percent__gt=0, percent__lte=100), name="split_share_is_a_percent"
            ),
        )

    def __str__(self) -> str:
        return f"{self.cost_center} {self.percent} %"


class Journal(models.Model):
    """One call's worth of legs for one ERP: at most 200, one facility, currency and date. Its id is the ERP's key."""

    MOVES = {
        "posting": ["posted", "rejected"],  # handed to the dispatch of the same id
        "posted": [],  # the ERP has it under `erp_reference`
        "rejected": [],  # the ERP said no; its allocations went into smaller journals or stopped
    }
    STATUSES = {"posting": "Posting", "posted": "Posted", "rejected": "Rejected"}
    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    endpoint = models.ForeignKey(Endpoint, models.PROTECT, related_name="+", db_index=False)
    facility = models.CharField(max_length=20)
    currency = models.CharField(max_length=3)
    posting_date = models.DateField()
    lines = models.PositiveIntegerField()
    total = models.DecimalField(max_digits=19, decimal_places=4)  # of the debits, which equals that of the credits
    status = models.CharField(max_length=10, choices=STATUSES.items())
    erp_reference = models.CharField(max_length=120, blank=True)
    problem = models.TextField(blank=True)
    created_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=models.Q(status__in=["posting", "posted", "rejected"]), name="journal_status_is_known"
            ),
            models.CheckConstraint(
                condition=models.Q(status="posting", settled_at__isnull=True)
                | models.Q(status__in=["posted", "rejected"], settled_at__isnull=False),
                name="journal_settled_has_a_time",
            ),
            models.CheckConstraint(
                condition=~models.Q(status="posted") | ~models.Q(erp_reference=""),
                name="journal_posted_has_a_reference",
            ),
        )

    def __str__(self) -> str:
        return f"{self.facility} {self.posting_date} {self.id}"


class Allocation(models.Model):
    """The cost of one fact's charges, split and balanced; waits for a journal, then is in exactly one that holds."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    fact_id = models.UUIDField()
    account = models.CharField(max_length=60)
    facility = models.CharField(max_length=20)
    currency = models.CharField(max_length=3)
    posting_date = models.DateField()
    total = models.DecimalField(max_digits=19, decimal_places=4)
    journal_id = models.UUIDField(null=True)
    drafted_at = models.DateTimeField()

    class Meta:
        indexes = (
            models.Index(
                fields=["journal_id"], name="allocation_journal", condition=models.Q(journal_id__isnull=False)
            ),
        )

    def __str__(self) -> str:
        return f"{self.facility} {self.account} {self.total}"


class JournalLine(models.Model):
    """One leg. `(charge_id, leg)` is its identity for ever: no charge is ever costed twice."""

    pk = models.CompositePrimaryKey("charge_id", "leg")
    charge_id = models.UUIDField()
    leg = models.PositiveSmallIntegerField()
    allocation_id = models.UUIDField(db_index=True)
    account = models.CharField(max_length=40)
    cost_center = models.CharField(max_length=40)
    debit = models.DecimalField(max_digits=19, decimal_places=4)
    credit = models.DecimalField(max_digits=19, decimal_places=4)
    quantity = models.DecimalField(max_digits=12, decimal_places=4)
    basis = models.CharField(max_length=12)  # message | standard | ratio | original
    original_id = models.UUIDField(null=True)  # the charge that this leg takes back, and which of its legs
    original_leg = models.PositiveSmallIntegerField(null=True)

    class Meta:
        indexes = (
            models.Index(
                fields=["original_id"], name="journal_line_original", condition=models.Q(original_id__isnull=False)
            ),
        )
        constraints = (
            models.CheckConstraint(
                condition=models.Q(original_id__isnull=True, original_leg__isnull=True)
                | models.Q(original_id__isnull=False, original_leg__isnull=False),
                name="journal_line_reversal_names_its_leg",
            ),
            models.CheckConstraint(
                condition=models.Q(debit__gt=0, credit=0) | models.Q(debit=0, credit__gt=0),
                name="journal_line_is_debit_or_credit",
            ),
        )

    def __str__(self) -> str:
        return f"{self.account} {self.cost_center}"
