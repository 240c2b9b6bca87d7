"""The walk of a search: the newest messages first, through segments whose filter says "perhaps", in bounded time."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from hub import access, bulk, vault
from hub.access import Actor
from hub.models import Endpoint
from hub.search import filters, indexing

PAGE = 50
BUDGET_S = 3.0
SPANS = 20  # segments asked for at once
# Unknown key or version: such a segment is looked into. OFFSET 0 keeps each piece of a filter from being read once for
# every bit of it; PostgreSQL reads on only until there are enough.
CANDIDATES = """
SELECT id, high FROM (
    SELECT s.id, s.high, k.*{pieces} FROM hub_contentsegment s
    LEFT JOIN (VALUES {keys}) k(key_id{columns}) ON k.key_id = s.key_id AND s.version = {version}
    WHERE s.id < %(before)s AND s.high >= %(since)s AND s.id >= %(first)s ORDER BY s.id DESC OFFSET 0
) c
WHERE key_id IS NULL OR ({tests}) OR id = ANY(%(copied)s::uuid[]) ORDER BY id DESC LIMIT {spans}
"""
PIECE = ", substring(s.filter FROM (k.w{n} %% s.blocks)::int * 512 + 1 FOR 512) AS f{n}"
# An edited copy has the id after its original's, and may have come long after the segment of it was cut.
COPIED = """
SELECT DISTINCT s.id FROM hub_resubmission r CROSS JOIN LATERAL (
    SELECT id FROM hub_contentsegment WHERE id <= r.copy_id ORDER BY id DESC LIMIT 1
) s WHERE r.copy_id >= %s AND r.copy_id < %s
"""
FIRST = "SELECT id FROM hub_contentsegment WHERE id <= %s ORDER BY id DESC LIMIT 1"


class Probe(Protocol):
    """What is looked for: its tokens for the filters, and the true look at messages."""

    @property
    def tokens(self) -> Sequence[str]: ...

    def look(self, low: UUID, before: UUID, doors: list[int] | None) -> tuple[list[UUID], UUID | None]:
        """The newest messages with low <= id < before: those that match, and the last one looked at; None: all were."""
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """A page of ids, the newest first. `reached`: everything from there on was searched; None: all of it was."""

    ids: list[UUID]
    reached: UUID | None
    seconds: float
    unopened: int = 0  # messages that the search could not look into


def walk(probe: Probe, *, since: UUID, before: UUID, by: Actor, size: int = PAGE, budget_s: float = BUDGET_S) -> Found:
    """Up to `size` matching messages with since <= id < before, of the actor's facilities, in about `budget_s`.

    Go on with `before=reached`. One step is one chunk of messages, so that the time is kept to within some of them.
    """
    begun = time.monotonic()
    doors = visible(by)
    found: list[UUID] = []
    for low, end in spans(probe.tokens, since, before):
        cursor: UUID | None = min(before, end)
        while cursor is not None:
            hits, cursor = probe.look(max(low, since), cursor, doors)
            found += hits
            if len(found) >= size:
                return Found(found[:size], found[size - 1], time.monotonic() - begun)
            if time.monotonic() - begun > budget_s:
                return Found(found, cursor or low, time.monotonic() - begun)
    return Found(found, None, time.monotonic() - begun)


def spans(wanted: Sequence[str], since: UUID, before: UUID) -> Iterator[tuple[UUID, UUID]]:
    """What to look into, from an id to before one, the newest first: what is in no segment, then candidates."""
    young = UUID(int=indexing.indexed().int + 1)
    if before > young:
        yield young, before
    first = bulk.fetch(FIRST, [since])
    params: dict[str, Any] = {"since": since, "first": first[0][0] if first else since}
    params["copied"] = bulk.uuids(id_ for (id_,) in bulk.fetch(COPIED, [since, before]))
    statement = _statement(wanted, params)
    while True:
        rows = bulk.fetch(statement, {**params, "before": before})
        yield from ((low, UUID(int=high.int + 1)) for low, high in rows)
        if len(rows) < SPANS:
            return
        before = rows[-1][0]


def visible(by: Actor) -> list[int] | None:
    """The endpoints whose messages the actor sees; None for all of them."""
    granted = access.facilities(by)
    if granted is None:
        return None
    return list(Endpoint.objects.filter(facility__in=granted).values_list("pk", flat=True))


def _statement(wanted: Sequence[str], params: dict[str, Any]) -> str:
    """`CANDIDATES` for these tokens under every key of the ring."""
    rows = []
    for number, (key_id, secret) in enumerate(vault.keyring().items()):
        search_key = filters.key(secret)
        cells = [f"%(k{number})s::text"]
        params[f"k{number}"] = key_id
        for token in wanted:
            where = filters.place(token, search_key)
            for value, kind in ((where.spread, "bigint"), *((bit, "int") for bit in where.bits)):
                cells.append(f"%(p{len(params)})s::{kind}")
                params[f"p{len(params)}"] = value
        rows.append(f"({', '.join(cells)})")
    numbers = range(len(wanted))
    columns = "".join(f", w{n}, " + ", ".join(f"w{n}_{bit}" for bit in range(filters.HASHES)) for n in numbers)
    tests = " AND ".join(f"get_bit(f{n}, w{n}_{bit}) = 1" for n in numbers for bit in range(filters.HASHES))
    return CANDIDATES.format(
        keys=", ".join(rows), columns=columns, version=filters.VERSION, tests=tests, spans=SPANS,
        pieces="".join(PIECE.format(n=n) for n in numbers),
    )  # fmt: skip
