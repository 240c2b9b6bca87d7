"""The reconciliation page: every line and every unit of money that came in, by day, interface and facility."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_date

from billing import reconciliation
from billing.models import Charge
from billing.reconciliation import FIGURES, Balance
from hub.errors import Transient
from hub.models import Endpoint, Message
from hub.viewer import Viewer, viewer

PERMISSION = "billing.view_charge"
SPANS = {"today": ("Today", 0), "3d": ("3 days", 2), "7d": ("7 days", 6)}
USUAL = "7d"
MEANINGS = {
    "posted": "in the ERP's ledger", "reversed": "credits in the ERP's ledger", "in_flight": "on the way to the ledger",
    "held": "waits, with a case", "rejected": "no charge", "duplicate": "came before", "waived": "let go by a person",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Days:
    """Which days are shown."""

    first: date
    last: date
    chosen: str  # one of SPANS, or "" where one day was named

    @property
    def chips(self) -> list[tuple[str, str, bool]]:
        """Address, label and whether it is this one."""
        return [(f"?span={name}", label, name == self.chosen) for name, (label, _) in SPANS.items()]


def show(request: HttpRequest) -> HttpResponse:
    """All balances of the days that are asked for, of the viewer's facilities."""
    who, days = _viewer(request), _days(request)
    doors = {door.pk: door for door in Endpoint.objects.filter(direction="in").select_related("partner")}
    try:
        with reconciliation.bounded():
            found = reconciliation.balances(days.first, days.last, facilities=who.facilities)
            arrived = reconciliation.messages(days.first, days.last)
    except (OperationalError, Transient):
        return _page(request, {"days": days, "too_much": True})
    seen = {pk for pk, door in doors.items() if who.facilities is None or door.facility in who.facilities}
    context = {
        "days": days,
        "books": _books(found, doors),
        "wrong": sum(not one.balanced for one in found),
        "figures": [(name, label, MEANINGS[name]) for name, label in FIGURES.items()],
        "statuses": Message.STATUSES,
        "arrivals": [
            (day, doors[pk], sum(counts.values()), _counts(pk, counts))
            for (pk, day), counts in sorted(arrived.items(), key=lambda item: (-item[0][1].toordinal(), item[0][0]))
            if pk in seen
        ],
    }
    return _page(request, context)


def lines(request: HttpRequest) -> HttpResponse:
    """The newest lines behind one figure."""
    who, asked = _viewer(request), request.GET
    day, figure = parsed(asked.get("day", "")), asked.get("figure", "")
    door = Endpoint.objects.filter(code=asked.get("interface", "")).first()
    facility, currency = asked.get("facility", ""), asked.get("currency", "")
    hidden = who.facilities is not None and facility not in who.facilities
    if door is None or day is None or hidden or figure not in {*FIGURES, "difference"}:
        raise Http404
    charge_ids = reconciliation.charge_ids((door.pk, facility, day, currency), figure)
    found = list(Charge.objects.filter(pk__in=charge_ids).order_by("-pk"))
    context = {
        **admin.site.each_context(request),
        "title": f"{FIGURES.get(figure, 'Difference')} on {day:%Y-%m-%d}",
        "subtitle": " · ".join(filter(None, (door.name, facility, currency))),
        "list_url": f"{reverse('admin:reconciliation')}?day={day}",
        "list_name": "Reconciliation",
        "shown": {"charges": found},
        "cut": len(found) >= reconciliation.LINES_SHOWN,
        "difference": figure == "difference",
    }
    return TemplateResponse(request, "admin/billing/reconciliation_lines.html", context)


def parsed(text: str) -> date | None:
    """A day written 2026-11-22, or None."""
    try:
        return parse_date(text)
    except ValueError:
        return None


def _viewer(request: HttpRequest) -> Viewer:
    who = viewer(request)
    if not who.may(PERMISSION):
        raise PermissionDenied
    return who


def _days(request: HttpRequest) -> Days:
    today = timezone.localdate()
    named = parsed(request.GET.get("day", ""))
    if named is not None and date(2000, 1, 1) <= named <= today:
        return Days(named, named, "")
    chosen = request.GET.get("span", "")
    chosen = chosen if chosen in SPANS else USUAL
    return Days(today - timedelta(days=SPANS[chosen][1]), today, chosen)


def _page(request: HttpRequest, context: Mapping[str, Any]) -> HttpResponse:
    told = {
        **admin.site.each_context(request),
        "title": "Reconciliation",
        "subtitle": "Every line and all money that came in, and where it is now. The difference is zero, always.",
        "patience_s": reconciliation.PATIENCE_S,
        "today": timezone.localdate(),
        **context,
    }
    return TemplateResponse(request, "admin/billing/reconciliation.html", told)


def _books(found: Iterable[Balance], doors: Mapping[int, Endpoint]) -> list[dict[str, Any]]:
    """The balances by currency, each with its sums."""
    by_currency: dict[str, list[Balance]] = {}
    for one in found:
        by_currency.setdefault(one.currency, []).append(one)
    return [
        {
            "currency": currency,
            "rows": [_row(one, doors[one.endpoint_id]) for one in rows],
            "lines_in": sum(one.lines_in for one in rows),
            "money_in": sum((one.money_in for one in rows), Decimal(0)),
            "sums": [(FIGURES[name], sum((one.money[name] for one in rows), Decimal(0))) for name in FIGURES],
            "missing": sum(one.lines_missing for one in rows),
            "difference": sum((one.difference for one in rows), Decimal(0)),
        }
        for currency, rows in sorted(by_currency.items())
    ]


def _row(one: Balance, door: Endpoint) -> dict[str, Any]:
    def behind(figure: str) -> str:
        asked = {
            "day": one.day.isoformat(), "interface": door.code, "facility": one.facility, "currency": one.currency,
            "figure": figure,
        }  # fmt: skip
        return f"{reverse('admin:reconciliation_lines')}?{urlencode(asked)}"

    return {
        "balance": one,
        "door": door,
        "cells": [(FIGURES[name], one.lines[name], one.money[name], behind(name)) for name in FIGURES],
        "behind": behind("difference"),
    }


def _counts(endpoint_id: int, counts: Mapping[str, int]) -> list[tuple[str, int, str]]:
    def listed(status: str) -> str:
        asked = {"endpoint": endpoint_id, "status": status, "when": "30d"}
        return f"{reverse('admin:hub_message_changelist')}?{urlencode(asked)}"

    return [(label, counts.get(status, 0), listed(status)) for status, label in Message.STATUSES.items()]
