"""What a replay is worth and what it touches, as the domains know it. Each registers what it can tell of its rows."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Stake:
    """What one domain knows about the items of a replay."""

    worth: Mapping[str, Decimal] = field(default_factory=dict)  # currency -> signed sum
    known: int = 0  # items of which it knows the money
    closed: int = 0  # items dated into a period that is closed by now


Assess = Callable[[int], Stake]  # of a replay's id: its items are rows of hub_replayitem by then
assessors: dict[str, list[Assess]] = {}


def register(kind: str, assess: Assess) -> None:
    """Let a domain tell what "messages" or "deliveries" of a replay are worth."""
    assessors.setdefault(kind, []).append(assess)


def of(kind: str, replay_id: int) -> Stake:
    """What all domains know together. Each tells of rows of its own, so that nothing is added twice."""
    worth: dict[str, Decimal] = defaultdict(Decimal)
    known = closed = 0
    for assess in assessors.get(kind, ()):
        stake = assess(replay_id)
        known, closed = known + stake.known, closed + stake.closed
        for currency, amount in stake.worth.items():
            worth[currency] += amount
    return Stake(dict(worth), known, closed)
