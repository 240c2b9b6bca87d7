"""Replaying: a worker puts a replay's items back into their queues, batch by batch, and writes down what came of it.

    the next items -> hold their lanes -> back into the queue | left as they are -> commit -> results

One worker at a time has a replay: it locks the replay's row, so that pausing and cancelling take effect at the next
batch, a killed worker's batch is rolled back as a whole, and one key's documents go back in their order.
"""

from typing import Protocol

from django.db import transaction
from django.utils import timezone

from hub import access, audit, bulk, queue
from hub.models import Replay
from hub.models.states import advance
from hub.replayed_calls import Calls
from hub.replayed_deliveries import Deliveries
from hub.replayed_messages import Messages
from hub.replayitems import Batch

BATCH = 200
# So many items may be under way at once: what comes in by the doors is not pushed back behind a long replay.
UNDER_WAY = 1000


class Kind(Protocol):
    """How one kind of item goes back into its queue, and how it is seen that it came through."""

    def put_back(self, batch: Batch) -> None: ...
    def settle(self, replay_id: int) -> int: ...


KINDS: dict[tuple[str, str], Kind] = {
    ("messages", "again"): Messages(),
    ("deliveries", "again"): Deliveries(),
    ("deliveries", "resend"): Calls(),
    ("deliveries", "copy"): Calls(),
}
# Those that run, and those that ended while something of theirs was under way.
OPEN = """
SELECT id FROM hub_replay WHERE status = 'running'
UNION SELECT replay_id FROM hub_replayitem WHERE result = 'moving' ORDER BY 1
"""
UNDER_WAY_NOW = "SELECT count(*) FROM hub_replayitem WHERE replay_id = %s AND result = 'moving'"
NEXT = """
SELECT id, subject_id FROM hub_replayitem WHERE replay_id = %s AND result = 'pending' ORDER BY position LIMIT %s
"""


def waiting() -> bool:
    """Whether any replay has something to do (for the sweep)."""
    return bool(bulk.fetch(OPEN))


def step() -> int:
    """One batch of every replay that is open and free; returns how many items got a result or went back."""
    return sum(_step(replay_id) for (replay_id,) in bulk.fetch(OPEN))


def _step(replay_id: int) -> int:
    with transaction.atomic():
        replay = Replay.objects.select_for_update(skip_locked=True).filter(pk=replay_id).first()
        if replay is None:  # another worker has it
            return 0
        kind = KINDS[replay.kind, replay.mode]
        moved = kind.settle(replay.pk)
        if replay.status != "running":
            return moved
        under_way = int(bulk.fetch(UNDER_WAY_NOW, [replay.pk])[0][0])
        items = bulk.fetch(NEXT, [replay.pk, max(0, min(BATCH, UNDER_WAY - under_way))])
        if items:
            batch = Batch(replay.pk, items)
            kind.put_back(batch)
            batch.write()
            detail = {
                "replay": replay.pk,
                "first": str(items[0][1]),
                "last": str(items[-1][1]),
                "back": len(batch.back),
            }
            audit.record(
                "replays.batch", by=access.SYSTEM, subject_type="hub.replay", count=len(items), detail=detail
            )  # fmt: skip
        elif not under_way:
            advance(replay, "done", finished_at=timezone.now())
            audit.record("replays.done", by=access.SYSTEM, subject=replay)
            return moved
        return moved + len(items)


def drain() -> int:
    """Replay until nothing of it moves any more without other workers; returns how many items (tests, commands)."""
    total = 0
    while moved := step():
        total += moved
    queue.ring("work")
    return total
