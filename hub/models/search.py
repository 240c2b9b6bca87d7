"""The blind index: one row for about a thousand messages, and nothing for a single one."""

from django.db import models


class ContentSegment(models.Model):
    """A filter of the keyed token hashes of contiguous messages. Partitioned by month of its id, dropped with them."""

    id = models.UUIDField(primary_key=True, editable=False)  # of the first message
    high = models.UUIDField()  # of the last one
    count = models.PositiveIntegerField()
    version = models.PositiveSmallIntegerField()  # `hub.search.filters.VERSION`
    key_id = models.CharField(max_length=40)  # of the ring
    blocks = models.PositiveIntegerField()
    filter = models.BinaryField()
    cut_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.count} messages from {self.id}"
