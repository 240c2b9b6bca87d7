"""Messages: what partners sent, byte for byte (sealed, see `hub.bodies`), and what became of it."""

from django.db import models

from hub import ids
from hub.models.partners import Endpoint


class Message(models.Model):
    """One stored document. Partitioned by month of its id; written by COPY in `hub.inbox`, never edited."""

    MOVES = {
        "received": ["applied", "held", "stopped", "blocked", "skipped"],  # stored and acknowledged, waits for a worker
        "held": ["received", "applied"],  # some of its lines wait for a code; nothing else waits for it
        "stopped": ["received", "waived", "replaced"],  # a person must act; later messages of its key wait
        "blocked": ["received"],  # waits behind a stopped message of its own key
        "applied": ["received"],  # done; only a replay brings it back
        "skipped": [],  # nothing in it is for us
        "refused": ["received"],  # answered with AR: stored as evidence, not worked on; a person may still accept it
        "waived": ["received"],  # a named person decided that it shall not be applied, and said why
        "replaced": [],  # an edited copy took its place in the order; the original stays as it came
    }
    STATUSES = {
        "received": "Waiting",
        "held": "Held",
        "stopped": "Stopped",
        "blocked": "Behind a stopped one",
        "applied": "Applied",
        "skipped": "Not for us",
        "refused": "Refused",
        "waived": "Waived",
        "replaced": "Replaced",
    }
    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    endpoint = models.ForeignKey(Endpoint, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+")
    received_at = models.DateTimeField()
    sender = models.CharField(max_length=200, blank=True)  # MSH-3|MSH-4
    control_id = models.CharField(max_length=200)
    kind = models.CharField(max_length=40)  # "DFT^P03"
    key = models.CharField(max_length=200)  # what its order is kept by
    lane = models.PositiveSmallIntegerField()
    status = models.CharField(max_length=10, choices=STATUSES.items())
    attempts = models.PositiveSmallIntegerField()
    correlation_id = models.UUIDField()
    sha256 = models.BinaryField(max_length=32)
    raw = models.BinaryField()
    parts = models.PositiveSmallIntegerField()  # documents found in it
    notes = models.JSONField(default=list)  # what was tolerated
    problem_code = models.CharField(max_length=40, blank=True)
    problem = models.TextField(blank=True)
    settled_at = models.DateTimeField(null=True)
    origin = models.JSONField(null=True)  # what the sender calls it, as given: `hub.origins`; never a key

    class Meta:
        permissions = (
            ("view_raw_message", "Can see the raw bytes of a message"),
            ("retry_message", "Can retry a stopped message"),
            ("waive_message", "Can waive a stopped message"),
            ("drop_month", "Can archive and drop a month"),
            ("edit_message", "Can edit a stopped message and hand it in anew"),
            ("search_content", "Can search inside messages"),
        )
        indexes = (
            models.Index(fields=["lane", "id"], name="message_waiting", condition=models.Q(status="received")),
            models.Index(
                fields=["status", "id"],
                name="message_unsettled",
                condition=models.Q(status__in=["held", "stopped", "blocked"]),
            ),
        )
        constraints = (
            models.CheckConstraint(
                condition=models.Q(
                    status__in=[
                        "received", "held", "stopped", "blocked", "applied", "skipped", "refused", "waived",
                        "replaced",
                    ]
                ),
                name="message_status_is_known",
            ),
        )  # fmt: skip

    def __str__(self) -> str:
        return f"{self.kind} {self.control_id}"


class MessageKey(models.Model):
    """Who sent which control id: the one place where a resent message is recognised. Narrow, not partitioned.

    A conflicting body is kept under its own `variant` (its sha256 in hex), so that it gets the same answer again.
    """

    pk = models.CompositePrimaryKey("endpoint_id", "sender", "control_id", "variant")
    endpoint_id = models.BigIntegerField()
    sender = models.CharField(max_length=200)
    control_id = models.CharField(max_length=200)
    variant = models.CharField(max_length=64)
    message_id = models.UUIDField()
    sha256 = models.BinaryField(max_length=32)
    answer = models.CharField(max_length=300)  # "AA", or "AR|202|text": what a resend is answered with

    def __str__(self) -> str:
        return f"{self.sender} {self.control_id}"
