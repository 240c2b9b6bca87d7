"""The loop that messages and reactions share: lease lanes, claim a batch, do it, commit once; split what fails."""

from collections.abc import Sequence
from typing import Any, Protocol
from uuid import UUID

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction

from hub import bulk, lanes, tracing
from hub.errors import Transient

log = structlog.get_logger(__name__)


class Row(Protocol):
    """What every claimed row has."""

    @property
    def id(self) -> UUID: ...


class Work(Protocol):
    """One queue's way of working. All methods run inside a transaction that owns the lanes."""

    queue: str
    busy: str  # SQL: does lane c.number have work?
    params: dict[str, Any]

    def claim(self, numbers: Sequence[int], limit: int) -> Sequence[Any]: ...
    def claim_again(self, ids: Sequence[UUID]) -> Sequence[Any]: ...
    def count_attempt(self, row: Any) -> int: ...
    def do(self, rows: Sequence[Any]) -> None: ...
    def fail(self, row: Any, error: Exception) -> None: ...


def run(work: Work, *, limit: int | None = None) -> int:
    """Take one batch of the queue to its end; returns how many rows were taken, 0 when nothing was free or waiting."""
    share = max(1, settings.LANES // settings.WORKERS)
    with bulk.lazily_durable():  # a lease that a power cut forgets is no lease; nothing was done under it
        lease = lanes.lease(work.queue, busy=work.busy, share=share, **work.params)
    if lease is None:
        return 0
    try:
        with tracing.span("batch", queue=lease.queue, lanes=len(lease.numbers)):
            return _careful(work, lease) if lease.careful else _batch(work, lease, limit or settings.BATCH_SIZE)
    except lanes.LeaseLost:
        log.warning("lease_lost", queue=lease.queue)
        return 0
    except Transient as error:
        lanes.abandon(lease)
        log.warning("batch_waits", queue=lease.queue, code=error.code)
        return 0


def _batch(work: Work, lease: lanes.Lease, limit: int) -> int:
    rows: Sequence[Any] = ()
    try:
        # A power cut that forgets this commit forgets all of it: the rows wait again and are done again, alike. What
        # leaves the house is claimed durably first (`hub.sending`), and that flushes everything before it.
        with bulk.lazily_durable():
            lanes.fence(lease)
            rows = work.claim(lease.numbers, limit)
            work.do(rows)
            lanes.release(lease, done=len(rows))
    except (lanes.LeaseLost, OperationalError, InterfaceError, Transient):
        raise
    except Exception as error:
        if not rows:
            raise
        _split(work, lease, [row.id for row in rows], error)
        lanes.abandon(lease)
    return len(rows)


def _split(work: Work, lease: lanes.Lease, ids: list[UUID], error: Exception) -> None:
    """The batch failed and was rolled back: do its halves, in order, until the culprit stands alone."""
    if len(ids) == 1:
        with transaction.atomic():
            lanes.fence(lease)
            for row in work.claim_again(ids):
                work.fail(row, error)
        return
    middle = len(ids) // 2
    for half in (ids[:middle], ids[middle:]):
        try:
            with transaction.atomic():
                lanes.fence(lease)
                work.do(work.claim_again(half))
        except (lanes.LeaseLost, OperationalError, InterfaceError, Transient):
            raise
        except Exception as again:  # noqa: BLE001  (as above)
            _split(work, lease, half, again)


def _careful(work: Work, lease: lanes.Lease) -> int:
    """After a crash: one row at a time, its attempt committed before the work, set aside when it has had enough."""
    with transaction.atomic():
        lanes.fence(lease)
        rows = work.claim(lease.numbers, 1)[:1]
        attempts = [work.count_attempt(row) for row in rows]
    if not rows:
        lanes.abandon(lease)
        return 0
    if attempts[0] > settings.MAX_ATTEMPTS:
        text = f"It was tried {attempts[0] - 1} times and its worker died each time. Look at it before it is retried."
        with transaction.atomic():
            lanes.fence(lease)
            work.fail(rows[0], Poison(text))
    else:
        _split_or_do(work, lease, rows[0].id)
    with transaction.atomic():
        lanes.release(lease, done=1)
    return 1


def _split_or_do(work: Work, lease: lanes.Lease, id_: UUID) -> None:
    try:
        with transaction.atomic():
            lanes.fence(lease)
            work.do(work.claim_again([id_]))
    except (lanes.LeaseLost, OperationalError, InterfaceError, Transient):
        raise
    except Exception as error:  # noqa: BLE001  (as above)
        _split(work, lease, [id_], error)


class Poison(Exception):
    """A row whose worker dies whenever it is tried."""
