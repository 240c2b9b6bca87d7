"""Waiting until nothing is under way any more."""

import time
from collections.abc import Callable

import psycopg

PATIENCE_S = 60.0
LEFT = """
SELECT (SELECT count(*) FROM hub_message WHERE status = 'received'),
       (SELECT count(*) FROM hub_delivery WHERE status IN ('pending', 'sending')),
       (SELECT count(*) FROM hub_dispatch WHERE status IN ('sending', 'waiting', 'in_doubt'))
"""
NAMES = ("messages", "deliveries", "calls")


def left(database_url: str) -> dict[str, int]:
    """What is still under way, by kind."""
    with psycopg.connect(database_url, connect_timeout=5) as db:
        counts = db.execute(LEFT).fetchone()
    assert counts is not None
    return dict(zip(NAMES, counts, strict=True))


def wait(database_url: str, unanswered: Callable[[], int], *, tend: Callable[[], None]) -> tuple[float, dict[str, int]]:
    """Seconds until senders and queues are empty, and what was left: nothing, unless it took more than a minute."""
    begun = time.monotonic()
    while True:
        tend()
        waiting = {"unanswered": unanswered(), **left(database_url)}
        took = time.monotonic() - begun
        if not any(waiting.values()):
            return took, {}
        if took > PATIENCE_S:
            return took, {name: count for name, count in waiting.items() if count}
        time.sleep(0.2)
