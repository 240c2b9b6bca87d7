"""Settling a call: what the partner's answer means for its dispatch, its deliveries and the people who must know."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from django.utils import timezone

from hub import access, bulk, cases, dispatches, stops
from hub.models import Dispatch, Endpoint
from hub.routing import Outbound, Outcome
from hub.sendcall import Call

# Tries after which a partner that is away is worth a person's look; the hub goes on trying.
WORTH_A_CASE = 5


def settle(route: Outbound, endpoint: Endpoint, call: Call, *, due: datetime) -> None:
    """Write down the outcome, inside the sender's transaction that owns the lane."""
    assert call.outcome is not None
    dispatch = Dispatch.objects.get(pk=call.id)
    VERDICTS[call.outcome.kind](route, endpoint, dispatch, call.outcome, due)


def apply_lookup(route: Outbound, endpoint: Endpoint, dispatch: Dispatch, found: Outcome) -> None:
    """A person looked it up at the partner: settle it as found, or send it again with the same key."""
    if found.kind == "absent":
        Dispatch.objects.filter(pk=dispatch.pk).update(status="waiting", due_at=timezone.now())
    else:
        VERDICTS[found.kind](route, endpoint, dispatch, found, timezone.now())


def _ok(route: Outbound, endpoint: Endpoint, dispatch: Dispatch, outcome: Outcome, due: datetime) -> None:
    _write(dispatch, "delivered", outcome)
    bulk.run(
        "UPDATE hub_delivery SET status = 'delivered', settled_at = now() WHERE dispatch_id = %s AND status = 'sending'",
        [dispatch.pk],
    )
    route.settle(dispatch, outcome, by=access.SYSTEM)
    if dispatch.attempts > 1:
        cases.close("ERP_UNREACHABLE", [_away(endpoint)], reason="The partner answers again.", by=access.SYSTEM)
        cases.close("ERP_AMBIGUOUS", [f"dispatch:{dispatch.pk}"], reason="The partner has it.", by=access.SYSTEM)


def _rejected(route: Outbound, endpoint: Endpoint, dispatch: Dispatch, outcome: Outcome, due: datetime) -> None:
    """The partner took nothing of it. Many facts in the call: halve it, so that the culprit stands alone."""
    _write(dispatch, "rejected", outcome)
    route.settle(dispatch, outcome, by=access.SYSTEM)
    members = bulk.fetch(
        "SELECT d.id, d.key, f.message_id FROM hub_delivery d JOIN hub_fact f ON f.id = d.fact_id"
        " WHERE d.dispatch_id = %s AND d.status = 'sending' ORDER BY d.id",
        [dispatch.pk],
    )
    if len(members) > 1:
        middle = len(members) // 2
        for half in (members[:middle], members[middle:]):
            fresh = dispatches.make(route, endpoint, dispatch.lane, [row[0] for row in half])
            Dispatch.objects.filter(pk=fresh.id).update(status="waiting", attempts=0, due_at=timezone.now())
        return
    for delivery_id, key, message_id in members:
        _stop(route, endpoint, delivery_id, key, message_id, outcome)


def _stop(
    route: Outbound, endpoint: Endpoint, delivery_id: UUID, key: str, message_id: UUID | None, outcome: Outcome
) -> None:
    text = f"{endpoint.name} refused it: {outcome.text}" + (f" (at {outcome.field})" if outcome.field else "")
    stops.put(f"{route.name}@{endpoint.code}", [(key, delivery_id)], timezone.now())
    bulk.run(
        "UPDATE hub_delivery SET status = 'stopped', problem_code = %s, problem = %s WHERE id = %s",
        [outcome.code or "rejected", text, delivery_id],
    )
    case = cases.NewCase(
        code=route.case, subject=f"delivery:{delivery_id}", title=f"{endpoint.name} refused: {outcome.code}",
        text=f"{text}. Correct the cause, there or here, then retry the delivery.", owner=route.owner,
        partner=endpoint.partner.code, facility=endpoint.facility, delivery_id=delivery_id, message_id=message_id,
        data={"partner_code": outcome.code, "partner_text": outcome.text},
    )  # fmt: skip
    cases.open_many([case], by=access.SYSTEM)


def _retryable(route: Outbound, endpoint: Endpoint, dispatch: Dispatch, outcome: Outcome, due: datetime) -> None:
    _write(dispatch, "waiting", outcome, due)
    if dispatch.attempts >= WORTH_A_CASE:
        case = cases.NewCase(
            code="ERP_UNREACHABLE", subject=_away(endpoint), title=f"{endpoint.name} does not answer", severity=2,
            text=f"{outcome.text}. The hub keeps trying; what waits goes out by itself when the partner is back.",
            owner="integration", partner=endpoint.partner.code, facility=endpoint.facility,
        )  # fmt: skip
        cases.open_many([case], by=access.SYSTEM)


def _unknown(route: Outbound, endpoint: Endpoint, dispatch: Dispatch, outcome: Outcome, due: datetime) -> None:
    _write(dispatch, "in_doubt", outcome, due)
    if dispatch.attempts >= WORTH_A_CASE:
        case = cases.NewCase(
            code="ERP_AMBIGUOUS", subject=f"dispatch:{dispatch.pk}", title=f"In doubt at {endpoint.name}", severity=2,
            text=f"{outcome.text}. It was sent, and the look-up does not say whether it was done. Look there by the "
            f"key {dispatch.pk} and say here what you found.",
            owner=route.owner, partner=endpoint.partner.code, facility=endpoint.facility,
            data={"dispatch": str(dispatch.pk)},
        )  # fmt: skip
        cases.open_many([case], by=access.SYSTEM)


def _unsent(route: Outbound, endpoint: Endpoint, dispatch: Dispatch, outcome: Outcome, due: datetime) -> None:
    """Not tried because the one before it found the partner away: the try does not count."""
    doubtful = dispatch.status == "in_doubt"
    Dispatch.objects.filter(pk=dispatch.pk).update(
        status="in_doubt" if doubtful else "waiting", due_at=due, attempts=max(0, dispatch.attempts - 1)
    )


def _away(endpoint: Endpoint) -> str:
    return f"endpoint:{endpoint.code}"


def _write(dispatch: Dispatch, status: str, outcome: Outcome, due: datetime | None = None) -> None:
    dispatch.status = status
    dispatch.reference = outcome.reference or dispatch.reference
    dispatch.code, dispatch.text = outcome.code[:60], outcome.text[:2000]
    dispatch.settled_at = timezone.now() if status in {"delivered", "rejected"} else None
    dispatch.due_at = due or dispatch.due_at
    dispatch.save(update_fields=["status", "reference", "code", "text", "settled_at", "due_at"])


VERDICTS: dict[str, Callable[[Outbound, Endpoint, Dispatch, Outcome, datetime], None]] = {
    "ok": _ok,
    "rejected": _rejected,
    "retryable": _retryable,
    "unknown": _unknown,
    "absent": _unknown,  # only `find` says so, and the sender sends again at once
    "unsent": _unsent,
}
