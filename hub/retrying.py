"""When to try again, and when to stop: a policy's values in, seconds out. Nothing here touches a row or a clock.

Exponential back-off with full jitter: any moment between now and the wait is as likely as any other, so that calls that
failed together do not come back together (reliability R-7).
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

# Beyond this power every wait has met its cap, and a float has not overflowed yet.
HIGHEST_POWER = 60
Chance = Callable[[], float]  # evenly between 0 and 1


@dataclass(frozen=True, slots=True)
class Policy:
    """How patient we are with one partner. Seconds; `max_age_s` counts from the call's making."""

    first_s: float = 0.5
    factor: float = 2.0
    cap_s: float = 60.0
    max_age_s: float = 75 * 3600.0

    def wait_s(self, tries: int) -> float:
        """The longest wait after this many tries that failed, in seconds."""
        return float(min(self.cap_s, self.first_s * self.factor ** min(max(tries, 1) - 1, HIGHEST_POWER)))

    def delay_s(self, tries: int, *, asked_s: float | None = None, chance: Chance = random.random) -> float:
        """How long to wait now, in seconds: full jitter; on top of what the partner asked for, where it did."""
        return (asked_s or 0.0) + chance() * self.wait_s(tries)

    def too_old(self, made: datetime, next_try: datetime) -> bool:
        """Whether the next try would come after the maximum age: the one before it was the last."""
        return next_try - made > timedelta(seconds=self.max_age_s)
