"""The indexer: cuts stored messages into segments, one filter each. In the background, and never in anybody's way.

A segment is about a thousand messages of contiguous ids within one month. It is cut only when nobody can come late
into it: its ids are some minutes old, and older than every transaction that is still writing. (An edited copy has an id
beside its original's; segments with such a copy are always looked into, see `hub.search.walk`.) What is not cut yet is
looked through message by message, so a search finds the same whether the indexer is behind or not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction
from django.utils import timezone

from hub import bodies, bulk, ids, partitions, vault
from hub.search import filters, tokens
from hub.vault import VaultError

log = structlog.get_logger(__name__)

MESSAGES = 1000
BYTES_MAX = 32 * 1024 * 1024  # of one segment's messages: one may have five megabytes
AT_ONCE = 100  # messages fetched at once
LATE = timedelta(minutes=3)
BUSY = 2000  # so many waiting messages mean that the workers have better things to do
LOCK = "SELECT pg_try_advisory_xact_lock(hashtext('hub.search.indexing'))"
BACKLOG = "SELECT count(*) FROM (SELECT FROM hub_message WHERE status = 'received' LIMIT %s) w"
INDEXED = "SELECT high FROM hub_contentsegment ORDER BY id DESC LIMIT 1"
WRITING = """
SELECT min(xact_start) FROM pg_stat_activity
WHERE datname = current_database() AND backend_xid IS NOT NULL AND pid <> pg_backend_pid()
"""
NEXT = """
SELECT id, raw, key, control_id, correlation_id FROM hub_message
WHERE id > %s AND id < %s ORDER BY id LIMIT %s
"""
ENOUGH = "SELECT 1 FROM hub_message WHERE id > %s AND id < %s ORDER BY id OFFSET %s LIMIT 1"
WRITE = """
INSERT INTO hub_contentsegment (id, high, count, version, key_id, blocks, filter, cut_at)
VALUES (%b, %b, %b, %b, %b, %b, %b, %b)
ON CONFLICT (id) DO UPDATE SET version = excluded.version, key_id = excluded.key_id, blocks = excluded.blocks,
    filter = excluded.filter, cut_at = excluded.cut_at
"""
NOTHING = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Cut:
    """Messages of a segment: their ids' range, how many, and what they can be found by."""

    low: UUID
    high: UUID
    count: int
    tokens: frozenset[str]


def step() -> int:
    """Cut the next segment; returns how many messages it has, 0 where there is nothing to do or others are busy.

    Raises `VaultError` VAULT_KEY where this process lacks a key.
    """
    with transaction.atomic():
        if not bulk.fetch(LOCK)[0][0] or bulk.fetch(BACKLOG, [BUSY])[0][0] >= BUSY:
            return 0
        found = _next(indexed(), settled(timezone.now()))
        if found is None:
            return 0
        partitions.ensure_one("hub_contentsegment", ids.moment(found.low))
        write(found)
        return found.count


def waiting() -> bool:
    """Whether a whole segment could be cut, or the rest of a month that is over."""
    return _ready(indexed(), settled(timezone.now()))


def indexed() -> UUID:
    """The last message that a segment has; every stored one up to it is in a segment."""
    rows = bulk.fetch(INDEXED)
    return rows[0][0] if rows else NOTHING


def settled(now: datetime) -> UUID:
    """Below this id nothing new appears any more."""
    ((writing,),) = bulk.fetch(WRITING)
    return ids.floor(min(now, writing or now) - LATE)


def write(found: Cut) -> None:
    """The segment's row, its filter under the first key of the ring. Idempotent."""
    key_id, secret = vault.first()
    made, blocks = filters.make(found.tokens, filters.key(secret))
    values = [found.low, found.high, found.count, filters.VERSION, key_id, blocks, made, timezone.now()]
    bulk.run(WRITE, values)


def again(low: UUID, high: UUID) -> None:
    """Make the filter of a segment anew, of the messages that are there; where its month is gone, so is the segment."""
    rows = fetch(UUID(int=low.int - 1), UUID(int=high.int + 1), most=10 * MESSAGES)
    if rows:
        found = read(rows)
        write(Cut(low, high, found.count, found.tokens))
    else:
        bulk.run("DELETE FROM hub_contentsegment WHERE id = %s", [low])


def read(rows: Sequence[Any]) -> Cut:
    """A cut out of rows as `NEXT` gives them."""
    found = tokens.cut(tokens.text(raw) for row in rows if (raw := _opened(row[0], row[1])) is not None)
    for _, _, key, control_id, correlation_id in rows:
        found |= {named("key", key), named("control_id", control_id), named("correlation_id", str(correlation_id))}
    return Cut(rows[0][0], rows[-1][0], len(rows), frozenset(found))


def _opened(id_: UUID, stored: bytes) -> bytes | None:
    """Its bytes; None where they do not open: nobody finds a word in them, and the others are not held up."""
    try:
        return bodies.open_(id_, stored)
    except VaultError as error:
        if error.code == "VAULT_KEY":
            raise
        log.warning("not_indexed", message_id=str(id_), code=error.code)
        return None


def named(column: str, value: str) -> str:
    """The token for a column's value, apart from all words."""
    return f"\x1f{column}\x1f{value}"


def fetch(after: UUID, before: UUID, most: int = MESSAGES) -> list[Any]:
    """Rows after an id and before another, bounded in number and bytes."""
    rows: list[Any] = []
    size = 0
    while len(rows) < most and size < BYTES_MAX:
        more = bulk.fetch(NEXT, [rows[-1][0] if rows else after, before, min(AT_ONCE, most - len(rows))])
        rows += more
        size += sum(len(row[1]) for row in more)
        if len(more) < AT_ONCE:
            break
    return rows


def _next(after: UUID, before: UUID) -> Cut | None:
    if not _ready(after, before):
        return None
    rows = fetch(after, before)
    end = month_end(rows[0][0])
    return read([row for row in rows if row[0] < end])


def _ready(after: UUID, before: UUID) -> bool:
    return bool(bulk.fetch(ENOUGH, [after, before, MESSAGES - 1])) or _rest_of_month(after, before)


def _rest_of_month(after: UUID, before: UUID) -> bool:
    first = bulk.fetch("SELECT id FROM hub_message WHERE id > %s AND id < %s ORDER BY id LIMIT 1", [after, before])
    return bool(first) and month_end(first[0][0]) <= before


def month_end(id_: UUID) -> UUID:
    """The first id of the next month."""
    return ids.floor(partitions.month_after(partitions.month_of(ids.moment(id_))))
