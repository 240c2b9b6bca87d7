"""Calls that a replay makes once more on purpose: to the partner that has them, or to a shadow system."""

from django.db import models

from hub import ids
from hub.models.partners import Endpoint
from hub.models.replays import Replay


class Resend(models.Model):
    """A settled call that goes out again, whole, under the key that it had. It moves no book and no delivery."""

    MOVES = {
        "waiting": ["sending", "failed"],  # due at `due_at`; failed: its replay was cancelled before it went out
        "sending": ["done", "waiting", "failed"],  # claimed until `due_at`
        "done": [],  # the receiver has it
        "failed": [],  # refused, or never answered
    }
    STATUSES = {"waiting": "Waits", "sending": "Under way", "done": "The receiver has it", "failed": "Failed"}
    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    replay = models.ForeignKey(Replay, models.CASCADE, related_name="resends")
    dispatch_id = models.UUIDField()  # the call, and the key that the receiver gets
    route = models.CharField(max_length=60)
    endpoint = models.ForeignKey(Endpoint, models.PROTECT, related_name="+")  # where it goes now
    before = models.CharField(
        max_length=120, blank=True
    )  # the partner's reference when it was delivered; "" for a copy
    status = models.CharField(max_length=10, choices=STATUSES.items(), default="waiting")
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField()
    created_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)
    reference = models.CharField(max_length=120, blank=True)  # the receiver's now
    text = models.CharField(max_length=300, blank=True)

    class Meta:
        indexes = (
            models.Index(
                fields=["endpoint", "due_at"], name="resend_due",
                condition=models.Q(status__in=["waiting", "sending"]),
            ),
        )  # fmt: skip
        constraints = (
            models.UniqueConstraint(fields=["replay", "dispatch_id"], name="resend_is_one_per_call"),
            models.CheckConstraint(
                condition=models.Q(status__in=["waiting", "sending", "done", "failed"]), name="resend_status_is_known"
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=["done", "failed"], settled_at__isnull=False)
                | models.Q(status__in=["waiting", "sending"], settled_at__isnull=True),
                name="resend_settled_has_a_time",
            ),
        )

    def __str__(self) -> str:
        return f"{self.dispatch_id} -> {self.endpoint_id}"
