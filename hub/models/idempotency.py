"""Answers that were given once and must be given again, byte for byte, when the same request is sent twice."""

from django.db import models
from django.utils import timezone


class SavedAnswer(models.Model):
    """The answer to one mutating call, written in the transaction of its effect: no effect without it, none twice.

    Kept for `hub.api.idempotency.KEEP_DAYS`; after that the verbs' own rules (states, natural keys) refuse a repeat.
    """

    actor = models.CharField(max_length=160)  # "api:<name> (<prefix>)" or "user:<pk>": callers never share keys
    method = models.CharField(max_length=8)
    path = models.CharField(max_length=400)
    key = models.CharField(max_length=255)  # the caller's Idempotency-Key
    fingerprint = models.BinaryField(max_length=32)  # SHA-256 of what was asked for
    status = models.PositiveSmallIntegerField()
    location = models.CharField(max_length=400, blank=True)  # Location header of a 201
    body = models.BinaryField()
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["actor", "method", "path", "key"], name="saved_answer_is_one_per_key"),
            models.CheckConstraint(
                condition=models.Q(status__gte=200, status__lt=300), name="saved_answer_is_of_a_success"
            ),
        )

    def __str__(self) -> str:
        return f"{self.method} {self.path}"
