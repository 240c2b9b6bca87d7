"""Rotation: rows that an older key sealed (or none, long ago) are sealed with the first one, in batches that commit."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from hub import access, audit, bodies, bulk, vault
from hub.errors import Refused
from hub.search import filters, indexing
from hub.vault import VaultError

AT_ONCE = 500
# Only the head of each row is read to tell which are stale: a run that goes on where one was broken off skips quickly.
STALE = "SELECT id, raw FROM hub_message WHERE id > %s AND substring(raw FROM 1 FOR %s) <> %s ORDER BY id LIMIT %s"
# Whatever else happens to the row meanwhile stays: only its bytes are exchanged, and only if they are still the same.
WRITE = """
UPDATE hub_message m SET raw = n.raw FROM unnest(%b::uuid[], %b::bytea[], %b::bytea[]) n(id, old, raw)
WHERE m.id = n.id AND m.raw = n.old
"""
STALE_FILTERS = "SELECT id, high FROM hub_contentsegment WHERE key_id <> %s OR version <> %s ORDER BY id LIMIT 1"


@dataclass(frozen=True, slots=True)
class Progress:
    """After a batch: rows sealed so far, the last id, and what did not open in this batch."""

    done: int
    last: UUID
    failed: list[UUID]


def messages(after: str = "") -> Iterator[Progress]:
    """Seal what the first key did not seal, after this id. Each batch is a transaction and an audit entry."""
    try:
        last = UUID(after) if after else UUID(int=0)
    except ValueError as error:
        raise Refused("VAULT_AFTER", f"{after[:60]!r} is no message id: leave --after out to begin anew.") from error
    head = bodies.head_of(vault.first()[0])
    done = 0
    while rows := bulk.fetch(STALE, [last, len(head), head, AT_ONCE]):
        last = rows[-1][0]
        opened, failed = _open(rows)
        with transaction.atomic():
            sealed = bodies.seal([(id_, raw) for id_, _, raw in opened])
            columns = [[id_ for id_, _, _ in opened], [old for _, old, _ in opened], sealed]
            done += bulk.run(WRITE, columns) if opened else 0
            audit.record("vault.rotate", by=access.SYSTEM, subject_type="hub.message", count=len(opened))
        yield Progress(done, last, failed)


def segments() -> Iterator[int]:
    """Make the search filters anew that another key or version made; yields how many so far, after each."""
    key_id, done = vault.first()[0], 0
    while rows := bulk.fetch(STALE_FILTERS, [key_id, filters.VERSION]):
        low, high = rows[0]
        with transaction.atomic():
            indexing.again(low, high)
        done += 1
        yield done


def _open(rows: list[tuple[UUID, bytes]]) -> tuple[list[tuple[UUID, bytes, bytes]], list[UUID]]:
    opened, failed = [], []
    for id_, stored in rows:
        try:
            opened.append((id_, stored, bodies.open_(id_, stored)))
        except VaultError:
            failed.append(id_)
    return opened, failed
