"""The outbox: facts leave in the transaction they tell of; reactions hear them in batches, in order per key.

Sends to partners take the same rows from here: see `hub.sending`.
"""

import zlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import structlog
from django.conf import settings
from django.utils import timezone

from hub import access, batches, bulk, cases, doorkeys, ids, queue, stops
from hub.routing import Heard, Outbound, Reaction, registry

log = structlog.get_logger(__name__)


class Published(msgspec.Struct, frozen=True):
    """A fact, and what it comes from."""

    fact: Any
    correlation_id: UUID
    message_id: UUID | None = None
    cause_id: UUID | None = None  # the fact that caused it


FACTS = (
    ("id", "uuid"), ("name", "text"), ("key", "text"), ("payload", "jsonb"), ("message_id", "uuid"),
    ("cause_id", "uuid"), ("correlation_id", "uuid"), ("published_at", "timestamptz"),
)  # fmt: skip
DELIVERIES = (
    ("id", "uuid"), ("fact_id", "uuid"), ("route", "text"), ("endpoint_id", "int8"), ("key", "text"), ("lane", "int2"),
    ("group", "text"), ("weight", "int4"), ("status", "text"), ("attempts", "int2"), ("problem_code", "text"),
    ("problem", "text"),
)  # fmt: skip


def publish(published: Iterable[Published]) -> list[UUID]:
    """Write facts, and one delivery for each listener, in the caller's transaction; rings them after the commit.

    Returns the facts' ids in order. Not idempotent by itself: the verb that publishes is.
    """
    now = timezone.now()
    facts, deliveries, rung = [], [], set()
    for item in published:
        fact, fact_id = item.fact, ids.uuid7()
        key = fact.key[:200]
        facts.append(
            (
                fact_id, fact.name, key, bulk.Encoded(fact.encode()), item.message_id, item.cause_id,
                item.correlation_id, now,
            )
        )  # fmt: skip
        for route in registry.listeners(fact.name):
            for row in _deliveries(route, fact, fact_id, key):
                deliveries.append(row)
                rung.add(None if row[3] is None else row[3])
    if facts:
        bulk.copy("hub_fact", FACTS, facts)
    if deliveries:
        bulk.copy("hub_delivery", DELIVERIES, deliveries)
    for endpoint_id in rung:
        queue.nudge("work") if endpoint_id is None else queue.nudge("send", endpoint_id)
    return [row[0] for row in facts]


def _deliveries(route: Reaction | Outbound, fact: Any, fact_id: UUID, key: str) -> list[tuple[Any, ...]]:
    hashed = zlib.crc32(key.encode())
    if isinstance(route, Reaction):
        lane = hashed % settings.LANES
        return [(ids.uuid7(), fact_id, route.name, None, key, lane, "", 1, "pending", 0, "", "")]
    group, weight = route.group(fact), route.weight(fact)
    return [
        (
            ids.uuid7(), fact_id, route.name, door.id, key, hashed % door.concurrency, group, weight, "pending",
            0, "", "",
        )
        for door in doorkeys.outbound(route.format)
        if not door.facility or door.facility == getattr(fact, "facility", "")
    ]  # fmt: skip


class Claimed(msgspec.Struct):
    """One delivery in the worker's hands."""

    id: UUID
    fact_id: UUID
    key: str
    blocked: bool
    fact: str
    correlation_id: UUID
    published_at: datetime
    payload: str
    message_id: UUID | None


CLAIM = """
SELECT d.id, d.fact_id, d.key,
       EXISTS (SELECT 1 FROM hub_stop s WHERE s.queue = %(route)s AND s.key = d.key),
       f.name, f.correlation_id, f.published_at, f.payload, f.message_id
FROM {source} JOIN hub_fact f ON f.id = d.fact_id
WHERE {where}
ORDER BY d.id
"""
WAITING = """
unnest(%(numbers)s::smallint[]) l(n) CROSS JOIN LATERAL (
    SELECT * FROM hub_delivery w
    WHERE w.route = %(route)s AND w.endpoint_id IS NULL AND w.lane = l.n AND w.status = 'pending'
    ORDER BY w.id LIMIT %(each)s
) d
"""


class Deliveries:
    """One reaction's deliveries as a queue for `hub.batches`."""

    # A scalar look at each lane's first row, as in `hub.pipeline`.
    busy = (
        "(SELECT true FROM hub_delivery d WHERE d.route = %(route)s AND d.endpoint_id IS NULL"
        " AND d.lane = c.number AND d.status = 'pending' LIMIT 1)"
    )

    def __init__(self, route: Reaction) -> None:
        self.route = route
        self.queue = route.name
        self.params = {"route": route.name}

    def claim(self, numbers: Sequence[int], limit: int) -> list[Claimed]:
        """The oldest waiting deliveries of these lanes, with their facts."""
        each = max(1, -(-limit // len(numbers)))
        statement = CLAIM.format(source=WAITING, where="true")
        rows = bulk.fetch(statement, {"numbers": list(numbers), "each": each, **self.params})
        return [Claimed(*row) for row in rows]

    def claim_again(self, ids: Sequence[UUID]) -> list[Claimed]:
        """The same deliveries once more, after a rollback."""
        statement = CLAIM.format(source="hub_delivery d", where="d.id = ANY(%(ids)s) AND d.status = 'pending'")
        return [Claimed(*row) for row in bulk.fetch(statement, {"ids": list(ids), **self.params})]

    def count_attempt(self, row: Claimed) -> int:
        """One more attempt, to be committed before the work."""
        statement = "UPDATE hub_delivery SET attempts = attempts + 1 WHERE id = %s RETURNING attempts"
        return int(bulk.fetch(statement, [row.id])[0][0])

    def do(self, rows: Sequence[Claimed]) -> None:
        """Let the route hear the facts, then mark them delivered."""
        kinds = {kind.name: kind.decode for kind in self.route.facts}
        free = [row for row in rows if not row.blocked]
        heard = [
            Heard(kinds[row.fact](row.payload), row.fact_id, row.id, row.correlation_id, row.published_at)
            for row in free
        ]
        refused = (self.route.apply(heard, by=access.SYSTEM) if heard else None) or {}
        self._mark([row.id for row in free if row.id not in refused], "delivered")
        self._mark([row.id for row in rows if row.blocked or refused.get(row.id, row) is None], "blocked")
        self._stop([(row, error) for row in free if (error := refused.get(row.id)) is not None])

    def fail(self, row: Claimed, error: Exception) -> None:
        """The culprit of a failed batch stands alone: it stops, with a case, and holds back its own key."""
        log.error("reaction_failed", delivery_id=str(row.id), route=self.route.name, exc_info=error)
        self._stop([(row, error)])

    def _stop(self, failed: Sequence[tuple[Claimed, Exception]]) -> None:
        if not failed:
            return
        told = [(row, *stops.explain(error)) for row, error in failed]
        stops.put(self.queue, [(row.key, row.id) for row, _, _ in told], timezone.now())
        bulk.run(
            "UPDATE hub_delivery d SET status = 'stopped', problem_code = w.code, problem = w.problem"
            " FROM unnest(%s::uuid[], %s::text[], %s::text[]) w(id, code, problem)"
            " WHERE d.id = w.id AND d.status = 'pending'",
            [[row.id for row, _, _ in told], [code for _, code, _ in told], [text for _, _, text in told]],
        )
        cases.open_many(
            (
                stops.case(
                    code, text, subject=f"delivery:{row.id}", what=self.route.name, owner=self.route.owner,
                    delivery_id=row.id, message_id=row.message_id,
                )
                for row, code, text in told
            ),
            by=access.SYSTEM,
        )  # fmt: skip

    def _mark(self, delivery_ids: Sequence[UUID], status: str) -> None:
        if delivery_ids:
            bulk.run(
                "UPDATE hub_delivery SET status = %s, settled_at = CASE WHEN %s = 'delivered' THEN now() END"
                " WHERE id = ANY(%s::uuid[]) AND id BETWEEN %s AND %s AND status = 'pending'",
                [status, status, bulk.uuids(delivery_ids), min(delivery_ids), max(delivery_ids)],
            )


def react(route: Reaction) -> int:
    """Take one batch of a reaction's deliveries to its end; returns how many were taken."""
    return batches.run(Deliveries(route))


def reactions() -> list[Reaction]:
    """All reactions, in the order of registration."""
    return registry.of(Reaction)


def drain() -> int:
    """React until nothing waits any more; returns how many deliveries were taken (tests, commands)."""
    total = 0
    while taken := sum(react(route) for route in reactions()):
        total += taken
    return total
