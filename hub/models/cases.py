"""Exception cases: what a person must look at, and what waits for it."""

from django.conf import settings
from django.db import models
from simple_history.models import HistoricalRecords


class ExceptionCase(models.Model):
    """One cause, one case: unique per code and subject while open. Seen again, it is updated, never doubled."""

    MOVES = {
        "open": ["assigned", "resolved", "waived", "superseded"],
        "assigned": ["open", "assigned", "resolved", "waived", "superseded"],  # somebody has it
        "resolved": [],  # the cause is gone
        "waived": [],  # a person said why it may stay so
        "superseded": [],  # another case took its place
    }
    STATUSES = {
        "open": "Open",
        "assigned": "Assigned",
        "resolved": "Resolved",
        "waived": "Waived",
        "superseded": "Superseded",
    }
    SEVERITIES = {1: "Critical", 2: "High", 3: "Normal"}
    code = models.CharField(max_length=40)  # registry code, docs/exceptions.md
    subject = models.CharField(max_length=300)  # what it is about, e.g. "mapping:carebill:department:CATH"
    title = models.CharField(max_length=200)
    text = models.TextField(blank=True)  # what happened, where, and what to do; no patient data
    status = models.CharField(max_length=10, choices=STATUSES.items(), default="open")
    severity = models.PositiveSmallIntegerField(choices=SEVERITIES.items(), default=3)
    owner = models.CharField(max_length=40)  # role (group name) that owns this kind
    assignee = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    facility = models.CharField(max_length=20, blank=True)
    partner = models.CharField(max_length=40, blank=True)
    amount = models.DecimalField(max_digits=19, decimal_places=4, default=0)  # of the subject itself; waiting adds up
    currency = models.CharField(max_length=3, default="USD")
    message_id = models.UUIDField(null=True, blank=True)
    delivery_id = models.UUIDField(null=True, blank=True)
    data = models.JSONField(default=dict, blank=True)  # what the buttons need, e.g. domain and code of a mapping
    seen = models.PositiveIntegerField(default=1)
    opened_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    reason = models.TextField(blank=True)  # why it was resolved or waived
    history = HistoricalRecords(excluded_fields=["seen", "last_seen_at"])

    class Meta:
        permissions = (
            ("assign_exceptioncase", "Can assign a case"),
            ("resolve_exceptioncase", "Can resolve a case"),
            ("retry_exceptioncase", "Can retry what waits for a case"),
            ("waive_exceptioncase", "Can waive a case with a reason"),
        )
        indexes = (
            models.Index(fields=["status", "-opened_at"], name="case_status"),
            models.Index(fields=["message_id"], name="case_message", condition=models.Q(message_id__isnull=False)),
        )
        constraints = (
            models.UniqueConstraint(
                fields=["code", "subject"],
                condition=models.Q(status__in=["open", "assigned"]),
                name="case_open_is_one_per_subject",
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=["open", "assigned", "resolved", "waived", "superseded"]),
                name="case_status_is_known",
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=["open", "assigned"], closed_at__isnull=True)
                | models.Q(status__in=["resolved", "waived", "superseded"], closed_at__isnull=False),
                name="case_closed_has_a_time",
            ),
            models.CheckConstraint(
                condition=~models.Q(status="waived") | ~models.Q(reason=""), name="case_waived_has_a_reason"
            ),
            models.CheckConstraint(
                condition=~models.Q(status="assigned") | models.Q(assignee__isnull=False),
                name="case_assigned_has_an_assignee",
            ),
        )

    def __str__(self) -> str:
        return self.title


class Waiting(models.Model):
    """One document that waits for one case. Deleted when it went through."""

    case = models.ForeignKey(ExceptionCase, models.CASCADE, related_name="waiting")
    message_id = models.UUIDField()
    part = models.PositiveSmallIntegerField()
    key = models.CharField(max_length=200)
    label = models.CharField(max_length=200)
    amount = models.DecimalField(max_digits=19, decimal_places=4)
    currency = models.CharField(max_length=3)
    since = models.DateTimeField()

    class Meta:
        verbose_name_plural = "waiting"
        indexes = (models.Index(fields=["message_id"], name="waiting_message"),)
        constraints = (
            models.UniqueConstraint(fields=["case", "message_id", "part"], name="waiting_is_one_per_case_and_part"),
        )

    def __str__(self) -> str:
        return self.label
