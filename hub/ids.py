"""Time-ordered ids (UUIDv7, RFC 9562): rows made together lie together, and the id tells when."""

import os
import random
import threading
import time
from datetime import UTC, datetime
from uuid import UUID

_lock = threading.Lock()
_random = random.Random()  # its own: nobody who seeds the shared one makes two processes give the same ids
os.register_at_fork(after_in_child=_random.seed)
_last_ms = 0
_sequence = 0


def uuid7() -> UUID:
    """A new id: 48 bits of milliseconds, then a 12-bit sequence that keeps one process's ids in order, then 62 random bits."""
    global _last_ms, _sequence
    with _lock:
        now = time.time_ns() // 1_000_000
        if now > _last_ms:
            _last_ms, _sequence = now, 0
        else:
            _sequence += 1
            if _sequence > 0xFFF:  # more than 4,096 in a millisecond, or a clock set back: borrow the next one
                _last_ms, _sequence = _last_ms + 1, 0
        ms, sequence = _last_ms, _sequence
    tail = _random.getrandbits(62)  # ids are no secrets; seeded from the operating system, anew after a fork
    return UUID(int=(ms << 80) | (0x7 << 76) | (sequence << 64) | (0x2 << 62) | tail)


def moment(id_: UUID) -> datetime:
    """When the id was made, in UTC, to the millisecond."""
    return datetime.fromtimestamp((id_.int >> 80) / 1000, UTC)


def floor(when: datetime) -> UUID:
    """Not above any id of that millisecond: `id >= floor(t)` reads "made since t" and uses the primary key."""
    return UUID(int=int(when.timestamp() * 1000) << 80)
