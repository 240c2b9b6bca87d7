"""Facts: what happened here, for whoever listens."""

from django.db import models

from hub import ids


class Fact(models.Model):
    """A past-tense, versioned statement, written in the transaction it tells of. Partitioned by month of its id."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    name = models.CharField(max_length=60)
    key = models.CharField(max_length=200)
    payload = models.JSONField()
    message_id = models.UUIDField(null=True)  # the message that caused it, where one did
    cause_id = models.UUIDField(null=True)  # the fact that caused it, where one did
    correlation_id = models.UUIDField()
    published_at = models.DateTimeField()

    class Meta:
        indexes = (models.Index(fields=["correlation_id"], name="fact_correlation"),)

    def __str__(self) -> str:
        return f"{self.name} {self.key}"
