"""Late items: their list, the page of one with its journey as a strip, and the panel on the page of their case."""

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from hub import expectations, journeys, lineage, promises, shapes
from hub.admin import cases, late
from hub.admin.base import Block, EvidenceAdmin
from hub.admin.columns import Column, Filter
from hub.admin.deadlines import step_labels
from hub.models import ExceptionCase, Expectation, Overdue
from hub.routing import Journey
from hub.viewer import Viewer

SHOWN = 25


def _labels(who: Viewer | None = None) -> dict[str, str]:
    return {**step_labels(), **{rule.step: rule.name for rule in Expectation.objects.order_by("name")}}


def _facilities(who: Viewer) -> dict[str, str]:
    found = who.scope(Overdue.objects.filter(over_at=None, late_at__isnull=False))
    return {code: code for code in found.order_by("facility").values_list("facility", flat=True).distinct() if code}


def _what(row: Overdue) -> str:
    """The step, or the rule by the case that tells of it: a list of many rows asks for no rule by itself."""
    told = row.case.title.removeprefix("Late: ") if row.case else row.step
    return step_labels().get(row.step, told)


def _state(row: Overdue) -> Any:
    return shapes.pill("closed", "Came through") if row.over_at else shapes.pill("high", "Late")


@admin.register(Overdue)
class OverdueAdmin(EvidenceAdmin):
    """One thing that is late, or was."""

    intro = "What did not happen in time: what is late now, and what was."
    facility_field = "facility"
    order = ("-pk",)
    columns = (
        Column("What", _what),
        Column("Key", "key", "code"),
        Column("Facility", "facility", "short"),
        Column("Department", "department", "short"),
        Column("Waits since", "since", "time"),
        Column("Worth", "amount", "money"),
        Column("Status", _state, "status"),
    )
    filters = (
        Filter(
            "now", "Now", {"late": "Late", "over": "Came through"},
            lambda queryset, value: queryset.filter(over_at__isnull=value == "late"), default="late",
        ),
        Filter("step", "Step", _labels, lambda queryset, value: queryset.filter(step=value)),
        Filter("facility", "Facility", _facilities, lambda queryset, value: queryset.filter(facility=value)),
    )  # fmt: skip
    teaches = ("Nothing is late.", "Everything that began has come through in time, or its time is not over yet.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """What is late or was: what is only watched is nobody's business."""
        return super().get_queryset(request).filter(late_at__isnull=False).select_related("case")

    def heading(self, row: Overdue) -> str:
        """The step."""
        return _labels().get(row.step, row.step)

    def facts(self, row: Overdue, who: Viewer) -> list[tuple[str, Any]]:
        """Since when, where, what for, and the case."""
        due = _due(row)
        return [
            ("Status", _state(row)),
            ("Key", shapes.code(row.key)),
            ("Facility", row.facility or shapes.NOTHING),
            ("Department", row.department or shapes.NOTHING),
            ("Worth", shapes.money(row.amount, row.currency)),
            ("Began", shapes.stamp(row.since)),
            ("Was due", shapes.stamp(due) if due else shapes.NOTHING),
            ("Found late", shapes.stamp(row.late_at)),
            ("Came through", shapes.stamp(row.over_at)),
            ("Correlation id", shapes.code(row.correlation_id)),
            ("Case", shapes.link("admin:hub_exceptioncase_change", row.case_id, "open the case")),
            ("Delivery", _delivery(row, who)),
        ]

    def blocks(self, row: Overdue, who: Viewer) -> list[Block]:
        """The steps of the journey, and the life of the message behind it."""
        found = []
        journey = next((step.journey for step in promises.steps() if step.name == row.step), None)
        if journey is not None:
            strip = [(milestone.label, _progress(journey, row, place)) for place, milestone in _numbered(journey)]
            found.append(Block("The journey", "admin/blocks/strip.html", {"strip": strip}, journey.label))
        message = lineage.message_of(row.message_id)
        if message is not None and who.may("hub.view_message"):
            context = {"steps": lineage.of_message(message, who), "message": message}
            found.append(Block("The message behind it", "admin/blocks/timeline.html", context))
        return found


def _numbered(journey: Journey) -> list[tuple[int, Any]]:
    return list(enumerate(journey.milestones))


def _progress(journey: Journey, row: Overdue, place: int) -> tuple[str, str]:
    """Status and word of one step of a row's journey: reached, late here, or still to come."""
    here = next(at for at, milestone in _numbered(journey) if row.step == f"{journey.name}.{milestone.name}")
    if place < here or (place == here and row.over_at):
        return "done", "Reached"
    return ("high", "Late") if place == here else ("inactive", "To come")


def _due(row: Overdue) -> datetime | None:
    step = next((step for step in promises.steps() if step.name == row.step), None)
    return promises.at(promises.of(step), row.facility, row.department).due(row.since) if step else None


def _delivery(row: Overdue, who: Viewer) -> Any:
    if row.fact_id is None or not who.may("hub.view_delivery"):
        return shapes.NOTHING
    return shapes.link("admin:hub_delivery_change", row.subject_id, "look what holds it")


def members(case: ExceptionCase, who: Viewer) -> list[Block]:
    """What is late under a case, the oldest first."""
    found = who.scope(Overdue.objects.filter(case=case, over_at=None, late_at__isnull=False))
    rows = list(found.order_by("since", "pk")[: SHOWN + 1])
    url = late.address(step=str(case.data.get("step", "")), facility=case.facility)
    context = {"rows": rows[:SHOWN], "more": len(rows) > SHOWN, "url": url, "now": timezone.now()}
    return [
        Block("What is late", "admin/blocks/overdue.html", context, f"{case.data.get('late', 0):,} at the last look")
    ]


cases.register(cases.Healing(lambda case: case.code in (journeys.CODE, expectations.CODE), members))
