"""January 2024 with its partitions, and messages of it by the thousand."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

import pytest

from hub import bodies, ids, partitions
from hub.models import Message
from hub.search import indexing
from tests.hub.api import rows
from tests.world import dft, ft1

JANUARY = datetime(2024, 1, 1, tzinfo=UTC)
Store = Callable[..., list[UUID]]


@pytest.fixture
def store(db: None) -> Store:
    """Store so many messages, a second apart, sealed."""
    for table in partitions.TABLES:
        for month in (JANUARY, datetime(2024, 2, 1, tzinfo=UTC)):
            partitions.ensure_one(table, month)

    def made(count: int, start: datetime = JANUARY, facility: str = "RIVER") -> list[UUID]:
        door = rows.endpoint(facility)
        moments = [start + timedelta(seconds=number) for number in range(count)]
        named = [UUID(int=ids.floor(at).int | ids.uuid7().int & (1 << 76) - 1) for at in moments]
        raws = [one(number) for number in range(count)]
        Message.objects.bulk_create(
            Message(
                id=id_, endpoint=door, received_at=at, sender="CAREBILL|X", control_id=f"C{number}", kind="DFT^P03",
                key=f"A{number}", lane=0, status="applied", attempts=0, correlation_id=id_, raw=stored, parts=1,
                sha256=sha256(raw).digest(), settled_at=at,
            )
            for number, (id_, at, raw, stored) in enumerate(
                zip(named, moments, raws, bodies.seal([*zip(named, raws, strict=True)]), strict=True)
            )
        )  # fmt: skip
        return named

    return made


def one(number: int) -> bytes:
    """A message whose account and transaction are its own."""
    return dft(f"C{number}", f"A{number}", ft1(f"T{number}", "STENT", "1", "1"))


def cut_all() -> list[int]:
    """Run the indexer until it has nothing to do; the sizes of what it cut."""
    sizes = []
    while size := indexing.step():
        sizes.append(size)
    return sizes
