"""Replays: many messages or deliveries done again, planned first; and messages that were edited and handed in anew."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from simple_history.models import HistoricalRecords

from hub import ids
from hub.models.partners import Endpoint


class Replay(models.Model):
    """One plan: what was chosen, why, by whom, and how far it has come. Its items are fixed when it is planned."""

    MOVES = {
        "planned": ["waiting_approval", "running", "cancelled"],  # small enough to be started by whoever may
        "waiting_approval": ["approved", "cancelled"],  # a second person looks at the plan
        "approved": ["running", "cancelled"],
        "running": ["paused", "done", "cancelled"],  # a worker takes it batch by batch
        "paused": ["running", "cancelled"],
        "done": [],  # every item has its result
        "cancelled": [],  # what was not begun stays as it is
    }
    STATUSES = {
        "planned": "Planned",
        "waiting_approval": "Waits for approval",
        "approved": "Approved",
        "running": "Running",
        "paused": "Paused",
        "done": "Done",
        "cancelled": "Cancelled",
    }
    KINDS = {"messages": "Messages", "deliveries": "Deliveries"}
    MODES = {
        "again": "Do again what did not go through",
        "resend": "Send again to the partner what it was sent",
        "copy": "Send a copy to a shadow system",
    }
    kind = models.CharField(max_length=10, choices=KINDS.items())
    mode = models.CharField(max_length=6, choices=MODES.items(), default="again", db_default="again")
    filters = models.JSONField()  # as `hub.selections` knows them: {"status": "stopped", "since": "..."}
    limit = models.PositiveIntegerField()  # at most so many were chosen, the oldest first
    more = models.BooleanField(default=False)  # the filters matched more than that
    destination = models.ForeignKey(Endpoint, models.PROTECT, null=True, blank=True, related_name="+")
    reason = models.TextField()
    status = models.CharField(max_length=16, choices=STATUSES.items(), default="planned")
    facilities = ArrayField(models.CharField(max_length=20), default=list)  # whose rows are in it
    needs_approval = models.BooleanField(default=False)
    planned_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    planned_at = models.DateTimeField()
    approved_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    approved_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    # What the plan found, at the moment of planning.
    count = models.PositiveIntegerField(default=0)
    already = models.PositiveIntegerField(default=0)  # applied or delivered
    behind = models.PositiveIntegerField(default=0)  # blocked behind others of their key
    closed = models.PositiveIntegerField(default=0)  # dated into a period that is closed
    known = models.PositiveIntegerField(default=0)  # items whose money is known
    worth = models.JSONField(default=dict)  # currency -> amount as text with four decimals
    destinations = models.JSONField(default=list)  # [{"name": ..., "count": ...}]
    # The figures are written once, with the plan; history tells of decisions.
    history = HistoricalRecords(
        excluded_fields=[
            "facilities", "more", "count", "already", "behind", "closed", "known", "worth", "destinations",
        ]
    )  # fmt: skip

    class Meta:
        permissions = (
            ("plan_replay", "Can plan a replay"),
            ("approve_replay", "Can approve a replay that somebody else planned"),
            ("run_replay", "Can start, pause, resume and cancel a replay"),
        )
        constraints = (
            models.CheckConstraint(
                condition=models.Q(
                    status__in=["planned", "waiting_approval", "approved", "running", "paused", "done", "cancelled"]
                ),
                name="replay_status_is_known",
            ),
            models.CheckConstraint(
                condition=models.Q(kind__in=["messages", "deliveries"]), name="replay_kind_is_known"
            ),
            models.CheckConstraint(
                condition=models.Q(mode="again")
                | models.Q(mode="resend", kind="deliveries", needs_approval=True)
                | models.Q(mode="copy", kind="deliveries", needs_approval=True, destination__isnull=False),
                name="replay_sends_again_with_four_eyes",
            ),
            models.CheckConstraint(
                condition=models.Q(approved_by__isnull=True) | ~models.Q(approved_by=models.F("planned_by")),
                name="replay_approver_is_not_the_planner",
            ),
            models.CheckConstraint(
                condition=models.Q(approved_by__isnull=True, approved_at__isnull=True)
                | models.Q(approved_by__isnull=False, approved_at__isnull=False),
                name="replay_approval_has_a_time",
            ),
            models.CheckConstraint(
                condition=models.Q(needs_approval=False)
                | ~models.Q(status__in=["approved", "running", "paused", "done"])
                | models.Q(approved_by__isnull=False),
                name="replay_runs_when_approved",
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=["done", "cancelled"], finished_at__isnull=False)
                | (~models.Q(status__in=["done", "cancelled"]) & models.Q(finished_at__isnull=True)),
                name="replay_finished_has_a_time",
            ),
            models.CheckConstraint(condition=~models.Q(reason=""), name="replay_has_a_reason"),
        )  # fmt: skip

    def __str__(self) -> str:
        return f"Replay {self.pk}"


class ReplayItem(models.Model):
    """One message or delivery of a replay and what became of it. Written by one statement when it is planned."""

    RESULTS = {
        "pending": "Not begun",
        "moving": "Under way",  # back in its queue, a worker has it next
        "done": "Done",
        "skipped": "Left as it is",
        "failed": "Failed",
    }
    replay = models.ForeignKey(Replay, models.CASCADE, related_name="items")
    position = models.PositiveIntegerField()
    subject_id = models.UUIDField()  # the message's or delivery's id
    result = models.CharField(max_length=8, choices=RESULTS.items(), default="pending")
    text = models.CharField(max_length=300, blank=True)  # why; codes only, no patient data
    at = models.DateTimeField(null=True)

    class Meta:
        indexes = (
            models.Index(
                fields=["replay", "position"], name="replayitem_pending", condition=models.Q(result="pending")
            ),
            models.Index(fields=["replay", "position"], name="replayitem_moving", condition=models.Q(result="moving")),
            models.Index(fields=["subject_id"], name="replayitem_subject"),
        )
        constraints = (
            models.UniqueConstraint(fields=["replay", "position"], name="replayitem_position_is_one"),
            models.UniqueConstraint(fields=["replay", "subject_id"], name="replayitem_subject_is_one"),
            models.CheckConstraint(
                condition=models.Q(result__in=["pending", "moving", "done", "skipped", "failed"]),
                name="replayitem_result_is_known",
            ),
            models.CheckConstraint(
                condition=models.Q(result="pending", at__isnull=True)
                | (~models.Q(result="pending") & models.Q(at__isnull=False)),
                name="replayitem_result_has_a_time",
            ),
        )  # fmt: skip

    def __str__(self) -> str:
        return f"{self.replay_id}/{self.position}"


class Resubmission(models.Model):
    """A stopped message that was edited and handed in anew: the original, and the copy that took its place."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    original_id = models.UUIDField(unique=True)
    copy_id = models.UUIDField(unique=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.original_id} -> {self.copy_id}"
