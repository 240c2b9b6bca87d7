"""Dispatches: which deliveries share a call, made and found again in the sender's claiming transaction."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.utils import timezone

from hub import access, bulk, ids
from hub.models import Dispatch, Endpoint
from hub.routing import Heard, Outbound
from hub.sendcall import Call

WAITING = """
SELECT d.id, d.key, d."group", d.weight,
       EXISTS (SELECT 1 FROM hub_stop s WHERE s.queue = %s AND s.key = d.key)
FROM hub_delivery d
WHERE d.route = %s AND d.endpoint_id = %s AND d.lane = %s AND d.status = 'pending'
ORDER BY d.id LIMIT %s
"""


def gather(route: Outbound, endpoint: Endpoint, lane: int, limit: int) -> list[Call]:
    """Make dispatches of what waits: facts of one group share a call up to the route's limit. [] if all is blocked."""
    rows = bulk.fetch(WAITING, [f"{route.name}@{endpoint.code}", route.name, endpoint.pk, lane, limit])
    blocked = [row[0] for row in rows if row[4]]
    if blocked:
        bulk.run("UPDATE hub_delivery SET status = 'blocked' WHERE id = ANY(%s) AND status = 'pending'", [blocked])
    bundles = bundle([(row[0], row[2], row[3]) for row in rows if not row[4]], route.limit)
    return [make(route, endpoint, lane, bundled) for bundled in bundles]


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


def make(route: Outbound, endpoint: Endpoint, lane: int, deliveries: Sequence[UUID]) -> Call:
    """Write one dispatch for these deliveries and let the domain record it; the caller's transaction commits it."""
    dispatch = Dispatch(
        id=ids.uuid7(), route=route.name, endpoint=endpoint, lane=lane, status="sending", deliveries=len(deliveries),
        weight=0, attempts=1, due_at=timezone.now(), created_at=timezone.now(),
    )  # fmt: skip
    bulk.run(
        "UPDATE hub_delivery SET status = 'sending', dispatch_id = %s, attempts = attempts + 1"
        " WHERE id = ANY(%s) AND id BETWEEN %s AND %s AND status IN ('pending', 'sending')",
        [dispatch.pk, list(deliveries), min(deliveries), max(deliveries)],
    )
    heard = _heard(route, [dispatch.pk])[dispatch.pk]
    dispatch.weight = sum(route.weight(one.fact) for one in heard)
    dispatch.save(force_insert=True)
    route.assemble(dispatch, heard, by=access.SYSTEM)
    return Call(dispatch.pk, "sending", 1, len(heard), [one.fact for one in heard])


def open_calls(route: Outbound, endpoint: Endpoint, lane: int) -> list[Call]:
    """Dispatches of the lane that are not settled, oldest first; those whose sender died are in doubt now."""
    bulk.run(
        "UPDATE hub_dispatch SET status = 'in_doubt', due_at = now() WHERE endpoint_id = %s AND route = %s"
        " AND lane = %s AND status = 'sending'",
        [endpoint.pk, route.name, lane],
    )
    rows = bulk.fetch(
        "UPDATE hub_dispatch SET status = CASE status WHEN 'waiting' THEN 'sending' ELSE status END,"
        " attempts = attempts + 1 WHERE endpoint_id = %s AND route = %s AND lane = %s"
        " AND status IN ('waiting', 'in_doubt') AND due_at <= now() RETURNING id, status, attempts, deliveries",
        [endpoint.pk, route.name, lane],
    )
    heard = _heard(route, [row[0] for row in rows])
    return [
        Call(id_, status, attempts, deliveries, [one.fact for one in heard[id_]])
        for id_, status, attempts, deliveries in sorted(rows)
    ]


def _heard(route: Outbound, dispatch_ids: Sequence[UUID]) -> dict[UUID, list[Heard]]:
    rows: list[Any] = bulk.fetch(
        "SELECT d.dispatch_id, d.id, d.fact_id, f.correlation_id, f.published_at, f.payload FROM hub_delivery d"
        " JOIN hub_fact f ON f.id = d.fact_id WHERE d.dispatch_id = ANY(%s) ORDER BY d.id",
        [list(dispatch_ids)],
    )
    heard: dict[UUID, list[Heard]] = defaultdict(list)
    for dispatch_id, id_, fact_id, correlation_id, published_at, payload in rows:
        heard[dispatch_id].append(Heard(route.fact.decode(bulk.unjson(payload)), fact_id, id_, correlation_id, published_at))
    return heard
