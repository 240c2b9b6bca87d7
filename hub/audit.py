"""Audit entries, written by every verb in its own transaction."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import models
from django.utils import timezone

from hub.access import Actor
from hub.models import AuditEntry


def record(
    verb: str,
    *,
    by: Actor,
    subject: models.Model | None = None,
    subject_type: str = "",
    count: int = 1,
    reason: str = "",
    detail: Mapping[str, Any] | None = None,
    correlation_id: UUID | None = None,
) -> AuditEntry:
    """One verb, once: `subject` for a single row, `subject_type` with `count` for a hot verb that took a list.

    `detail` holds codes, ids, counts and before/after values; never names, account numbers or free text of patients.
    """
    return AuditEntry.objects.create(
        at=timezone.now(),
        actor=by.name,
        verb=verb,
        subject_type=subject_type or (subject._meta.label_lower if subject is not None else ""),
        subject_id="" if subject is None else str(subject.pk),
        count=count,
        reason=reason,
        detail=dict(detail or {}),
        correlation_id=correlation_id,
    )
