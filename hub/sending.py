"""Sending: deliveries of one endpoint are gathered into dispatches, sent outside any transaction, and settled.

    claim (commit) -> send -> settle (commit)

A dispatch's id is the partner's idempotency key and stays the same over all its tries. A send whose outcome nobody
knows is *in doubt*: it is looked up at the partner before anything is sent again.
"""

from collections.abc import Sequence
from datetime import timedelta

import structlog
from django.db import transaction
from django.utils import timezone

from hub import breakers, bulk, dispatches, lanes, ratelimits, settlement, tracing
from hub.models import Endpoint
from hub.retrying import Policy
from hub.routing import Outbound, Outcome, registry
from hub.sendcall import Call

log = structlog.get_logger(__name__)
# Deliveries that one claim may take: enough for several full calls, few enough to settle in one short transaction.
CLAIM_LIMIT = 300

# What is open on a lane comes before what waits: nothing new is sent until it is settled, and no call overtakes an
# older one that has to wait. Scalar looks at first rows: an EXISTS would be joined, and read everything that waits.
BUSY = """coalesce(
    (SELECT o.status = 'sending' OR (o.due_at <= now() AND NOT %(paused)s) FROM hub_dispatch o
        WHERE o.endpoint_id = %(endpoint)s AND o.route = %(route)s AND o.lane = c.number
        AND o.status IN ('sending', 'waiting', 'in_doubt') ORDER BY o.id LIMIT 1),
    NOT %(paused)s AND NOT %(draining)s AND (SELECT true FROM hub_delivery d WHERE d.route = %(route)s
        AND d.endpoint_id = %(endpoint)s AND d.lane = c.number AND d.status = 'pending' LIMIT 1))
"""


def queue_name(route: Outbound, endpoint: Endpoint) -> str:
    """The name of this road's lanes and stops."""
    return f"{route.name}@{endpoint.code}"


def step(route: Outbound, endpoint: Endpoint) -> int:
    """Send what is due on one lane of this road; returns how many calls were tried, 0 when nothing was due."""
    circuit = breakers.look(endpoint)
    if circuit == "open":
        return 0
    with transaction.atomic():
        lease = lanes.lease(
            queue_name(route, endpoint), busy=BUSY, share=1, heirs=route.keyed,
            route=route.name, endpoint=endpoint.pk, paused=endpoint.paused,
            draining=endpoint.draining_since is not None,
        )  # fmt: skip
        if lease is None:
            return 0
        calls = dispatches.open_calls(route, endpoint, lease.numbers[0])
        if not calls:
            calls = dispatches.gather(route, endpoint, lease.numbers[0], CLAIM_LIMIT)
        calls = _allowed(endpoint, calls, probing=circuit == "probe")
        if not calls:  # everything that waits is behind a stop, or has to wait for its turn
            lanes.release(lease)
            return 0
    _try(route, endpoint, calls)
    try:
        with bulk.lazily_durable():  # forgotten by a power cut, the calls are in doubt and looked up at the partner
            lanes.fence(lease)
            settlement.settle(route, endpoint, calls, _judge(endpoint, calls))
            lanes.release(lease)
    except lanes.LeaseLost:
        # Whoever took the lane has marked these calls in doubt and looks them up; what we know is not needed.
        log.warning("lease_lost", queue=lease.queue)
    return len(calls)


def _allowed(endpoint: Endpoint, calls: list[Call], *, probing: bool) -> list[Call]:
    """Those of the calls that may go out now: one where it probes, as many as the rate allows; the rest is deferred."""
    granted, wait_s = ratelimits.take(endpoint, min(len(calls), 1) if probing else len(calls))
    if probing and granted and not breakers.probe(endpoint):
        granted = 0
    if granted < len(calls):
        dispatches.defer(calls[granted:], wait_s)
    return calls[:granted]


def _try(route: Outbound, endpoint: Endpoint, calls: Sequence[Call]) -> None:
    """Look up what is in doubt, send the rest, in order. When the partner is away the rest waits unsent.

    So does a call with facts of a key of which an earlier one was refused: nothing overtakes what is refused.
    """
    refused: set[str] = set()
    for position, call in enumerate(calls):
        if call.status == "sending" and not refused.isdisjoint(call.keys()):
            call.outcome = Outcome("unsent", code="BEHIND", text="an earlier call of its keys was refused")
            refused |= call.keys()
            continue
        try:
            with tracing.span("call", endpoint=endpoint.code, route=route.name, dispatch=str(call.id)):
                _ask(route, endpoint, call)
        except Exception as error:
            log.error("connector_failed", dispatch_id=str(call.id), route=route.name, exc_info=error)
            call.outcome = Outcome("unknown", code="BUG", text=f"{type(error).__name__} in the connector")
        if call.outcome is not None and call.outcome.kind == "rejected":
            refused |= call.keys()
        if call.outcome is not None and call.outcome.kind in {"retryable", "unknown"}:
            for unsent in calls[position + 1 :]:
                unsent.outcome = Outcome("unsent", code=call.outcome.code, text=call.outcome.text)
            return


def _ask(route: Outbound, endpoint: Endpoint, call: Call) -> None:
    """Look it up where it is in doubt, and send it where it is known not to be there."""
    if call.status == "in_doubt":
        call.outcome = route.find(endpoint, call.id)
        if call.outcome.kind == "absent":
            call.status = "sending"
    if call.status == "sending":
        call.outcome = route.send(endpoint, call.id, call.facts)


def _judge(endpoint: Endpoint, calls: Sequence[Call]) -> breakers.Verdict:
    """What the outcomes do to the circuit, and when each call that is not settled is tried again, if it is."""
    verdict = breakers.note(endpoint, calls)
    policy = Policy(
        endpoint.retry_first_s, endpoint.retry_factor, endpoint.retry_cap_s, endpoint.retry_age_h * 3600.0
    )  # fmt: skip
    now, due = timezone.now(), None
    for call in calls:
        if call.outcome is None or call.outcome.kind in {"ok", "rejected"}:
            continue
        if due is None:  # the one that failed; what stands behind it in the lane waits with it
            due = now + timedelta(seconds=policy.delay_s(call.attempts, asked_s=call.outcome.retry_after_s))
            due = verdict.probe_at or due  # while the circuit is open, it alone decides when to try
        call.due = due
        if policy.too_old(call.created_at, due) and _known_undone(call):
            call.outcome = Outcome("given_up", code="DELIVERY_EXPIRED", text=call.outcome.text)
    return verdict


def _known_undone(call: Call) -> bool:
    """What may have been done is never given up: a look-up or a person tells, however old it is."""
    assert call.outcome is not None
    return call.outcome.kind == "retryable" or (call.outcome.kind == "unsent" and call.status != "in_doubt")


def roads(endpoint: Endpoint) -> list[Outbound]:
    """The outbound routes that this endpoint serves."""
    return [route for route in registry.of(Outbound) if route.format == endpoint.format]


def endpoints() -> list[Endpoint]:
    """All endpoints that anything is sent to."""
    formats = {route.format for route in registry.of(Outbound)}
    return list(Endpoint.objects.filter(direction="out", active=True, format__in=formats).order_by("pk"))


def drain() -> int:
    """Send until nothing is due any more; returns how many calls were tried (tests, commands)."""
    total = 0
    while tried := sum(step(route, endpoint) for endpoint in endpoints() for route in roads(endpoint)):
        total += tried
    return total


def due_endpoints() -> list[int]:
    """Endpoints that have something to send now (for the sweep)."""
    rows = bulk.fetch(
        "SELECT DISTINCT e.id FROM hub_endpoint e WHERE e.direction = 'out' AND e.active"
        " AND NOT EXISTS (SELECT 1 FROM hub_breaker b WHERE b.endpoint_id = e.id AND b.probe_at > now()) AND ("
        " EXISTS (SELECT 1 FROM hub_lane l WHERE l.queue LIKE '%%@' || e.code AND EXISTS ("
        "   SELECT 1 FROM hub_delivery d WHERE d.route = split_part(l.queue, '@', 1) AND d.endpoint_id = e.id"
        "   AND d.lane = l.number AND d.status = 'pending'))"
        " OR EXISTS (SELECT 1 FROM hub_dispatch o WHERE o.endpoint_id = e.id"
        "   AND o.status IN ('sending', 'waiting', 'in_doubt') AND o.due_at <= now())"
        " OR EXISTS (SELECT 1 FROM hub_resend r WHERE r.endpoint_id = e.id"
        "   AND r.status IN ('waiting', 'sending') AND r.due_at <= now()))"
    )
    return [endpoint_id for (endpoint_id,) in rows]
