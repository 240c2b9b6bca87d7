"""Files that partners left in folders: what was seen, and what came of it."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.template.defaultfilters import filesizeformat
from django.utils import timezone

from hub import ids, shapes
from hub.admin.base import Block, EvidenceAdmin
from hub.admin.columns import Column, Filter, by_field
from hub.files import filed
from hub.models import Endpoint, InboundFile, Message
from hub.viewer import Viewer

MESSAGES_SHOWN = 100
LOOKED_FOR = timedelta(hours=1)  # after a file was seen: reading one takes seconds


def sha256(row: InboundFile) -> str:
    """In hex; empty where the file was never read."""
    return bytes(row.sha256).hex() if row.sha256 is not None else ""


def rows(row: InboundFile) -> str:
    """How many of its messages are stored."""
    return "" if row.rows is None else f"{row.handed:,} of {row.rows:,}"


def doors(who: Viewer) -> dict[str, str]:
    """The inbound folder endpoints this person sees, for a filter."""
    found = who.scope(Endpoint.objects.filter(direction="in", transport__in=["folder", "sftp"]))
    return {str(pk): code for pk, code in found.order_by("code").values_list("pk", "code")}


@admin.register(InboundFile)
class InboundFileAdmin(EvidenceAdmin):
    """One content under one name."""

    keyset = True
    facility_field = "endpoint__facility"
    intro = "Files that came by folder: name, size and hash, and what came of each. Their messages are under Messages."
    search_hint = "Name or SHA-256"
    teaches = (
        "No files in this window of time.",
        "An endpoint with the transport Folder takes them, where manage.py files runs. Widen the time for older ones.",
    )
    columns = (
        Column("Name", "name", "code"),
        Column("Seen", "seen_at", "time"),
        Column("Endpoint", lambda f: f.endpoint.code, "short"),
        Column("Size", lambda f: filesizeformat(f.size), "num"),
        Column("SHA-256", lambda f: sha256(f)[:12], "code"),
        Column("Messages", rows, "num"),
        Column("Status", "status", "status"),
        Column("Problem", "problem_code", "code"),
    )
    filters = (
        Filter("status", "Status", InboundFile.STATUSES, by_field("status")),
        Filter("endpoint", "Endpoint", doors, by_field("endpoint_id")),
    )

    def get_queryset(self, request: Any) -> QuerySet[Any]:
        """With the endpoint that every row names."""
        return super().get_queryset(request).select_related("endpoint__partner")

    def search(self, queryset: QuerySet[Any], term: str) -> tuple[QuerySet[Any], bool]:
        """By whole hash, which an index finds; else by a part of the name within the window of time."""
        try:
            digest = bytes.fromhex(term)
        except ValueError:
            digest = b""
        if len(digest) == 32:
            return queryset.filter(sha256=digest), True
        return queryset.filter(name__icontains=term), False

    def under(self, row: InboundFile) -> str:
        """Why it was not loaded."""
        return f"{row.problem_code}: {row.problem}" if row.problem else ""

    def facts(self, row: InboundFile, who: Viewer) -> list[tuple[str, Any]]:
        """The header's facts."""
        first = shapes.link("admin:hub_inboundfile_change", row.same_as_id, "the file it is the same as")
        return [
            ("Endpoint", row.endpoint.name),
            ("Size", filesizeformat(row.size)),
            ("SHA-256", shapes.code(sha256(row))),
            ("Written by its sender", shapes.stamp(row.modified_at)),
            ("First seen", shapes.stamp(row.seen_at)),
            ("Came so often", row.times),
            ("Last seen", shapes.stamp(row.last_seen_at)),
            ("Messages stored", rows(row) or shapes.NOTHING),
            ("Of these here before", row.known if row.rows else shapes.NOTHING),
            ("Of these refused", row.refused if row.rows else shapes.NOTHING),
            ("Lies in", shapes.code(row.lies_in)),
            ("Same content as", first),
        ]

    def blocks(self, row: InboundFile, who: Viewer) -> list[Block]:
        """What to do where it was not loaded; else the first messages in it, where this person may see them."""
        if row.status in filed.WHAT_TO_DO:
            return [Block("What to do", "admin/blocks/sentence.html", {"sentence": filed.WHAT_TO_DO[row.status]})]
        if row.rows is None or not who.may("hub.view_message"):
            return []
        # By the time in their ids: messages have no index by correlation id.
        ends = min(row.settled_at or timezone.now(), row.seen_at + LOOKED_FOR) + timedelta(seconds=1)
        found = Message.objects.filter(
            endpoint_id=row.endpoint_id, correlation_id=row.pk, pk__gte=ids.floor(row.seen_at), pk__lt=ids.floor(ends)
        )
        shown = list(found.order_by("pk").defer("raw")[:MESSAGES_SHOWN])
        context = {"messages": shown, "more": row.rows > len(shown)}
        return [Block("Messages in it", "admin/blocks/file_messages.html", context)]
