"""Held charges whose cause may be gone: they are read again, and held again if it is not."""

from collections.abc import Collection

from hub import bulk, held, queue

HELD = """
SELECT DISTINCT message_id FROM billing_charge
WHERE account = ANY(%s) AND hold_code <> '' AND hold_code = ANY(%s) AND status = 'held'
"""


def resume(accounts: Collection[str], *codes: str) -> int:
    """Put the messages of charges that these accounts hold for these codes back into the queue; returns how many."""
    if not accounts:
        return 0
    waiting = bulk.fetch(HELD, [list(accounts), list(codes)])
    if not waiting:
        return 0
    queue.nudge("work")
    return held.resume([message_id for (message_id,) in waiting])
