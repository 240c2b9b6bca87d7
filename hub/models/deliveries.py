"""Deliveries: one fact for one listener; dispatches: one call to a partner with one or more of them."""

from django.db import models

from hub import ids
from hub.models.partners import Endpoint


class Delivery(models.Model):
    """One fact, one route, and for a partner one endpoint. Partitioned by month of its id."""

    MOVES = {
        "pending": ["delivered", "sending", "stopped", "blocked"],  # waits for a worker
        "sending": ["delivered", "pending", "stopped", "blocked"],  # part of a dispatch that is not settled
        "stopped": ["pending", "waived"],  # a person must act; later ones of its key wait
        "blocked": ["pending"],  # waits behind a stopped one of its key
        "delivered": [],
        "waived": [],
    }
    STATUSES = {
        "pending": "Waiting",
        "sending": "Under way",
        "stopped": "Stopped",
        "blocked": "Behind a stopped one",
        "delivered": "Delivered",
        "waived": "Waived",
    }
    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    fact_id = models.UUIDField()
    route = models.CharField(max_length=60)
    endpoint = models.ForeignKey(
        Endpoint, models.DO_NOTHING, null=True, db_constraint=False, db_index=False, related_name="+"
    )
    key = models.CharField(max_length=200)
    lane = models.PositiveSmallIntegerField()
    group = models.CharField(max_length=120, blank=True)  # deliveries of one group may share a call
    weight = models.PositiveIntegerField(default=1)
    status = models.CharField(max_length=10, choices=STATUSES.items())
    attempts = models.PositiveSmallIntegerField(default=0)
    dispatch_id = models.UUIDField(null=True)
    problem_code = models.CharField(max_length=40, blank=True)
    problem = models.TextField(blank=True)
    settled_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "deliveries"
        permissions = (
            ("retry_delivery", "Can retry a delivery"),
            ("waive_delivery", "Can waive a delivery"),
            ("resend_delivery", "Can plan to send again, or to a shadow system, what a partner has"),
        )
        indexes = (
            models.Index(
                fields=["route", "endpoint", "lane", "id"],
                name="delivery_waiting",
                condition=models.Q(status="pending"),
            ),
            models.Index(fields=["fact_id"], name="delivery_fact"),
            models.Index(
                fields=["dispatch_id"], name="delivery_dispatch", condition=models.Q(dispatch_id__isnull=False)
            ),
            models.Index(
                fields=["status", "id"],
                name="delivery_unsettled",
                condition=models.Q(status__in=["sending", "stopped", "blocked"]),
            ),
        )
        constraints = (
            models.CheckConstraint(
                condition=models.Q(
                    status__in=["pending", "sending", "stopped", "blocked", "delivered", "waived"]
                ),
                name="delivery_status_is_known",
            ),
        )  # fmt: skip

    def __str__(self) -> str:
        return f"{self.route} {self.key}"


class Dispatch(models.Model):
    """One call to a partner. Its id is the idempotency key and stays the same however often it is tried."""

    MOVES = {
        "sending": ["delivered", "waiting", "in_doubt", "rejected", "given_up"],  # claimed, the call is under way
        "waiting": [
            "sending",  # will be tried again at `due_at`, with the same key
            "rejected",  # taken apart: an earlier call of its keys was refused, and nothing overtakes it
        ],
        "in_doubt": [
            "delivered",
            "sending",
            "waiting",
        ],  # sent, no answer: looked up at the partner before anything else
        "rejected": [],  # the partner said no; its deliveries were split or stopped
        "given_up": [],  # known not to be done, and older than the endpoint's maximum age; its deliveries stopped
        "delivered": [],
    }
    STATUSES = {
        "sending": "Under way",
        "waiting": "Will be tried again",
        "in_doubt": "In doubt",
        "rejected": "Rejected",
        "given_up": "Given up",
        "delivered": "Delivered",
    }
    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    route = models.CharField(max_length=60)
    endpoint = models.ForeignKey(Endpoint, models.PROTECT, related_name="+", db_index=False)
    lane = models.PositiveSmallIntegerField()
    status = models.CharField(max_length=10, choices=STATUSES.items())
    deliveries = models.PositiveIntegerField()
    weight = models.PositiveIntegerField()
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField()
    created_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)
    reference = models.CharField(max_length=120, blank=True)  # the partner's id
    code = models.CharField(max_length=60, blank=True)
    text = models.TextField(blank=True)

    class Meta:
        verbose_name_plural = "dispatches"
        permissions = (("resolve_dispatch", "Can resolve a dispatch in doubt"),)
        indexes = (
            models.Index(
                fields=["endpoint", "route", "lane", "id"], name="dispatch_open",
                condition=models.Q(status__in=["sending", "waiting", "in_doubt"]),
            ),
        )  # fmt: skip
        constraints = (
            models.CheckConstraint(
                condition=models.Q(status__in=["sending", "waiting", "in_doubt", "rejected", "given_up", "delivered"]),
                name="dispatch_status_is_known",
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=["delivered", "rejected", "given_up"], settled_at__isnull=False)
                | models.Q(status__in=["sending", "waiting", "in_doubt"], settled_at__isnull=True),
                name="dispatch_settled_has_a_time",
            ),
        )

    def __str__(self) -> str:
        return f"{self.route} {self.id}"
