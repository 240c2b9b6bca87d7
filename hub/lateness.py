"""The minute's look: what the feeds sent, which steps of journeys are late, and which documents did not come."""

from datetime import datetime

from hub import expectations, journeys, volumes


def look(now: datetime) -> None:
    """All of it, each in a transaction of its own: one that fails leaves the others be."""
    volumes.look(now)
    journeys.look(now)
    expectations.look(now)
