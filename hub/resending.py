"""Resending: a call that was delivered goes out again under its old key, because a second person agreed to it.

    claim (commit) -> send -> record (commit)

A receiver that knows the key answers that it has it. One that promises nothing of the kind is asked first, and gets
the call only where it says that it has none. Nothing in our books moves: the answer is evidence of the replay.
"""

from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from hub import access, breakers, bulk, cases, dispatches, queue, ratelimits
from hub.models import Endpoint
from hub.retrying import Policy
from hub.routing import Outbound, Outcome, registry
from hub.sendcall import Call

log = structlog.get_logger(__name__)
DUE = """
SELECT 1 FROM hub_resend WHERE endpoint_id = %s AND status IN ('waiting', 'sending') AND due_at <= now() LIMIT 1
"""
# One after the other: what a person wants again takes no more of a partner than one call at once. A paused replay's
# calls wait, and so do those to an endpoint that is drained, unless they were begun before.
CLAIM = """
UPDATE hub_resend SET status = 'sending', attempts = attempts + 1,
    due_at = clock_timestamp() + make_interval(secs => %(lease_s)s)
WHERE id = (
    SELECT r.id FROM hub_resend r JOIN hub_replay p ON p.id = r.replay_id JOIN hub_endpoint e ON e.id = r.endpoint_id
    WHERE r.endpoint_id = %(endpoint)s AND r.status IN ('waiting', 'sending') AND r.due_at <= clock_timestamp()
    AND NOT e.paused
    AND (r.status = 'sending' OR r.attempts > 0 OR ('running' = p.status AND e.draining_since IS NULL))
    AND NOT EXISTS (SELECT 1 FROM hub_resend o WHERE o.endpoint_id = r.endpoint_id AND o.status = 'sending'
        AND o.due_at > clock_timestamp())
    ORDER BY r.id LIMIT 1 FOR UPDATE OF r SKIP LOCKED)
RETURNING id, replay_id, dispatch_id, route, before, attempts, created_at
"""
RECORD = """
UPDATE hub_resend SET status = %(status)s, due_at = coalesce(%(due)s, due_at), settled_at = %(settled)s,
    reference = %(reference)s, text = %(text)s
WHERE id = %(id)s AND attempts = %(attempts)s AND status = 'sending'
"""


class Claimed(NamedTuple):
    """One call in this sender's hands."""

    id: UUID
    replay_id: int
    dispatch_id: UUID
    route: str
    before: str
    attempts: int
    created_at: datetime


def step(endpoint: Endpoint) -> int:
    """Send again what is due at this endpoint, one call; returns how many were tried."""
    if not bulk.fetch(DUE, [endpoint.pk]):
        return 0
    circuit = breakers.look(endpoint)
    if circuit == "open":
        return 0
    with transaction.atomic():
        granted, _ = ratelimits.take(endpoint, 1)
        if not granted or (circuit == "probe" and not breakers.probe(endpoint)):
            return 0
        rows = bulk.fetch(CLAIM, {"endpoint": endpoint.pk, "lease_s": settings.LEASE_S})
        if not rows:
            return 0
        claimed = Claimed(*rows[0])
        old, route = made_by(claimed.route), road(claimed.route, endpoint)
        heard = dispatches.heard(old, [claimed.dispatch_id])[claimed.dispatch_id] if old else []
    call = Call(
        claimed.dispatch_id, "sending", claimed.attempts, len(heard), [one.fact for one in heard], tuple(heard),
        claimed.created_at,
    )  # fmt: skip
    call.outcome = _ask(route, endpoint, call)
    with transaction.atomic():
        _record(route, endpoint, claimed, call)
    return 1


def made_by(name: str) -> Outbound | None:
    """The route that made a call; None where its app is not installed any more."""
    found = registry.routes.get(name)
    return found if isinstance(found, Outbound) else None


def road(name: str, endpoint: Endpoint) -> Outbound | None:
    """The route by which this endpoint gets what `name` brought: its own format's route for the same fact."""
    old = made_by(name)
    same = [one for one in registry.of(Outbound) if old and one.fact is old.fact and one.format == endpoint.format]
    return same[0] if same else None


def _ask(route: Outbound | None, endpoint: Endpoint, call: Call) -> Outcome:
    if route is None or not call.facts:
        return Outcome(
            "rejected", code="GONE", text="what was sent is not stored any more, or nothing speaks its format"
        )
    try:
        if not route.keyed or call.attempts > 1:
            found: Outcome = route.find(endpoint, call.id)
            if found.kind != "absent":
                return found
        return route.send(endpoint, call.id, call.facts)
    except Exception as error:
        log.error("connector_failed", dispatch_id=str(call.id), route=route.name, exc_info=error)
        return Outcome("unknown", code="BUG", text=f"{type(error).__name__} in the connector")


def _record(route: Outbound | None, endpoint: Endpoint, claimed: Claimed, call: Call) -> None:
    outcome = call.outcome
    assert outcome is not None
    verdict = breakers.note(endpoint, [call])
    now = timezone.now()
    status, due, text = "done", None, f"{endpoint.name} has it, as {outcome.reference}."
    if outcome.kind == "rejected":
        status, text = "failed", f"{endpoint.name} refused it: {outcome.text or outcome.code}"
    elif outcome.kind != "ok":
        policy = Policy(
            endpoint.retry_first_s, endpoint.retry_factor, endpoint.retry_cap_s, endpoint.retry_age_h * 3600.0
        )
        due = now + timedelta(seconds=policy.delay_s(claimed.attempts, asked_s=outcome.retry_after_s))
        due = max(due, verdict.probe_at or due)
        status, text = "waiting", outcome.text
        if policy.too_old(claimed.created_at, due):
            status, due, text = "failed", None, f"{endpoint.name} never answered. The last try: {outcome.text}"
    elif claimed.before and outcome.reference != claimed.before:
        text = f"{endpoint.name} has it as {outcome.reference} now; our books name {claimed.before}."
    moved = bulk.run(
        RECORD,
        {
            "id": claimed.id, "attempts": claimed.attempts, "status": status, "due": due, "text": text[:300],
            "settled": None if due else now, "reference": outcome.reference[:120],
        },
    )  # fmt: skip
    if not moved:
        log.warning("resend_lease_lost", resend_id=str(claimed.id))
        return
    if claimed.before and (status == "failed" or (status == "done" and outcome.reference != claimed.before)):
        _case(route, endpoint, claimed, text)
    if due is None:
        queue.nudge("replay")


def _case(route: Outbound | None, endpoint: Endpoint, claimed: Claimed, text: str) -> None:
    """The partner and our books say different things of a call that was delivered once: somebody has to look."""
    data: dict[str, Any] = {"dispatch": str(claimed.dispatch_id), "replay": claimed.replay_id}
    case = cases.NewCase(
        code="DELIVERY_RESEND", subject=f"dispatch:{claimed.dispatch_id}", title=f"{endpoint.name}: sent again, and "
        "not as our books have it", text=f"{text} It was delivered before. Compare their books with ours by the key "
        f"{claimed.dispatch_id}, correct the wrong side, then resolve.", owner=route.owner if route else "integration",
        severity=2, partner=endpoint.partner.code, facility=endpoint.facility, data=data,
    )  # fmt: skip
    cases.open_many([case], by=access.SYSTEM)


def drain() -> int:
    """Send again until nothing is due; returns how many calls were tried (tests, commands)."""
    total = 0
    endpoints = list(Endpoint.objects.select_related("partner").filter(direction="out", active=True).order_by("pk"))
    while tried := sum(step(endpoint) for endpoint in endpoints):
        total += tried
    return total
