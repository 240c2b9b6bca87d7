"""Audit entries: who did what, to what, why. Read-only for everybody."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet

from hub import navigation, shapes
from hub.admin.base import Block, EvidenceAdmin
from hub.admin.columns import Column
from hub.models import AuditEntry
from hub.viewer import Viewer


@admin.register(AuditEntry)
class AuditAdmin(EvidenceAdmin):
    """The database itself refuses to change or delete these rows."""

    keyset = True
    intro = "Every verb, once: who did it, to what, and why. The database refuses to change these rows."
    search_hint = "User name, verb, or an object's id"
    teaches = ("No entries in this window of time.", "Entries are written with every decision. Widen the time above.")
    columns = (
        Column("What", "verb", "code"),
        Column("When", "at", "time"),
        Column("Who", "actor"),
        Column("To", lambda e: e.subject_type.partition(".")[2] or e.subject_type),
        Column("Object", lambda e: e.subject_id or (f"{e.count:,} of them" if e.count > 1 else ""), "code"),
        Column("Why", "reason"),
    )  # fmt: skip

    def search(self, queryset: QuerySet[Any], term: str) -> tuple[QuerySet[Any], bool]:
        """By entry id; by object, actor or verb within the window of time."""
        try:
            wanted = UUID(term)
        except ValueError:
            return queryset.filter(actor=term) | queryset.filter(verb=term) | queryset.filter(subject_id=term), False
        return queryset.filter(pk=wanted) | queryset.filter(subject_id=str(wanted)), False

    def facts(self, row: AuditEntry, who: Viewer) -> list[tuple[str, Any]]:
        """The entry."""
        return [
            ("When", shapes.stamp(row.at)),
            ("Who", row.actor),
            ("Verb", shapes.code(row.verb)),
            ("To", row.subject_type),
            ("Object", shapes.code(row.subject_id)),
            ("How many", row.count),
            ("Why", row.reason or shapes.NOTHING),
            ("Correlation id", shapes.code(row.correlation_id)),
        ]

    def blocks(self, row: AuditEntry, who: Viewer) -> list[Block]:
        """Codes and figures that the verb kept."""
        return [Block("Detail", "admin/blocks/payload.html", {"payload": sorted(row.detail.items())})]


navigation.put(
    "Evidence",
    navigation.Link("Audit entries", "admin:hub_auditentry_changelist", "hub.view_auditentry", "Who did what, and why"),
)
