"""Leasing lanes: one worker at a time owns a lane, and proves it when it commits.

Two doors keep two workers apart. A lane is leased only when nobody holds it, when the lease ran out, or when the
database session of its owner is gone (a killed worker's lanes are free at once). And whoever works repeats its token
inside the working transaction (`fence`): a worker that slept through its lease finds another token and rolls back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from hub import bulk, ids

# After a crash, so many documents of the lane are taken one by one, with their attempt counted before the work: the
# one that kills its worker is found without ever knowing what the dead worker held.
CAREFUL = 75


class LeaseLost(Exception):
    """Somebody else owns the lane now; whatever was under way is rolled back and done by them."""


@dataclass(frozen=True, slots=True)
class Lease:
    """Lanes of one queue that this worker owns until it releases them."""

    queue: str
    token: UUID
    numbers: tuple[int, ...]
    careful: bool


LEASE = """
UPDATE hub_lane l
SET token = %(token)s, leased_until = clock_timestamp() + make_interval(secs => %(lease_s)s),
    backend_pid = pg_backend_pid(), backend_start = (SELECT a.backend_start
        FROM pg_stat_get_activity(pg_backend_pid()) a),
    served_at = clock_timestamp(), careful = CASE WHEN l.token IS NULL THEN l.careful ELSE %(careful)s END
FROM (
    SELECT c.id FROM hub_lane c
    WHERE c.queue = %(queue)s
      AND (c.token IS NULL OR c.leased_until < clock_timestamp()
           OR (%(heirs)s AND NOT EXISTS (SELECT 1 FROM pg_stat_get_activity(c.backend_pid) a
               WHERE a.backend_start = c.backend_start)))
      AND {busy}
    ORDER BY c.served_at NULLS FIRST, c.number
    LIMIT %(share)s
    FOR UPDATE SKIP LOCKED
) free
WHERE l.id = free.id
RETURNING l.number, l.careful
"""


def lease(queue: str, *, busy: str, share: int, heirs: bool = True, **params: object) -> Lease | None:
    """Take up to `share` free lanes of the queue that have work, or None.

    `busy` is an SQL condition on `c.number`, true or NULL. `heirs` lets a dead session's lane be taken before its
    lease runs out.
    """
    token = ids.uuid7()
    rows = bulk.fetch(
        LEASE.format(busy=busy),
        {
            "token": token, "lease_s": settings.LEASE_S, "careful": CAREFUL,
            "queue": queue, "share": share, "heirs": heirs, **params,
        },
    )  # fmt: skip
    if not rows:
        return None
    careful = any(left for _, left in rows)
    return Lease(queue, token, tuple(sorted(number for number, _ in rows)), careful)


def fence(lease: Lease) -> None:
    """Lock the lanes for this transaction; raises `LeaseLost` where they are no longer ours."""
    held = bulk.fetch(
        "SELECT number FROM hub_lane WHERE queue = %s AND number = ANY(%s) AND token = %s ORDER BY number FOR UPDATE",
        [lease.queue, list(lease.numbers), lease.token],
    )
    if len(held) != len(lease.numbers):
        raise LeaseLost


def release(lease: Lease, *, done: int = 0) -> None:
    """Give the lanes back, in the working transaction; `done` counts towards the end of the careful time."""
    bulk.run(
        "UPDATE hub_lane SET token = NULL, leased_until = NULL, backend_pid = NULL, backend_start = NULL,"
        " careful = greatest(careful - %s, 0) WHERE queue = %s AND number = ANY(%s) AND token = %s",
        [done, lease.queue, list(lease.numbers), lease.token],
    )


def abandon(lease: Lease) -> None:
    """Give the lanes back after a failure, in a transaction of its own."""
    with transaction.atomic():
        release(lease)


def ensure(queue: str, count: int) -> None:
    """Make sure that the queue has its lanes; harmless when they are there."""
    bulk.run(
        "INSERT INTO hub_lane (queue, number, careful) SELECT %s, n, 0 FROM generate_series(0, %s) n"
        " ON CONFLICT DO NOTHING",
        [queue, count - 1],
    )


def hold(queue: str, numbers: Sequence[int]) -> None:
    """Wait for whoever works on these lanes, and keep them still until this transaction ends (for staff's verbs)."""
    with connection.cursor() as cur:
        cur.execute(
            "SELECT 1 FROM hub_lane WHERE queue = %s AND number = ANY(%s) ORDER BY number FOR UPDATE",
            [queue, list(numbers)],
        )


def is_leased(queue: str, number: int) -> bool:
    """Whether somebody alive works on this lane now; the caller holds it, so that nobody begins (for staff's verbs)."""
    return bool(
        bulk.fetch(
            "SELECT 1 FROM hub_lane c WHERE c.queue = %s AND c.number = %s AND c.token IS NOT NULL"
            " AND c.leased_until > clock_timestamp() AND EXISTS (SELECT 1 FROM pg_stat_get_activity(c.backend_pid) a"
            " WHERE a.backend_start = c.backend_start)",
            [queue, number],
        )
    )
