"""Billing's hops on a message's way: the charges it captured, and hearing that their cost is in the ledger."""

from decimal import Decimal

from django.db.models import Count, Max, Sum

from billing.models import Charge
from hub import hops, shapes
from hub.hops import Hop
from hub.lineage import address
from hub.models import Delivery
from hub.routing import registry
from hub.trail import OPEN, Trail
from hub.viewer import Viewer

CAPTURES, HEARS = "charges.dft", "charges.posted"
IN_BOOKS = frozenset({"captured", "posted", "held"})


def charged(trail: Trail, who: Viewer) -> Hop | None:
    """How many lines, what they are worth, and which of them wait: one statement through the index on message_id."""
    rows = list(
        who.scope(Charge.objects.filter(message_id=trail.message.pk))
        .values("status", "currency").order_by()
        .annotate(number=Count("pk"), money=Sum("amount"), last=Max("captured_at"))
    )  # fmt: skip
    if not rows:
        return Hop("charged", "Charges captured", "ahead", onward=True) if _awaited(trail) else None
    held = sum(row["number"] for row in rows if row["status"] == "held")
    booked = [row for row in rows if row["status"] in IN_BOOKS]
    currencies = sorted({row["currency"] for row in booked})
    money = sum((row["money"] for row in booked if row["currency"] == currencies[0]), Decimal(0)) if booked else None
    told = [
        f"{sum(row['number'] for row in rows if row['status'] == status)} {label.lower()}"
        for status, label in Charge.STATUSES.items()
        if any(row["status"] == status for row in rows)
    ]
    # Its other currencies are on the lines below; one figure never adds up two of them.
    more = f"; more in {', '.join(currencies[1:])}" if len(currencies) > 1 else ""
    waits = {case.pk: case for case in trail.cases if case.status in OPEN and held}
    return Hop(
        "charged", "Charges captured", "stuck" if held else "done",
        None if held else max(row["last"] for row in rows), f"{', '.join(told)}{more}",
        status="held" if held else "", status_label=Charge.STATUSES["held"] if held else "",
        amount=money, currency=currencies[0] if currencies else "USD", onward=bool(booked),
        cases=hops.seen_cases(waits.values(), who),
    )  # fmt: skip


def _awaited(trail: Trail) -> bool:
    """Whether charges are still to come of it: nobody has read it yet, and it is of a kind that we read them from."""
    route = registry.inbound(trail.message.endpoint.format, trail.message.kind)
    unread = trail.message.status in hops.UNREAD - {"refused"}
    return unread and route is not None and route.name == CAPTURES


def heard(trail: Trail, who: Viewer) -> Hop | None:
    """Whether billing was told what the ledger made of its charges."""
    rows = [row for row in [*trail.deliveries, *trail.heard] if row.route == HEARS]
    if not rows:
        return None
    state, at = hops.of_deliveries(rows)
    stuck = [row for row in rows if row.status in {"stopped", "blocked"}]
    return Hop(
        "heard", "Billing heard", state, at, stuck[0].problem if stuck else _told(rows),
        status=stuck[0].status if stuck else "", status_label=Delivery.STATUSES[stuck[0].status] if stuck else "",
        url=address("hub_delivery", rows[-1].pk) if who.may("hub.view_delivery") else "",
        cases=hops.seen_cases(trail.cases_about({f"delivery:{row.pk}" for row in stuck}), who),
    )  # fmt: skip


def _told(rows: list[Delivery]) -> str:
    waiting = sum(row.settled_at is None for row in rows)
    return f"{shapes.count(waiting, 'journal')} still to be heard of" if waiting else "its charges are posted"


STAGES = (
    hops.Stage(hops.APPLIED, "charged", "Charges captured", charged),
    hops.Stage(hops.TOLD, "heard", "Billing heard", heard),
)
