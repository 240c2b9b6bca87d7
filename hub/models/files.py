"""Files that partners left in folders: what was seen, and what came of it. The messages in them are messages."""

from django.db import models
from django.db.models import F, Q

from hub import ids
from hub.models.partners import Endpoint


class InboundFile(models.Model):
    """One content under one name at one endpoint. Its id is the correlation id of every message that was in it.

    `handed` rows are stored; after a crash the next row goes on from there. `sha256` is empty where the file was never
    read: too large, a link, no file at all.
    """

    MOVES = {
        "reading": ["loaded", "quarantined"],  # rows are being handed in; a crash leaves it here, to be resumed
        "loaded": [],  # every message in it is stored
        "duplicate": [],  # the same content was loaded under another name
        "name_taken": [],  # other content under a known name: a person decides
        "quarantined": ["reading"],  # not loaded, with a reason; put back into the folder it is tried again
    }
    STATUSES = {
        "reading": "Being read",
        "loaded": "Loaded",
        "duplicate": "Known content",
        "name_taken": "Known name, new content",
        "quarantined": "Quarantined",
    }
    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    endpoint = models.ForeignKey(Endpoint, models.PROTECT, related_name="files")
    name = models.CharField(max_length=400)
    size = models.BigIntegerField()  # bytes
    modified_at = models.DateTimeField()  # as the folder says
    sha256 = models.BinaryField(max_length=32, null=True)
    seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    times = models.PositiveIntegerField(default=1)  # how often this name came with this content
    attempts = models.PositiveSmallIntegerField(default=0)  # written down before each try to read it
    status = models.CharField(max_length=12, choices=STATUSES.items())
    rows = models.PositiveIntegerField(null=True)  # messages found in it; empty until it was read
    handed = models.PositiveIntegerField(default=0)  # of these, stored
    known = models.PositiveIntegerField(default=0)  # of these, here before
    refused = models.PositiveIntegerField(default=0)  # of these, stored as refused
    same_as = models.ForeignKey("self", models.PROTECT, null=True, related_name="+")  # the first with this content
    lies_in = models.CharField(max_length=500, blank=True)  # "done/name"; empty while it lies where it came
    problem_code = models.CharField(max_length=40, blank=True)
    problem = models.TextField(blank=True)
    settled_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "file"
        indexes = (models.Index(fields=["endpoint", "sha256"], name="file_content"),)
        constraints = (
            models.UniqueConstraint(fields=["endpoint", "name", "sha256"], name="file_content_has_one_row_a_name"),
            models.CheckConstraint(
                condition=Q(status__in=["reading", "loaded", "duplicate", "name_taken", "quarantined"]),
                name="file_status_is_known",
            ),
            models.CheckConstraint(
                condition=Q(rows__isnull=True, handed=0) | Q(handed__lte=F("rows")),
                name="file_handed_no_more_than_found",
            ),
            models.CheckConstraint(
                condition=~Q(status="loaded") | Q(handed=F("rows"), settled_at__isnull=False),
                name="file_loaded_has_every_row",
            ),
            models.CheckConstraint(
                condition=~Q(status="duplicate") | Q(same_as__isnull=False), name="file_duplicate_names_the_first"
            ),
        )

    def __str__(self) -> str:
        return self.name
