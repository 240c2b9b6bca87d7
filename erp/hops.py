"""The ledger's hops on a message's way: the cost that was allocated, and the journal that the ERP took."""

from typing import Any
from uuid import UUID

from django.db.models import Count, Max, Sum

from erp.models import Allocation, Journal
from hub import hops, shapes
from hub.hops import Hop
from hub.lineage import address
from hub.models import Delivery, Dispatch, Fact
from hub.trail import Trail
from hub.viewer import Viewer
from mappings.canonical import CostAllocated

ALLOCATES, POSTS = "journals.allocate", "journals.post"
STUCK = ("stopped", "blocked")


def allocated(trail: Trail, who: Viewer) -> Hop | None:
    """The cost of the message's charges, split over cost centres."""
    rows = [row for row in trail.deliveries if row.route == ALLOCATES]
    if not rows:
        return None
    state, at = hops.of_deliveries(rows)
    stuck = next((row for row in rows if row.status in STUCK), None)
    cost = _cost(trail, who)
    text = stuck.problem if stuck else "nothing to post" if state == "done" and not cost["number"] else ""
    return Hop(
        "allocated", "Cost allocated", state, max(filter(None, [at, cost["last"]]), default=None) if at else None,
        text or shapes.count(cost["number"], "allocation"),
        status=stuck.status if stuck else "", status_label=Delivery.STATUSES[stuck.status] if stuck else "",
        amount=cost["money"], currency=cost["currency"], onward=state != "done" or bool(cost["number"]),
        cases=hops.seen_cases(trail.cases_about({f"delivery:{row.pk}" for row in rows}), who),
    )  # fmt: skip


def _cost(trail: Trail, who: Viewer) -> dict[str, Any]:
    """Allocations by their primary keys, which the facts about them name; money of the first currency alone."""
    told = [fact.pk for fact in trail.facts if fact.name == CostAllocated.name]
    keys = [UUID(key) for key in Fact.objects.filter(pk__in=told).values_list("payload__allocation_id", flat=True)]
    found = who.scope(Allocation.objects.filter(pk__in=keys)) if keys else Allocation.objects.none()
    by_currency: list[Any] = list(
        found.values("currency").order_by("currency")
        .annotate(number=Count("pk"), money=Sum("total"), last=Max("drafted_at"))
    )  # fmt: skip
    return by_currency[0] if by_currency else {"number": 0, "money": None, "last": None, "currency": "USD"}


def posted(trail: Trail, who: Viewer) -> Hop | None:
    """The journals that carry it, with the ERP's own references."""
    rows = [row for row in trail.deliveries if row.route == POSTS]
    if not rows:
        return None
    calls = {call.pk: call for call in trail.calls}
    journals = list(who.scope(Journal.objects.filter(pk__in=calls)).select_related("endpoint").order_by("id"))
    state, at = hops.of_deliveries(rows)
    about = {f"delivery:{row.pk}" for row in rows}
    waiting = [call for call in calls.values() if call.settled_at is None or call.status == "given_up"]
    about |= {f"dispatch:{call.pk}" for call in waiting} | {f"endpoint:{call.endpoint.code}" for call in waiting}
    found = trail.cases_about(about)
    stuck = next((row for row in rows if row.status in STUCK), None)
    references = [row.erp_reference for row in journals if row.erp_reference]
    status, label = _status(stuck, waiting)
    return Hop(
        "posted", "Journal posted", "stuck" if found else state, at, _said(stuck, waiting, rows),
        status=status, status_label=label, reference=", ".join(references[:3]),
        url=address("erp_journal", journals[-1].pk) if journals and who.may("erp.view_journal") else "",
        cases=hops.seen_cases(found, who), onward=True,
    )  # fmt: skip


def _status(stuck: Delivery | None, waiting: list[Dispatch]) -> tuple[str, str]:
    if stuck:
        return stuck.status, Delivery.STATUSES[stuck.status]
    return (waiting[0].status, Dispatch.STATUSES[waiting[0].status]) if waiting else ("", "")


def _said(stuck: Delivery | None, waiting: list[Dispatch], rows: list[Delivery]) -> str:
    """The partner's words while it is not done; who has it when it is."""
    if stuck:
        return stuck.problem or "It waits behind a stopped one of its account."
    if waiting:
        return waiting[0].text
    names = sorted({row.endpoint.name for row in rows if row.endpoint})
    return f"at {', '.join(names)}" if names else ""


STAGES = (
    hops.Stage(hops.WORKED_OUT, "allocated", "Cost allocated", allocated),
    hops.Stage(hops.SENT, "posted", "Journal posted", posted),
)
