"""Billing's tables: visits, charges, and the keys that make a charge one."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from hub import ids


class Visit(models.Model):
    """An account (billing's encounter): open, discharged, final-billed, cancelled. Holds no patient name."""

    STATUSES = {
        "in_house": "In house",
        "discharged": "Discharged",
        "final_billed": "Final billed",
        "cancelled": "Cancelled",
        "merged": "Merged into another",
    }
    MOVES = {
        "in_house": ["discharged", "final_billed", "cancelled", "merged"],
        "discharged": ["in_house", "final_billed", "merged"],  # A13 takes a discharge back
        "final_billed": ["discharged"],  # a rebill opens it again
        "cancelled": ["in_house"],
        "merged": [],
    }
    account = models.CharField(max_length=60)
    partner = models.CharField(max_length=40)
    facility = models.CharField(max_length=20, blank=True)
    visit = models.CharField(max_length=60, blank=True)
    patient_class = models.CharField(max_length=10, blank=True)
    service = models.CharField(max_length=40, blank=True)
    status = models.CharField(max_length=12, choices=STATUSES.items(), default="in_house")
    admitted_on = models.DateField(null=True, blank=True)
    discharged_on = models.DateField(null=True, blank=True)
    final_billed_on = models.DateField(null=True, blank=True)
    merged_into = models.CharField(max_length=60, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["partner", "account"], name="visit_is_one"),
            models.CheckConstraint(
                condition=models.Q(status__in=["in_house", "discharged", "final_billed", "cancelled", "merged"]),
                name="visit_status_is_known",
            ),
            models.CheckConstraint(
                condition=~models.Q(status="merged") | ~models.Q(merged_into=""), name="visit_merged_says_into_which"
            ),
        )

    def __str__(self) -> str:
        return self.account


class Charge(models.Model):
    """One charge or credit line. Written by COPY in `billing.flows.charges`; money is signed, credits negative."""

    MOVES = {
        "held": ["captured", "rejected", "waived"],  # waits for a code, an original or a person
        "captured": ["posted"],  # in the books here, on its way to the ledger
        "posted": [],  # its cost is in the ERP's ledger
        "duplicate": [],  # the same line was captured before
        "rejected": [],  # not a charge that can be booked, e.g. quantity zero
        "waived": [],  # a named person let it go, with a reason
    }
    STATUSES = {
        "held": "Held",
        "captured": "In flight",
        "posted": "Posted",
        "duplicate": "Duplicate",
        "rejected": "Rejected",
        "waived": "Waived",
    }
    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    message_id = models.UUIDField()
    part = models.PositiveSmallIntegerField()
    partner = models.CharField(max_length=40)
    correlation_id = models.UUIDField()
    line_key = models.CharField(max_length=200)
    kind = models.CharField(max_length=6, choices=(("charge", "Charge"), ("credit", "Credit")))
    status = models.CharField(max_length=10, choices=STATUSES.items())
    hold_code = models.CharField(max_length=40, blank=True)
    account = models.CharField(max_length=60)
    visit = models.CharField(max_length=60, blank=True)
    facility = models.CharField(max_length=20, blank=True)  # ours
    department = models.CharField(max_length=40, blank=True)  # ours
    cost_center = models.CharField(max_length=40, blank=True)
    charge_code = models.CharField(max_length=40, blank=True)  # ours
    revenue_code = models.CharField(max_length=4, blank=True)
    service_line = models.CharField(max_length=40, blank=True)
    source_facility = models.CharField(max_length=60, blank=True)  # the partner's words, kept for ever
    source_department = models.CharField(max_length=120, blank=True)
    source_code = models.CharField(max_length=120, blank=True)
    description = models.CharField(max_length=200, blank=True)
    quantity = models.DecimalField(max_digits=12, decimal_places=4)
    amount = models.DecimalField(max_digits=19, decimal_places=4)
    currency = models.CharField(max_length=3)
    unit_cost = models.DecimalField(max_digits=19, decimal_places=4, null=True)
    cost_basis = models.CharField(max_length=12, blank=True)
    service_date = models.DateField()
    posting_date = models.DateField(null=True)
    late = models.BooleanField(default=False)
    original_id = models.UUIDField(null=True)  # credits: what they take back
    procedure_code = models.CharField(max_length=20, blank=True)
    modifiers = models.CharField(max_length=40, blank=True)
    filler_order = models.CharField(max_length=60, blank=True)
    flags = ArrayField(models.CharField(max_length=40), default=list)
    captured_at = models.DateTimeField()

    class Meta:
        permissions = (("waive_charge", "Can waive a held charge"), ("release_charge", "Can release a held charge"))
        indexes = (
            models.Index(fields=["account", "id"], name="charge_account"),
            models.Index(fields=["message_id"], name="charge_message"),
            # on hold_code and not on status: an update of the status alone then touches no index (HOT)
            models.Index(fields=["account", "id"], name="charge_held", condition=~models.Q(hold_code="")),
            models.Index(fields=["original_id"], name="charge_original", condition=models.Q(original_id__isnull=False)),
        )
        constraints = (
            models.CheckConstraint(
                condition=models.Q(status__in=["held", "captured", "posted", "duplicate", "rejected", "waived"]),
                name="charge_status_is_known",
            ),
            models.CheckConstraint(
                condition=~models.Q(status__in=["captured", "posted"])
                | (~models.Q(cost_center="") & models.Q(posting_date__isnull=False)),
                name="charge_in_the_books_has_its_dimensions",
            ),
            models.CheckConstraint(
                condition=~models.Q(status="held") | ~models.Q(hold_code=""), name="charge_held_says_why"
            ),
        )

    def __str__(self) -> str:
        return f"{self.charge_code or self.source_code} {self.account}"


class ChargeKey(models.Model):
    """What makes a line the same line: sender and its transaction id, or a hash where it gives none."""

    pk = models.CompositePrimaryKey("partner", "line_key")
    partner = models.CharField(max_length=40)
    line_key = models.CharField(max_length=200)
    charge_id = models.UUIDField()
    content = models.BinaryField(max_length=16)  # hash of what makes two lines the same charge

    def __str__(self) -> str:
        return self.line_key
