"""The hub's own panels of the index: cases by money, feeds and their last message, partners and their open calls."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, Max, Min, Q, Sum
from django.db.models.functions import Coalesce

from hub import dashboard, ids, shapes
from hub.access import ROLES
from hub.admin.cases import MONEY, active, with_worth
from hub.dashboard import WINDOW
from hub.models import Dispatch, Endpoint, Message
from hub.viewer import Viewer

CASES_SHOWN = 8
DAY_H = WINDOW / timedelta(hours=1)
OPEN_CALLS = ("sending", "waiting", "in_doubt")


def cases_by_money(who: Viewer, now: datetime) -> Mapping[str, Any]:
    """The open cases that are worth most, and the sums per owning role."""
    valued = with_worth(active(who).select_related("assignee"))
    found = list(valued.order_by("-worth", "opened_at")[:CASES_SHOWN])
    owners = (
        active(who).values("owner", "currency").order_by("owner", "currency")
        .annotate(
            number=Count("pk", distinct=True), oldest=Min("opened_at"),
            waits=Coalesce(Sum("waiting__amount"), Decimal(0), output_field=MONEY),
        )
    )  # fmt: skip
    rows = [{**row, "role": ROLES.get(row["owner"], row["owner"])} for row in owners]
    return {"cases": found, "owners": rows, "roles": ROLES}


@dataclass(frozen=True, slots=True)
class Feed:
    """One inbound endpoint's last day."""

    endpoint: Endpoint
    last: datetime | None
    hour: int
    per_hour: float  # the day's average, to hold the last hour against
    trouble: int
    waiting: int
    state: str
    label: str

    @property
    def error_share(self) -> str:
        """Stopped and refused ones of the day, in per cent."""
        total = self.per_hour * DAY_H
        return f"{100 * self.trouble / total:.1f} %" if total and self.trouble else "0 %"


def feeds(who: Viewer, now: datetime) -> Mapping[str, Any]:
    """Every inbound endpoint: last message, rate against its average, errors, backlog, silence."""
    day, hour = ids.floor(now - WINDOW), ids.floor(now - timedelta(hours=1))
    counted = {
        row["endpoint_id"]: row
        for row in Message.objects.filter(pk__gte=day).values("endpoint_id").order_by("endpoint_id").annotate(
            total=Count("pk"), last=Max("received_at"), hour=Count("pk", filter=Q(pk__gte=hour)),
            trouble=Count("pk", filter=Q(status__in=["stopped", "refused"])),
            waiting=Count("pk", filter=Q(status="received")),
        )
    }  # fmt: skip
    doors = who.scope(Endpoint.objects.filter(direction="in", active=True)).select_related("partner").order_by("code")
    return {"feeds": [_feed(door, counted.get(door.pk), now) for door in doors]}


def _feed(door: Endpoint, row: Mapping[str, Any] | None, now: datetime) -> Feed:
    last = row["last"] if row else None
    limit = timedelta(minutes=door.silent_after_minutes)
    if door.paused:
        state, label = "paused", "Paused"
    elif door.draining_since is not None:
        state, label = "draining", "Takes nothing new"
    elif last and (not door.silent_after_minutes or now - last < limit):
        state, label = "talking", "Talking"
    elif not door.silent_after_minutes:
        state, label = "normal", "Quiet"
    else:
        state, label = "quiet", f"Silent for {shapes.age(now - last)}" if last else "Silent for a day"
    if row is None:
        return Feed(door, None, 0, 0, 0, 0, state, label)
    return Feed(door, last, row["hour"], row["total"] / DAY_H, row["trouble"], row["waiting"], state, label)


def partners(who: Viewer, now: datetime) -> Mapping[str, Any]:
    """Every outbound endpoint: open calls, calls in doubt, the oldest, what the last day brought."""
    open_ = Q(status__in=OPEN_CALLS)
    counted = {
        row["endpoint_id"]: row
        for row in Dispatch.objects.filter(open_ | Q(pk__gte=ids.floor(now - WINDOW))).values("endpoint_id")
        .order_by("endpoint_id").annotate(
            open=Count("pk", filter=open_), doubt=Count("pk", filter=Q(status="in_doubt")),
            failing=Max("code", filter=Q(status="waiting") & ~Q(code="")),
            oldest=Min("created_at", filter=open_), last=Max("settled_at", filter=Q(status="delivered")),
            delivered=Count("pk", filter=Q(status="delivered")), rejected=Count("pk", filter=Q(status="rejected")),
        )
    }  # fmt: skip
    doors = who.scope(Endpoint.objects.filter(direction="out", active=True)).select_related("partner", "breaker")
    doors = doors.order_by("code")
    return {"partners": [(door, counted.get(door.pk), *_health(door, counted.get(door.pk))) for door in doors]}


def _health(door: Endpoint, row: Mapping[str, Any] | None) -> tuple[str, str]:
    if door.paused:
        return "paused", "Paused"
    if door.draining_since is not None:
        return "draining", "No new calls"
    circuit = getattr(door, "breaker", None)
    if circuit is not None and circuit.status != "closed":
        return f"circuit_{circuit.status}", "Circuit open" if circuit.status == "open" else "Circuit: probing"
    if row and row["doubt"]:
        return "in_doubt", "In doubt"
    if row and row["failing"]:
        return "quiet", f"Trying again: {row['failing']}"
    if row and row["open"]:
        return "sending", "Under way"
    return ("talking", "Up to date") if row else ("normal", "Nothing sent")


dashboard.register(
    dashboard.Panel(30, "Open cases by money", "admin/panels/cases.html", "hub.view_exceptioncase", cases_by_money)
)
dashboard.register(dashboard.Panel(40, "Feeds", "admin/panels/feeds.html", "hub.view_endpoint", feeds))
dashboard.register(dashboard.Panel(50, "Partners", "admin/panels/partners.html", "hub.view_endpoint", partners))
