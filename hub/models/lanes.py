"""Lanes: who works on which share of a queue; stops: which keys wait for a person."""

from django.db import models


class Lane(models.Model):
    """One share of a queue. A worker leases it, and proves with its `token` that it still owns it when it commits.

    Queues: "inbox", a reaction's name, or "route@endpoint". `backend` names the database session of the owner
    (pid and start), so that a killed worker's lanes are free at once and not only when the lease runs out.
    """

    queue = models.CharField(max_length=120)
    number = models.PositiveSmallIntegerField()
    token = models.UUIDField(null=True)
    leased_until = models.DateTimeField(null=True)
    backend_pid = models.IntegerField(null=True)
    backend_start = models.DateTimeField(null=True)
    served_at = models.DateTimeField(null=True)
    careful = models.PositiveIntegerField(default=0)  # after a crash: so many documents are taken one by one

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["queue", "number"], name="lane_is_one"),
            models.CheckConstraint(
                condition=models.Q(token__isnull=True, leased_until__isnull=True)
                | models.Q(token__isnull=False, leased_until__isnull=False),
                name="lane_token_has_a_lease",
            ),
        )

    def __str__(self) -> str:
        return f"{self.queue}/{self.number}"


class Stop(models.Model):
    """A key whose later documents wait, and the document that they wait for."""

    queue = models.CharField(max_length=120)  # "in:<endpoint code>", a reaction's name, or "route@endpoint"
    key = models.CharField(max_length=200)
    subject_id = models.UUIDField()  # the stopped message or delivery
    since = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["queue", "key"], name="stop_is_one_per_key"),)

    def __str__(self) -> str:
        return f"{self.queue} {self.key}"
