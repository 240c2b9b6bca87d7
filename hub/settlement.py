"""Settling calls: what the partner's answers mean for dispatches, deliveries and the people who must know."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeGuard
from uuid import UUID

import structlog
from django.utils import timezone

from hub import access, breakers, bulk, cases, refusals, stops
from hub.models import Endpoint
from hub.routing import Outbound, Outcome
from hub.sendcall import Call

log = structlog.get_logger(__name__)
# Tries after which a partner that is away is worth a person's look; the hub goes on trying.
WORTH_A_CASE = 5
WRITE = """
UPDATE hub_dispatch d SET status = w.status, reference = w.reference, code = w.code, text = w.text,
    due_at = coalesce(w.due, d.due_at), attempts = greatest(d.attempts - w.uncounted, 0),
    settled_at = CASE WHEN w.status IN ('delivered', 'rejected', 'given_up') THEN now() END
FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::int[])
    w(id, status, reference, code, text, due, uncounted)
WHERE d.id = w.id AND d.settled_at IS NULL
RETURNING d.id
"""
# Whether anything else still says that the endpoint is away: its circuit, or another call that had many tries.
AWAY = """
SELECT 1 FROM hub_breaker WHERE endpoint_id = %s AND status <> 'closed' UNION ALL
SELECT 1 FROM hub_dispatch WHERE endpoint_id = %s AND status = 'waiting' AND attempts >= %s LIMIT 1
"""


def settle(route: Outbound, endpoint: Endpoint, calls: Sequence[Call], circuit: breakers.Verdict | None = None) -> None:
    """Write down the outcomes, inside the sender's transaction that owns the lane: one statement per table.

    `circuit` is what the calls did to the endpoint's circuit; None where a person tells, and not the partner.
    """
    for call in calls:
        if call.outcome is not None:
            call.outcome = _storable(call.outcome)
    calls = _write(calls)
    if final := [(call.id, FINAL[call.outcome.kind](call.outcome)) for call in calls if _is_final(call.outcome)]:
        route.settle(final, by=access.SYSTEM)
    for kind, verdict in VERDICTS.items():
        told = [call for call in calls if call.outcome is not None and call.outcome.kind == kind]
        if told:
            verdict(route, endpoint, told)
    _tell(endpoint, calls, circuit or breakers.Verdict())


def _is_final(outcome: Outcome | None) -> TypeGuard[Outcome]:
    return outcome is not None and outcome.kind in FINAL


def _storable(outcome: Outcome) -> Outcome:
    """A partner's words may hold what no text column keeps (NUL, half a surrogate pair); the road must not stop."""
    words = {name: getattr(outcome, name) for name in ("reference", "code", "text", "field")}
    kept = {
        name: word.replace("\x00", "\u2400").encode("utf-8", "backslashreplace").decode()
        for name, word in words.items()
    }
    return outcome if kept == words else replace(outcome, **kept)


def found(route: Outbound, endpoint: Endpoint, dispatch_id: UUID, outcome: Outcome) -> None:
    """A person looked it up at the partner: settle it as found, or send it again with the same key."""
    call = Call(dispatch_id, "in_doubt", 2, 0, [], (), timezone.now(), outcome, timezone.now())
    settle(route, endpoint, [call])


# What ends a call, as the domain hears it: what was given up is not there, as if it had been refused.
FINAL: dict[str, Callable[[Outcome], Outcome]] = {
    "ok": lambda outcome: outcome,
    "rejected": lambda outcome: outcome,
    "given_up": lambda outcome: replace(outcome, kind="rejected", text=f"Given up. {outcome.text}"),
}
# Outcome -> the dispatch's status. "absent" comes from a person's look-up; the sender itself sends again at once.
STATUS = {
    "ok": "delivered", "rejected": "rejected", "given_up": "given_up", "retryable": "waiting", "unknown": "in_doubt",
    "absent": "waiting",
}  # fmt: skip


def _write(calls: Sequence[Call]) -> list[Call]:
    """Those that were written: one that a person settled while it was under way keeps that end (F-E7)."""
    rows = []
    for call in calls:
        outcome = call.outcome
        assert outcome is not None
        status = STATUS.get(outcome.kind) or ("in_doubt" if call.status == "in_doubt" else "waiting")  # "unsent"
        rows.append(
            (
                call.id, status, outcome.reference[:120], outcome.code[:60], outcome.text[:2000], call.due,
                int(outcome.kind == "unsent"),
            )
        )  # fmt: skip
    written = {id_ for (id_,) in bulk.fetch(WRITE, [list(column) for column in zip(*rows, strict=True)])}
    for call in calls:
        if call.id not in written:
            log.error("settled_meanwhile", dispatch_id=str(call.id), outcome=call.outcome and call.outcome.kind)
    return [call for call in calls if call.id in written]


def _ok(route: Outbound, endpoint: Endpoint, calls: Sequence[Call]) -> None:
    bulk.run(
        "UPDATE hub_delivery SET status = 'delivered', settled_at = now()"
        " WHERE dispatch_id = ANY(%s) AND status = 'sending'",
        [[call.id for call in calls]],
    )
    _doubtless(calls, "The partner has it.")


def _doubtless(calls: Sequence[Call], found_out: str) -> None:
    doubted = [f"dispatch:{call.id}" for call in calls if call.attempts > 1]
    if doubted:
        cases.close("ERP_AMBIGUOUS", doubted, reason=found_out, by=access.SYSTEM)


def _rejected(route: Outbound, endpoint: Endpoint, calls: Sequence[Call]) -> None:
    _doubtless(calls, "The partner does not have it, and refused it.")
    refusals.settle(route, endpoint, calls)


def _given_up(route: Outbound, endpoint: Endpoint, calls: Sequence[Call]) -> None:
    """Nothing is dropped: the oldest delivery of each key stops, later ones stand behind it, and a person decides."""
    members = bulk.fetch(
        "SELECT id, key FROM hub_delivery WHERE dispatch_id = ANY(%s) AND status = 'sending' ORDER BY id",
        [[call.id for call in calls]],
    )
    oldest: dict[str, UUID] = {}
    for delivery_id, key in members:
        oldest.setdefault(key, delivery_id)
    stops.put(f"{route.name}@{endpoint.code}", list(oldest.items()), timezone.now())
    text = f"It was tried for {endpoint.retry_age_h} hours and {endpoint.name} never took it. It was not done there."
    bulk.run(
        "UPDATE hub_delivery SET status = 'stopped', problem_code = 'DELIVERY_EXPIRED', problem = %s"
        " WHERE id = ANY(%s::uuid[]) AND status = 'sending'",
        [text, bulk.uuids(oldest.values())],
    )
    bulk.run(
        "UPDATE hub_delivery SET status = 'blocked', dispatch_id = NULL WHERE dispatch_id = ANY(%s)"
        " AND status = 'sending'",
        [[call.id for call in calls]],
    )
    cases.open_many((_stale(route, endpoint, call, text) for call in calls), by=access.SYSTEM)


def _stale(route: Outbound, endpoint: Endpoint, call: Call, text: str) -> cases.NewCase:
    why = call.outcome.text if call.outcome else ""
    return cases.NewCase(
        code="DELIVERY_EXPIRED", subject=f"dispatch:{call.id}", title=f"{endpoint.name}: given up after "
        f"{endpoint.retry_age_h} hours", severity=2, owner=route.owner, partner=endpoint.partner.code,
        facility=endpoint.facility, data={"dispatch": str(call.id), "deliveries": call.deliveries},
        text=f"{text} The last try: {why}. When the partner is there, retry the call; or waive its deliveries.",
    )  # fmt: skip


def _tell(endpoint: Endpoint, calls: Sequence[Call], circuit: breakers.Verdict) -> None:
    """One case for each endpoint that does not answer; it closes by itself when the partner is back."""
    tired = [
        call for call in calls if call.outcome and call.outcome.kind == "retryable" and call.attempts >= WORTH_A_CASE
    ]
    if circuit.probe_at or tired:
        text = next(
            (call.outcome.text for call in calls if call.outcome and call.outcome.kind in breakers.FAILURES), ""
        )
        case = cases.NewCase(
            code="ERP_UNREACHABLE", subject=away(endpoint), title=f"{endpoint.name} does not answer", severity=2,
            text=f"{text}. The hub keeps trying; what waits goes out by itself when the partner is back.",
            owner="integration", partner=endpoint.partner.code, facility=endpoint.facility,
        )  # fmt: skip
        cases.open_many([case], by=access.SYSTEM)
        return
    again = any(call.attempts > 1 and call.outcome and call.outcome.kind in breakers.ANSWERS for call in calls)
    if (circuit.healed or again) and not bulk.fetch(AWAY, [endpoint.pk, endpoint.pk, WORTH_A_CASE]):
        cases.close("ERP_UNREACHABLE", [away(endpoint)], reason="The partner answers again.", by=access.SYSTEM)


def _unknown(route: Outbound, endpoint: Endpoint, calls: Sequence[Call]) -> None:
    doubted = [
        cases.NewCase(
            code="ERP_AMBIGUOUS", subject=f"dispatch:{call.id}", title=f"In doubt at {endpoint.name}", severity=2,
            text=f"{call.outcome.text if call.outcome else ''}. It was sent, and the look-up does not say whether it "
            f"was done. Look there by the key {call.id} and say here what you found.",
            owner=route.owner, partner=endpoint.partner.code, facility=endpoint.facility,
            data={"dispatch": str(call.id)},
        )
        for call in calls
        if call.attempts >= WORTH_A_CASE
    ]  # fmt: skip
    cases.open_many(doubted, by=access.SYSTEM)


def away(endpoint: Endpoint) -> str:
    """The subject of the case that says it does not answer."""
    return f"endpoint:{endpoint.code}"


VERDICTS: dict[str, Callable[[Outbound, Endpoint, Sequence[Call]], None]] = {
    "ok": _ok,
    "rejected": _rejected,
    "given_up": _given_up,
    "unknown": _unknown,
}
