"""What stands between a sender and a partner: the circuit that opens when it is away, the bucket that keeps its pace.

Rows of their own, and no columns of the endpoint: they move by themselves, and saving an endpoint's form moves nothing.
"""

from django.db import models

from hub.models.partners import Endpoint


class Breaker(models.Model):
    """One endpoint's circuit. No row means closed and nothing failed."""

    MOVES = {
        "closed": ["open"],  # calls go out
        "open": ["half_open", "closed"],  # none does until `probe_at`; a person may close it
        "half_open": ["closed", "open"],  # one call probes; where it does not end, another one probes at `probe_at`
    }
    STATUSES = {"closed": "Closed", "open": "Open", "half_open": "Probing"}
    endpoint = models.OneToOneField(Endpoint, models.CASCADE, primary_key=True, related_name="breaker")
    status = models.CharField(max_length=10, choices=STATUSES.items(), default="closed")
    failures = models.PositiveIntegerField(default=0)  # in a row
    openings = models.PositiveIntegerField(default=0)  # in a row: probes that failed make the pause longer
    opened_at = models.DateTimeField(null=True)
    probe_at = models.DateTimeField(null=True)
    code = models.CharField(max_length=60, blank=True)  # of the last failure
    text = models.TextField(blank=True)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=models.Q(status__in=["closed", "open", "half_open"]), name="breaker_status_is_known"
            ),
            models.CheckConstraint(
                condition=models.Q(status="closed", probe_at__isnull=True)
                | models.Q(status__in=["open", "half_open"], probe_at__isnull=False),
                name="breaker_open_has_a_probe",
            ),
        )

    def __str__(self) -> str:
        return f"{self.endpoint_id} {self.status}"


class Bucket(models.Model):
    """The calls that one endpoint may make at once, as of `filled_at`; shared by all senders of all processes."""

    endpoint = models.OneToOneField(Endpoint, models.CASCADE, primary_key=True, related_name="bucket")
    tokens = models.FloatField()
    filled_at = models.DateTimeField()

    class Meta:
        constraints = (models.CheckConstraint(condition=models.Q(tokens__gte=0), name="bucket_is_never_in_debt"),)

    def __str__(self) -> str:
        return f"{self.endpoint_id} {self.tokens:.1f}"
