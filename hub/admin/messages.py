"""Messages as staff see them: the list of the last hours, and a page that tells what one was and what became of it."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.urls import URLPattern, path, reverse

from hub import audit, finders, interventions, lineage, navigation, shapes
from hub.admin import lineage as ways
from hub.admin import raw, replays, resubmitting, searching, verbs
from hub.admin.base import Block, EvidenceAdmin
from hub.admin.columns import Column, Filter, by_field
from hub.admin.listing import Listing
from hub.models import Endpoint, Message, MessageKey, Waiting
from hub.viewer import Viewer, viewer

UNSETTLED = frozenset({"held", "stopped", "blocked"})  # served by the partial index message_unsettled
WAITING_SHOWN = 50


def _retry(message: Message, data: dict[str, Any], by: Any) -> str:
    interventions.retry_message(message, by=by)
    return "The message is back in the queue; those that wait behind it follow in their order."


def _waive(message: Message, data: dict[str, Any], by: Any) -> str:
    interventions.waive_message(message, reason=data["reason"], by=by)
    return "The message is waived; later messages of its key go on."


def _can_retry(message: Message, by: Any) -> bool | str:
    if message.status == "held":
        return "It is held by a case: heal the case, and it goes on by itself."
    if message.status == "blocked":
        return "It waits behind a stopped message of its own key: retry or waive that one."
    return message.status in {"stopped", "refused"}


def endpoints(who: Viewer) -> dict[str, str]:
    """The inbound doors this person sees, for a filter."""
    doors = who.scope(Endpoint.objects.filter(direction="in"))
    return {str(pk): code for pk, code in doors.order_by("code").values_list("pk", "code")}


@admin.register(Message)
class MessageAdmin(EvidenceAdmin):
    """Evidence: read-only for everybody; retry and waive are verbs."""

    keyset = True
    facility_field = "endpoint__facility"
    change_form_template = "admin/hub/message.html"
    intro = "Everything that partners sent, stored before it was acknowledged."
    search_hint = "Account, control id, order, item, charge, journal or message id"
    teaches = (
        "No messages in this window of time.",
        (
            "Feeds connect to the MLLP ports of their endpoints or post to /in/<endpoint>. Widen the time above, or "
            "look at Set-up, Endpoints, to see which doors are open."
        ),
    )
    columns = (
        Column("Control id", "control_id", "code"),
        Column("Received", "received_at", "time"),
        Column("Kind", "kind", "short"),
        Column("Sender", lambda m: m.sender.replace("|", " · ")),
        Column("Endpoint", lambda m: m.endpoint.code, "short"),
        Column("Key", "key", "code"),
        Column("Lines", "parts", "num"),
        Column("Status", "status", "status"),
        Column("Problem", "problem_code", "code"),
    )
    filters = (
        Filter("status", "Status", Message.STATUSES, by_field("status"), timeless=UNSETTLED),
        Filter("endpoint", "Endpoint", endpoints, by_field("endpoint_id")),
    )
    verbs = (
        verbs.Verb("retry", "Retry", "hub.retry_message", _retry, _can_retry, tone="primary"),
        verbs.Verb(
            "waive", "Waive…", "hub.waive_message", _waive, verbs.moves_to("waived"), verbs.ReasonForm, "danger",
            "It is not applied, and later messages of its key go on.",
        ),
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With its endpoint, because every row and every verb needs it."""
        return super().get_queryset(request).select_related("endpoint__partner")

    def listed(self, queryset: QuerySet[Any], who: Viewer) -> QuerySet[Any]:
        """Without the bytes: fifty of them may be 250 MB."""
        return queryset.defer("raw", "sha256", "notes")

    def search_for(self, queryset: QuerySet[Any], term: str, who: Viewer) -> tuple[QuerySet[Any], bool]:
        """By id, or by control id through the key table's primary key; else by whatever finder knows it."""
        try:
            by_id = queryset.filter(pk=UUID(term))
        except ValueError:
            by_id = queryset.none()
        if by_id.exists():
            return by_id, True
        doors = Endpoint.objects.filter(direction="in").values_list(
            "pk", "sending_application", "sending_facility"
        )  # fmt: skip
        by_control_id = Q(pk__in=[])
        for pk, application, facility in doors:
            by_control_id |= Q(endpoint_id=pk, sender=f"{application}|{facility}", control_id=term)
        found = list(MessageKey.objects.filter(by_control_id).values_list("message_id", flat=True)[:50])
        if found:
            return queryset.filter(pk__in=found), True
        return queryset.filter(pk__in=finders.anything(term, by=who.actor)), True

    def tools(self, listing: Listing, who: Viewer) -> list[tuple[str, str]]:
        """A replay of what the list shows."""
        found = [("Search inside…", reverse("admin:hub_message_search"))] if who.may("hub.search_content") else []
        if who.may("hub.plan_replay"):
            found.append(("Replay these…", replays.plan_link("messages", listing)))
        return found

    def get_urls(self) -> list[URLPattern]:
        """More doors: to search inside, to uncover personal fields, to edit a copy, to hand it in."""
        door = self.admin_site.admin_view
        return [
            path("search/", door(self.search_view), name="hub_message_search"),
            path("<path:object_id>/reveal/", door(self.reveal_view), name="hub_message_reveal"),
            path("<path:object_id>/edit/", door(self.edit_view), name="hub_message_edit"),
            path("<path:object_id>/resubmit/", door(self.resubmit_view), name="hub_message_resubmit"),
            *super().get_urls(),
        ]

    def search_view(self, request: HttpRequest) -> HttpResponse:
        """Words inside messages. By POST: what somebody looks for stands in no address and no log."""
        return searching.page(self, request)

    def edit_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The whole message to be edited, shown in the answer to this POST; who and why is kept."""
        return resubmitting.edit(self, request, object_id)

    def resubmit_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Hand the edited copy in."""
        return resubmitting.resubmit(self, request, object_id)

    def reveal_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show the personal fields once, in the answer to this POST; who and why is kept."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        message = self.find(request, object_id)
        who = viewer(request)
        if not who.may("hub.view_raw_message"):
            verbs.deny("messages.reveal", message, who.actor)
        form = verbs.ReasonForm(request.POST, prefix="reveal")
        shown = form.is_valid()
        if shown:
            reason = form.cleaned_data["reason"]
            audit.record("messages.reveal", by=who.actor, subject=message, reason=reason)
        segments, unreadable = raw.of(message, full=True, reveal=shown)
        extra = {"segments": segments, "unreadable": unreadable, "revealed": shown, "reveal_form": form}
        return self.page(request, message, extra)

    def heading(self, row: Message) -> str:
        """The kind and the sender's own number."""
        return f"{row.kind} {row.control_id}"

    def under(self, row: Message) -> str:
        """Why it stopped, where it did."""
        return f"{row.problem_code}: {row.problem}" if row.problem else ""

    def facts(self, row: Message, who: Viewer) -> list[tuple[str, Any]]:
        """The header's facts."""
        return [
            ("Received", shapes.stamp(row.received_at)),
            ("Sender", row.sender.replace("|", " · ")),
            ("Endpoint", row.endpoint.name),
            ("Key (kept in order)", shapes.code(row.key)),
            ("Lines found", row.parts),
            ("Attempts", row.attempts),
            ("Settled", shapes.stamp(row.settled_at)),
            ("Tolerated", ", ".join(map(str, row.notes)) or shapes.NOTHING),
            ("SHA-256", shapes.code(bytes(row.sha256).hex()[:16] + "…")),
            ("Correlation id", shapes.code(row.correlation_id)),
            ("The sender's own id", shapes.code((row.origin or {}).get("correlation_id", ""))),
        ]

    def blocks(self, row: Message, who: Viewer) -> list[Block]:
        """What waits, and what it has to do with other messages."""
        waiting = Waiting.objects.filter(message_id=row.pk).select_related("case").order_by("part")
        held = list(who.scope(waiting, "case__facility")[:WAITING_SHOWN])
        found = [Block("Lines that wait for a case", "admin/blocks/held.html", {"held": held})] if held else []
        found += resubmitting.blocks(row, who)
        return found

    def page(self, request: HttpRequest, row: Message, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The page, with the message's own text as far as this person may read it."""
        who = viewer(request)
        full = who.may("hub.view_raw_message")
        extra = dict(extra_context or {})
        if "segments" not in extra:
            segments, unreadable = raw.of(row, full=full)
            extra |= {"segments": segments, "unreadable": unreadable, "reveal_form": verbs.ReasonForm(prefix="reveal")}
        extra |= resubmitting.context(row, who)
        story = lineage.tell(row, who)
        extra["way"] = ways.way(story)
        told = Block("What became of it, step by step", "admin/blocks/timeline.html", {"steps": story.steps})
        extra["blocks"] = [*self.more_blocks(row, who), *self.blocks(row, who), told]  # gathered once for both
        extra |= {"full": full, "reveal_url": reverse("admin:hub_message_reveal", args=[row.pk])}
        return super().page(request, row, extra)


def stuck(who: Viewer) -> QuerySet[Any]:
    """Messages that wait for a person: stopped, blocked behind one, or held by a case."""
    return who.scope(Message.objects.filter(status__in=UNSETTLED), "endpoint__facility")


navigation.register(
    navigation.Section(
        "Messages", "messages",
        (
            navigation.Link("Messages", "admin:hub_message_changelist", "hub.view_message"),
            navigation.Link("Replays", "admin:hub_replay_changelist", "hub.view_replay"),
            navigation.Link("Files", "admin:hub_inboundfile_changelist", "hub.view_inboundfile"),
        ),
        stuck, "held or stopped",
    )
)  # fmt: skip
