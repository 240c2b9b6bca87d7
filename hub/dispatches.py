"""Dispatches: which deliveries share a call, made and found again in the sender's claiming transaction."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from django.utils import timezone

from hub import access, bulk, ids
from hub.models import Endpoint
from hub.routing import Heard, Outbound
from hub.sendcall import Call

WAITING = """
SELECT d.id, d."group", d.weight,
       EXISTS (SELECT 1 FROM hub_stop s WHERE s.queue = %s AND s.key = d.key)
FROM hub_delivery d
WHERE d.route = %s AND d.endpoint_id = %s AND d.lane = %s AND d.status = 'pending'
    AND (SELECT e.draining_since IS NULL FROM hub_endpoint e WHERE e.id = %s)
ORDER BY d.id LIMIT %s
"""
HEARD = """
SELECT d.dispatch_id, d.id, d.fact_id, f.correlation_id, f.published_at, f.payload
FROM hub_delivery d JOIN hub_fact f ON f.id = d.fact_id
WHERE d.dispatch_id = ANY(%s) ORDER BY d.id
"""
CLAIM = """
UPDATE hub_delivery d SET status = 'sending', dispatch_id = w.dispatch_id, attempts = d.attempts + 1
FROM unnest(%s::uuid[], %s::uuid[]) w(id, dispatch_id)
WHERE d.id = w.id AND d.id BETWEEN %s AND %s AND d.status IN ('pending', 'sending')
RETURNING d.id, d.dispatch_id, d.fact_id
"""
REOPEN = """
UPDATE hub_dispatch o SET status = CASE o.status WHEN 'waiting' THEN 'sending' ELSE o.status END,
    attempts = o.attempts + 1
WHERE o.endpoint_id = %s AND o.route = %s AND o.lane = %s AND o.status IN ('waiting', 'in_doubt') AND o.due_at <= now()
AND NOT EXISTS (SELECT 1 FROM hub_dispatch e WHERE e.endpoint_id = o.endpoint_id AND e.route = o.route
    AND e.lane = o.lane AND e.status IN ('waiting', 'in_doubt') AND e.due_at > now() AND e.id < o.id)
RETURNING o.id, o.status, o.attempts, o.deliveries, o.created_at
"""
DEFER = """
UPDATE hub_dispatch SET status = CASE status WHEN 'sending' THEN 'waiting' ELSE status END,
    attempts = greatest(attempts - 1, 0), due_at = now() + make_interval(secs => %s)
WHERE id = ANY(%s::uuid[]) AND status IN ('sending', 'in_doubt')
"""
FACTS = "SELECT f.id, f.correlation_id, f.published_at, f.payload FROM hub_fact f WHERE f.id = ANY(%s::uuid[])"
COLUMNS = (
    ("id", "uuid"), ("route", "text"), ("endpoint_id", "int8"), ("lane", "int2"), ("status", "text"),
    ("deliveries", "int4"), ("weight", "int4"), ("attempts", "int2"), ("due_at", "timestamptz"),
    ("created_at", "timestamptz"), ("reference", "text"), ("code", "text"), ("text", "text"),
)  # fmt: skip


def gather(route: Outbound, endpoint: Endpoint, lane: int, limit: int) -> list[Call]:
    """Make dispatches of what waits: facts of one group share a call up to the route's limit.

    [] if all is blocked, or the endpoint is drained: its row decides, whatever a sender knew when it began its turn.
    """
    rows = bulk.fetch(WAITING, [f"{route.name}@{endpoint.code}", route.name, endpoint.pk, lane, endpoint.pk, limit])
    blocked = [row[0] for row in rows if row[3]]
    if blocked:
        bulk.run("UPDATE hub_delivery SET status = 'blocked' WHERE id = ANY(%s) AND status = 'pending'", [blocked])
    bundles = bundle([(row[0], row[1], row[2]) for row in rows if not row[3]], route.limit)
    return make(route, endpoint, lane, bundles)


def bundle(waiting: Sequence[tuple[UUID, str, int]], limit: int) -> list[list[UUID]]:
    """Split (id, group, weight) into bundles of one group whose weight stays within the limit, order kept.

    A single one that is heavier than the limit travels alone: the connector decides what to do with it.
    """
    full: list[list[UUID]] = []
    open_: dict[str, tuple[list[UUID], int]] = {}
    for id_, group, weight in waiting:
        members, total = open_.get(group, ([], 0))
        if members and total + weight > limit:
            members, total = [], 0
        if not members:
            full.append(members)
        members.append(id_)
        open_[group] = (members, total + weight)
    return full


def make(
    route: Outbound, endpoint: Endpoint, lane: int, bundles: Sequence[Sequence[UUID]], *, status: str = "sending"
) -> list[Call]:
    """Write one dispatch for each bundle of deliveries, and let the domain record them all; one statement per table.

    With status "waiting" they are tried at the next turn; their first try is not counted yet.
    """
    if not bundles:
        return []
    now = timezone.now()
    members = [
        (delivery_id, dispatch_id) for bundled in bundles for dispatch_id in [ids.uuid7()] for delivery_id in bundled
    ]
    delivery_ids = [delivery_id for delivery_id, _ in members]
    claimed = bulk.fetch(
        CLAIM,
        [
            bulk.uuids(delivery_ids),
            bulk.uuids(dispatch_id for _, dispatch_id in members),
            min(delivery_ids),
            max(delivery_ids),
        ],
    )
    joined = _joined(route, claimed)
    attempts = 1 if status == "sending" else 0
    calls = [
        Call(id_, status, attempts, len(members), [one.fact for one in members], tuple(members), now)
        for id_, members in sorted(joined.items())
    ]
    bulk.copy(
        "hub_dispatch",
        COLUMNS,
        [
            (
                call.id, route.name, endpoint.pk, lane, status, call.deliveries,
                sum(route.weight(fact) for fact in call.facts), attempts, now, now, "", "", "",
            )
            for call in calls
        ],
    )  # fmt: skip
    route.assemble(endpoint, [(call.id, call.heard) for call in calls], by=access.SYSTEM)
    return calls


def defer(calls: Sequence[Call], wait_s: float) -> None:
    """Let calls that were claimed and not tried wait so many seconds, in the claiming transaction."""
    bulk.run(DEFER, [wait_s, bulk.uuids(call.id for call in calls)])


def put_back(delivery_ids: Sequence[UUID]) -> None:
    """Take deliveries out of their call; they wait again, and are gathered once nothing of their lane is open."""
    bulk.run(
        "UPDATE hub_delivery SET status = 'pending', dispatch_id = NULL"
        " WHERE id = ANY(%s::uuid[]) AND status = 'sending'",
        [bulk.uuids(delivery_ids)],
    )


def _joined(route: Outbound, claimed: Sequence[tuple[UUID, UUID, UUID]]) -> dict[UUID, list[Heard]]:
    facts = {row[0]: row[1:] for row in bulk.fetch(FACTS, [bulk.uuids(fact_id for _, _, fact_id in claimed)])}
    found: dict[UUID, list[Heard]] = defaultdict(list)
    for delivery_id, dispatch_id, fact_id in sorted(claimed):
        correlation_id, published_at, payload = facts[fact_id]
        fact = route.fact.decode(payload)
        found[dispatch_id].append(Heard(fact, fact_id, delivery_id, correlation_id, published_at))
    return found


def open_calls(route: Outbound, endpoint: Endpoint, lane: int) -> list[Call]:
    """Dispatches of the lane that are due, oldest first; those whose sender died are in doubt now.

    None that stands behind an older one which is not due: what was made later does not go out before it.
    """
    bulk.run(
        "UPDATE hub_dispatch SET status = 'in_doubt', due_at = now() WHERE endpoint_id = %s AND route = %s"
        " AND lane = %s AND status = 'sending'",
        [endpoint.pk, route.name, lane],
    )
    rows = bulk.fetch(REOPEN, [endpoint.pk, route.name, lane])
    found = heard(route, [row[0] for row in rows]) if rows else {}
    return [
        Call(id_, status, attempts, deliveries, [one.fact for one in found[id_]], tuple(found[id_]), created_at)
        for id_, status, attempts, deliveries, created_at in sorted(rows)
    ]


def heard(route: Outbound, dispatch_ids: Sequence[UUID]) -> dict[UUID, list[Heard]]:
    """The facts of these calls, in their order."""
    found: dict[UUID, list[Heard]] = defaultdict(list)
    for dispatch_id, id_, fact_id, correlation_id, published_at, payload in bulk.fetch(HEARD, [list(dispatch_ids)]):
        fact = route.fact.decode(payload)
        found[dispatch_id].append(Heard(fact, fact_id, id_, correlation_id, published_at))
    return found
