"""Replays: plan them from a list, look at the plan, approve, watch, stop. The verbs decide; the page shows."""

from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from hub import replay, selections, shapes
from hub.admin import verbs
from hub.admin.base import Block, EvidenceAdmin
from hub.admin.columns import Column, Filter, by_field
from hub.admin.listing import Listing
from hub.admin.replayforms import PlanForm, initial
from hub.errors import HubError
from hub.models import Endpoint, Replay, ReplayItem
from hub.viewer import Viewer, viewer

ITEMS_SHOWN = 50
RESULTS = ("done", "skipped", "failed", "moving", "pending")


def _approve(row: Replay, data: dict[str, Any], by: Any) -> str:
    replay.approve(row, reason=data["reason"], by=by)
    return "Approved. Whoever may run replays can start it now."


def _reject(row: Replay, data: dict[str, Any], by: Any) -> str:
    replay.reject(row, reason=data["reason"], by=by)
    return "It will not run. The reason is kept."


def _start(row: Replay, data: dict[str, Any], by: Any) -> str:
    replay.start(row, by=by)
    return "It runs. This page follows it by itself."


def _pause(row: Replay, data: dict[str, Any], by: Any) -> str:
    replay.pause(row, reason=data["reason"], by=by)
    return "Paused: what is under way comes to its end, and nothing further is begun."


def _resume(row: Replay, data: dict[str, Any], by: Any) -> str:
    replay.resume(row, by=by)
    return "It goes on where it was."


def _cancel(row: Replay, data: dict[str, Any], by: Any) -> str:
    replay.cancel(row, reason=data["reason"], by=by)
    return "Cancelled: what was not begun stays as it is."


def _can_approve(row: Replay, by: Any) -> bool | str:
    if row.status != "waiting_approval":
        return False
    return "You planned it, so somebody else has to approve it." if row.planned_by_id == by.user.pk else True


VERBS = (
    verbs.Verb(
        "approve", "Approve…", "hub.approve_replay", _approve, _can_approve, verbs.OptionalReasonForm, "primary",
        "You have looked at the plan: what is chosen, what it is worth, where it goes.",
    ),
    verbs.Verb(
        "reject", "Reject…", "hub.approve_replay", _reject, lambda row, by: row.status == "waiting_approval",
        verbs.ReasonForm, "danger",
    ),
    verbs.Verb(
        "start", "Start", "hub.run_replay", _start, lambda row, by: row.status in ("planned", "approved"),
        tone="primary", help="Workers take it batch by batch; it can be paused and cancelled in the middle.",
    ),
    verbs.Verb("resume", "Resume", "hub.run_replay", _resume, lambda row, by: row.status == "paused", tone="primary"),
    verbs.Verb("pause", "Pause…", "hub.run_replay", _pause, verbs.moves_to("paused"), verbs.OptionalReasonForm),
    verbs.Verb(
        "cancel", "Cancel it…", "hub.run_replay", _cancel, verbs.moves_to("cancelled"), verbs.ReasonForm, "danger",
        "What was not begun stays as it is. What went through is not taken back.",
    ),
)  # fmt: skip


def worth(row: Replay) -> str:
    """The money of the plan; currencies are never added up."""
    told = [shapes.figure(Decimal(amount), currency) for currency, amount in sorted(row.worth.items())]
    return " + ".join(told) or "unknown"


def plan_link(kind: str, listing: Listing) -> str:
    """The address of the planning page with what a list shows now."""
    asked = {"of": kind, "when": listing.window, "key": listing.term, **listing.chosen}
    if asked.get("endpoint"):
        asked["endpoint"] = Endpoint.objects.values_list("code", flat=True).get(pk=int(asked["endpoint"]))
    return reverse("admin:hub_replay_plan") + "?" + urlencode({name: value for name, value in asked.items() if value})


@admin.register(Replay)
class ReplayAdmin(EvidenceAdmin):
    """One plan and how far it has come."""

    change_form_template = "admin/hub/replay.html"
    intro = "Many messages or deliveries done again: planned first, approved where it is much, one result for each."
    order = ("-pk",)
    verbs = VERBS
    teaches = (
        "No replays here.",
        "Filter the list of messages or deliveries, then press “Replay these…”: the plan shows what would happen.",
    )
    columns = (
        Column("Replay", lambda r: f"{r.pk}: {Replay.KINDS[r.kind].lower()}"),
        Column("Reason", "reason"),
        Column("Items", "count", "num"),
        Column("Worth", worth, "num"),
        Column("Planned", "planned_at", "time"),
        Column("By", lambda r: r.planned_by.get_username() if r.planned_by else "system", "short"),
        Column("Finished", "finished_at", "time"),
        Column("Status", "status", "status"),
    )
    filters = (
        Filter("status", "Status", Replay.STATUSES, by_field("status")),
        Filter("kind", "Of", Replay.KINDS, by_field("kind")),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Replays all of whose items this person may see."""
        rows = super().get_queryset(request).select_related("planned_by", "approved_by", "destination")
        return replay.visible(rows, viewer(request).actor)

    def tools(self, listing: Listing, who: Viewer) -> list[tuple[str, str]]:
        """Two ways in besides the lists."""
        url = reverse("admin:hub_replay_plan")
        return [
            (f"Replay {label.lower()}…", f"{url}?of={kind}&when=24h")
            for kind, label in Replay.KINDS.items()
            if who.may("hub.plan_replay")
        ]

    def get_urls(self) -> list[URLPattern]:
        """Planning, and how far it has come."""
        door = self.admin_site.admin_view
        return [
            path("plan/", door(self.plan_view), name="hub_replay_plan"),
            path("<path:object_id>/progress/", door(self.progress_view), name="hub_replay_progress"),
            *super().get_urls(),
        ]

    def plan_view(self, request: HttpRequest) -> HttpResponse:
        """Choose, then look at the plan; nothing moves here."""
        who = viewer(request)
        if not who.may("hub.plan_replay"):
            verbs.deny("replays.plan", Replay(), who.actor)
        kind = request.GET.get("of", "messages")
        kind = kind if kind in Replay.KINDS else "messages"
        form = PlanForm(kind, who, request.POST or None, initial=initial(request.GET, kind))
        if request.method == "POST" and form.is_valid():
            asked = form.cleaned_data
            try:
                made = replay.plan(
                    kind, form.chosen(), reason=asked["reason"], limit=asked["limit"], **form.way(), by=who.actor
                )  # fmt: skip
            except HubError as error:
                form.add_error(None, error.text)
            else:
                return HttpResponseRedirect(self._url("change", made.pk))
        context = {
            **self.admin_site.each_context(request), "title": f"Replay {Replay.KINDS[kind].lower()}", "form": form,
            "subtitle": "Choose what shall be done again. The next page shows the plan; nothing moves yet.",
            "submit": "Show the plan", "list_url": self._url("changelist"), "list_name": "Replays",
        }  # fmt: skip
        return TemplateResponse(request, "admin/hub/replay_plan.html", context)

    def progress_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """How far it has come, for the page that watches."""
        if request.method not in {"GET", "HEAD"}:
            return HttpResponseNotAllowed(["GET", "HEAD"])
        return JsonResponse(progress(self.find(request, object_id)))

    def heading(self, row: Replay) -> str:
        """Its number and kind."""
        return (
            f"Replay {row.pk}: {shapes.count(row.count, 'message' if row.kind == 'messages' else 'delivery', row.kind)}"
        )

    def under(self, row: Replay) -> str:
        """Why."""
        return row.reason

    def facts(self, row: Replay, who: Viewer) -> list[tuple[str, Any]]:
        """What was chosen, and who decided."""
        told = selections.told(row.kind, row.filters)
        return [
            *((f"Chosen by {label.lower()}", shapes.code(value)) for label, value in told),
            ("What is done", Replay.MODES[row.mode]),
            *([("To", row.destination.name)] if row.mode == "copy" and row.destination else []),
            ("At most", f"{row.limit:,}"),
            ("Planned", shapes.stamp(row.planned_at)),
            ("By", row.planned_by.get_username() if row.planned_by else "system"),
            ("Approved by", row.approved_by.get_username() if row.approved_by else _approval(row)),
            ("Started", shapes.stamp(row.started_at)),
            ("Finished", shapes.stamp(row.finished_at)),
        ]  # fmt: skip

    def blocks(self, row: Replay, who: Viewer) -> list[Block]:
        """Where items go, and the items: those that failed first."""
        legs = Block("Where they go", "admin/blocks/replay_legs.html", {"legs": row.destinations})
        page = "admin:hub_message_change" if row.kind == "messages" else "admin:hub_delivery_change"
        found: list[Any] = []
        for result in ("failed", "moving", "skipped", "done", "pending"):
            items = ReplayItem.objects.filter(replay=row, result=result).order_by("position")
            found += items[: ITEMS_SHOWN - len(found)]
        items = [(item, reverse(page, args=[item.subject_id])) for item in found]
        context = {"items": items, "more": row.count > len(items)}
        return [legs, Block("Items, failed ones first", "admin/blocks/replay_items.html", context)]

    def page(self, request: HttpRequest, row: Replay, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The page; while it runs it follows by itself."""
        state = progress(row)
        counted = replay.counts(row)
        extra = {
            "progress": state,
            "progress_url": reverse("admin:hub_replay_progress", args=[row.pk]),
            "here": request.path,
            "worth": worth(row),
            "counted": [(ReplayItem.RESULTS[name], counted[name]) for name in RESULTS],
            "failed": counted["failed"],
        }
        return super().page(request, row, {**extra, **(extra_context or {})})


def _approval(row: Replay) -> str:
    return "nobody yet" if row.needs_approval else "not needed: it is small"


def progress(row: Replay) -> dict[str, Any]:
    """How many items have their result; finished when nothing more will move by itself."""
    counted = replay.counts(row)
    done = counted["done"] + counted["skipped"] + counted["failed"]
    said = f"{done:,} of {row.count:,} have their result."
    if counted["moving"]:
        said += f" {counted['moving']:,} are under way."
    return {"done": done, "of": row.count, "said": said, "finished": row.status != "running" and not counted["moving"]}
