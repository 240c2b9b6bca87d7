"""Time-ordered ids (UUIDv7, RFC 9562): rows made together lie together, and the id tells when."""

import os
import random
import threading
import time
from datetime import UTC, datetime
from uuid import UUID

_random = random.Random()  # its own: nobody who seeds the shared one makes two processes give the same ids
os.register_at_fork(after_in_child=_random.seed)


class _Ticks:
    """Milliseconds and a 12-bit count within them, in one ever growing number."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.last = 0

    def next(self) -> int:
        """The next tick: now, or one after the last (many in a millisecond, a clock set back)."""
        with self.lock:
            self.last = max((time.time_ns() // 1_000_000) << 12, self.last + 1)
            return self.last


_ticks = _Ticks()


def uuid7() -> UUID:
    """A new id: 48 bits of milliseconds, then 12 that keep one process's ids in order, then 62 random ones."""
    ticks = _ticks.next()
    tail = _random.getrandbits(62)  # ids are no secrets; seeded from the operating system, anew after a fork
    return UUID(int=((ticks >> 12) << 80) | (0x7 << 76) | ((ticks & 0xFFF) << 64) | (0x2 << 62) | tail)


def moment(id_: UUID) -> datetime:
    """When the id was made, in UTC, to the millisecond."""
    return datetime.fromtimestamp((id_.int >> 80) / 1000, UTC)


def floor(when: datetime) -> UUID:
    """Not above any id of that millisecond: `id >= floor(t)` reads "made since t" and uses the primary key."""
    return UUID(int=int(when.timestamp() * 1000) << 80)
