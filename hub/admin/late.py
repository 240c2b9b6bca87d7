"""The page of what is late: every journey with its steps as a strip, by place, and every document that did not come."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from hub import latecases, pages, promises, shapes
from hub.admin.deadlines import expected
from hub.latecases import Place
from hub.models import Expectation
from hub.promises import Promise, Step
from hub.routing import Journey, registry
from hub.viewer import Viewer, viewer

PERMISSION = "hub.view_overdue"
Late = Mapping[tuple[str, str, str], Place]  # by step, facility and scope


@dataclass(frozen=True, slots=True)
class Tile:
    """One step of the strip."""

    label: str
    promise: str
    count: int
    worth: str
    since: datetime | None
    url: str


@dataclass(frozen=True, slots=True)
class Row:
    """One place where a step is late."""

    step: str
    where: str
    place: Place
    promise: str
    url: str
    case_id: int | None


def show(request: HttpRequest) -> HttpResponse:
    """Every journey with what is late in it, and every expected document that did not come."""
    who = viewer(request)
    if not who.may(PERMISSION):
        raise PermissionDenied
    found = {key: place for key, place in latecases.places().items() if _seen(who, place.facility)}
    rules = who.scope(Expectation.objects.filter(active=True), "endpoint__facility").order_by("name")
    context = {
        **admin.site.each_context(request),
        "title": "Late",
        "subtitle": "Steps and documents that did not happen in time, by place, with what they are worth.",
        "journeys": [_journey(journey, found) for journey in registry.of(Journey)],
        "expected": [row for rule in rules for row in _rows(rule.step, rule.name, found, expected(rule))],
        "rules": rules.count(),
        "late": sum(place.count for place in found.values()),
        "may_set": who.may("hub.view_deadline"),
        "may_expect": who.may("hub.view_expectation"),
    }
    return TemplateResponse(request, "admin/hub/late.html", context)


def _seen(who: Viewer, facility: str) -> bool:
    return who.facilities is None or facility in who.facilities


def _journey(journey: Journey, found: Late) -> dict[str, Any]:
    steps = [Step(journey, milestone) for milestone in journey.milestones]
    promised = {step.name: promises.of(step) for step in steps}
    return {
        "label": journey.label,
        "tiles": [_tile(step, promised[step.name], found) for step in steps],
        "rows": [
            row
            for step in steps
            for row in _rows(step.name, step.milestone.label, found, promised[step.name])
        ],
    }  # fmt: skip


def _tile(step: Step, promised: Sequence[Promise], found: Late) -> Tile:
    late = [place for (name, _, _), place in found.items() if name == step.name]
    total = Place("", "")
    for place in late:
        for currency, amount in place.worth.items():
            total.worth[currency] = total.worth.get(currency, amount * 0) + amount
    usual = promises.at(promised, "", "").said
    own = f", {shapes.count(len(promised) - 1, 'deadline')} of your own" if len(promised) > 1 else ""
    since = min((place.since for place in late if place.since), default=None)
    count = sum(place.count for place in late)
    return Tile(step.milestone.label, f"within {usual}{own}", count, total.said, since, address(step=step.name))


def _rows(step: str, label: str, found: Late, promised: Sequence[Promise] | str) -> list[Row]:
    rows = []
    for (name, facility, scope), place in found.items():
        if name == step:
            where = " ".join(filter(None, (facility, scope))) or "every facility"
            said = promised if isinstance(promised, str) else f"within {promises.at(promised, facility, scope).said}"
            url = address(step=step, facility=facility)
            rows.append(Row(label, where, place, said, url, max(place.case_ids, default=None)))
    return rows


def address(**asked: str) -> str:
    """The list of late items, narrowed."""
    return f"{reverse('admin:hub_overdue_changelist')}?{urlencode({k: v for k, v in asked.items() if v})}"


pages.register(pages.Page("late/", "late", show))
