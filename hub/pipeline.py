"""The pipeline: stored messages become applied ones. Start reading here.

One call of `process()` leases some lanes and takes up to 300 waiting messages of them through

    claim -> parse -> read -> translate -> apply | hold

in one transaction with one commit. What cannot be *read* stops: it becomes a case, and later messages of its own key
wait behind it. What lacks a *code* is held: only its own lines wait, each under the case of the code it lacks, and
they come back by themselves when the code gets its mapping. What fails in `apply` is found by halving the batch.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from django.utils import timezone

from hub import access, batches, bodies, bulk, cases, doorkeys, held, queue, stops
from hub.errors import Permanent, Transient
from hub.formats import hl7
from hub.routing import Inbound, Part, Source, registry
from hub.vault import VaultError

log = structlog.get_logger(__name__)
PARSERS = {"hl7v2": hl7.parse}
# A part's number is a small integer wherever it is kept.
MAX_PARTS = 32_767


@dataclass(slots=True)
class Claimed:
    """One message in the worker's hands, and what becomes of it."""

    id: UUID
    endpoint_id: int
    kind: str
    key: str
    correlation_id: UUID
    received_at: datetime
    raw: bytes  # as it is stored: sealed
    blocked: bool
    route: Inbound | None = None
    parts: list[Part] = field(default_factory=list)
    count: int = 0
    notes: Sequence[str] = ()
    status: str = "applied"
    problem: tuple[str, str] = ("", "")


CLAIM = """
SELECT m.id, m.endpoint_id, m.kind, m.key, m.correlation_id, m.received_at, m.raw,
       EXISTS (SELECT 1 FROM hub_stop s JOIN hub_endpoint e ON s.queue = 'in:' || e.code
               WHERE e.id = m.endpoint_id AND s.key = m.key)
FROM {source}
ORDER BY m.id
"""
WAITING = """
unnest(%(numbers)s::smallint[]) l(n) CROSS JOIN LATERAL (
    SELECT * FROM hub_message w
    WHERE w.lane = l.n AND w.status = 'received' AND NOT w.endpoint_id = ANY(%(paused)s)
    ORDER BY w.id LIMIT %(each)s
) m
"""

# `notes` are added to the door's own, once: a message that is read again tolerates the same things again.
WRITE_DOWN = """
UPDATE hub_message SET status = %s, parts = %s,
    notes = CASE WHEN notes @> %s::jsonb THEN notes ELSE notes || %s::jsonb END,
    problem_code = %s, problem = %s,
    settled_at = %s
WHERE id BETWEEN %s AND %s AND id = ANY(%s::uuid[]) AND status = 'received'
"""


class Messages:
    """The inbox as a queue for `hub.batches`."""

    queue = "inbox"
    # A scalar look at each lane's first row. EXISTS would be joined, and read the whole backlog for every batch.
    busy = (
        "(SELECT true FROM hub_message m WHERE m.lane = c.number AND m.status = 'received'"
        " AND NOT m.endpoint_id = ANY(%(paused)s) LIMIT 1)"
    )

    def __init__(self) -> None:
        self.doors = doorkeys.inbound()
        self.params = {"paused": [door.id for door in self.doors.values() if door.paused]}

    def claim(self, numbers: Sequence[int], limit: int) -> list[Claimed]:
        """The oldest waiting messages of these lanes, about the same number from each."""
        each = max(1, -(-limit // len(numbers)))
        return self._claimed(WAITING, {"numbers": list(numbers), "each": each, **self.params})

    def claim_again(self, ids: Sequence[UUID]) -> list[Claimed]:
        """The same messages once more, after a rollback."""
        source = "hub_message m WHERE m.id = ANY(%(ids)s) AND m.status = 'received'"
        return self._claimed(source, {"ids": list(ids)})

    def _claimed(self, source: str, params: dict[str, Any]) -> list[Claimed]:
        rows = [Claimed(*row) for row in bulk.fetch(CLAIM.format(source=source), params)]
        if any(row.endpoint_id not in self.doors for row in rows):  # a door that was opened a moment ago
            doorkeys.forget()
            self.doors = doorkeys.inbound()
        return rows

    def count_attempt(self, row: Claimed) -> int:
        """One more attempt, to be committed before the work."""
        statement = "UPDATE hub_message SET attempts = attempts + 1 WHERE id = %s RETURNING attempts"
        return int(bulk.fetch(statement, [row.id])[0][0])

    def do(self, rows: Sequence[Claimed]) -> None:
        """Read, translate, apply and hold; then write down what became of each message."""
        now = timezone.now()
        resumed = held.parts_of([row.id for row in rows])
        stopped_keys: set[tuple[int, str]] = set()
        for row in rows:
            self._read(row, resumed.get(row.id), stopped_keys)
        for route, parts in self._by_route(rows).items():
            route.translate(parts)
            ready = [part for part in parts if not part.missing]
            lacking = [part for part in parts if part.missing]
            if ready:
                route.apply(ready, by=access.SYSTEM)
            if lacking and route.hold is not None:
                route.hold(lacking, by=access.SYSTEM)
        held.settle(rows, resumed, now)
        self._write_down(rows, now)

    def fail(self, row: Claimed, error: Exception) -> None:
        """The culprit of a failed batch stands alone: it stops, with a case."""
        log.error("message_failed", message_id=str(row.id), exc_info=error)
        row.status, row.problem = "stopped", stops.explain(error)
        self._write_down([row], timezone.now())

    def _read(self, row: Claimed, only: set[int] | None, stopped: set[tuple[int, str]]) -> None:
        if row.blocked or (row.endpoint_id, row.key) in stopped:
            row.status = "blocked"
            return
        door = self.doors[row.endpoint_id]
        try:
            row.route = registry.inbound(door.format, row.kind)
            if row.route is None:
                raise Permanent("IF_ROUTE", f"Nothing here reads {row.kind} any more.")
            read = row.route.read(PARSERS[door.format](_open(row)), door.settings)
            if len(read.documents) > MAX_PARTS:
                text = f"It holds {len(read.documents)} documents, one message at most {MAX_PARTS}: send it in several."
                raise Permanent("IF_PARTS", text)
        except Transient:
            raise
        except Exception as error:
            if not isinstance(error, Permanent):
                log.error("read_failed", message_id=str(row.id), exc_info=error)
            row.status, row.problem = "stopped", stops.explain(error)
            stopped.add((row.endpoint_id, row.key))
            return
        row.count, row.notes = len(read.documents), read.notes
        row.status = "applied" if read.documents else "skipped"
        row.parts = [
            Part(
                document,
                Source(
                    row.id, number, row.endpoint_id, door.partner, row.correlation_id, row.received_at,
                    door.settings, only is not None, door.facility,
                ),
            )
            for number, document in enumerate(read.documents)
            if only is None or number in only
        ]  # fmt: skip

    def _by_route(self, rows: Sequence[Claimed]) -> dict[Inbound, list[Part]]:
        grouped: dict[str, list[Part]] = defaultdict(list)
        for row in rows:
            if row.route is not None and row.parts:
                grouped[row.route.name] += row.parts
        return {registry.routes[name]: parts for name, parts in grouped.items()}  # type: ignore[misc]

    def _write_down(self, rows: Sequence[Claimed], now: datetime) -> None:
        stopped = [row for row in rows if row.status == "stopped"]
        for row in stopped:
            stops.put(self._stop_queue(row), [(row.key, row.id)], now)
        cases.open_many(map(self._case, stopped), by=access.SYSTEM)
        alike: dict[tuple[object, ...], list[UUID]] = defaultdict(list)  # nearly always there are two or three kinds
        for row in rows:
            settled = now if row.status in {"applied", "skipped"} else None
            notes = bulk.json(row.notes)
            alike[row.status, row.count, notes, notes, *row.problem, settled].append(row.id)
        written = sum(
            bulk.run(WRITE_DOWN, [*fate, row_ids[0], row_ids[-1], bulk.uuids(row_ids)])
            for fate, row_ids in alike.items()
        )
        if written != len(rows):
            raise Permanent("IF_ORDER", f"{len(rows) - written} messages of the batch changed under the worker.")

    def _stop_queue(self, row: Claimed) -> str:
        return f"in:{self.doors[row.endpoint_id].code}"

    def _case(self, row: Claimed) -> cases.NewCase:
        door = self.doors[row.endpoint_id]
        return stops.case(
            *row.problem, subject=f"message:{row.id}", what=f"{row.kind} from {door.name}", partner=door.partner,
            facility=door.facility, message_id=row.id,
        )  # fmt: skip


def _open(row: Claimed) -> bytes:
    """Its bytes. Where the key is not in this worker's ring, nothing is wrong with the message: all of them wait."""
    try:
        return bodies.open_(row.id, row.raw)
    except VaultError as error:
        if error.code == "VAULT_KEY":
            raise Transient(error.code, error.text) from error
        raise


def process(limit: int | None = None) -> int:
    """Take one batch of messages to its end; returns how many were taken, 0 when none was waiting or free."""
    return batches.run(Messages(), limit=limit)


def drain() -> int:
    """Process until nothing waits any more; returns how many messages were taken (tests, commands)."""
    total = 0
    while taken := process():
        total += taken
    queue.ring("work")
    return total
