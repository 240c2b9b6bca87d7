"""The forecast: which fault strikes when. The same seed and length give the same timeline, before anything runs."""

import random
from dataclasses import dataclass

EVERY_S = 1.5  # one gust on average in so many seconds
CALM_S = 1.0  # before the first gust and after the last
# The most telling ones first: a short storm has the first of them, a long one has all of them, then some again.
KINDS = (
    "kill_worker", "kill_listener", "postgres_crash", "kill_sender", "zombie_worker", "erp_commit_then_die",
    "client_cut", "valkey_flush", "client_duplicate", "erp_blackhole", "valkey_kill", "kill_worker_child",
    "client_blackhole", "zombie_sender", "erp_kill", "erp_down", "erp_reject", "erp_cut", "erp_duplicate", "kill_web",
    "postgres_kill", "kill_beat", "erp_rate_limit", "erp_slow", "erp_hang", "client_latency", "erp_latency",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Gust:
    """One fault: when (seconds after the start), what, how long where it lasts, and a number to choose a victim by."""

    at: float
    kind: str
    lasts: float
    choice: int

    def __str__(self) -> str:
        return f"{self.at:6.2f} s  {self.kind}"


def forecast(seed: int, seconds: float) -> list[Gust]:
    """The storm's timeline, in order of time."""
    chance = random.Random(seed)
    count = max(1, int(seconds / EVERY_S))
    kinds = [*KINDS[:count], *chance.choices(KINDS, k=max(0, count - len(KINDS)))]
    chance.shuffle(kinds)
    moments = sorted(chance.uniform(CALM_S, max(CALM_S, seconds - CALM_S)) for _ in kinds)
    return [
        Gust(round(at, 2), kind, round(chance.uniform(0.5, 2.5), 2), chance.randrange(1 << 16))
        for at, kind in zip(moments, kinds, strict=True)
    ]
