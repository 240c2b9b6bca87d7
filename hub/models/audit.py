"""Audit entries: who did what, to what, why. Written in the same transaction as the deed; never changed."""

from django.db import models

from hub import ids


class AuditEntry(models.Model):
    """One verb, once. Holds no foreign keys: it outlives what it tells of. A trigger refuses update and delete."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    at = models.DateTimeField()
    actor = models.CharField(max_length=150)  # username, "api:<key>", or "system"
    verb = models.CharField(max_length=60)  # "mappings.approve"
    subject_type = models.CharField(max_length=60)
    subject_id = models.CharField(max_length=80, blank=True)  # "" where a hot verb took a list: see `count`
    count = models.PositiveIntegerField(default=1)
    reason = models.TextField(blank=True)
    detail = models.JSONField(default=dict, blank=True)
    correlation_id = models.UUIDField(null=True)

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = (models.Index(fields=["subject_type", "subject_id", "id"], name="audit_subject"),)

    def __str__(self) -> str:
        return f"{self.actor} {self.verb}"
