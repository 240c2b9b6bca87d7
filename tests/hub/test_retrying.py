"""When a call is tried again, and when it is given up: the whole schedule on a clock of our own."""

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from hub.retrying import Policy

MADE = datetime(2026, 1, 1, tzinfo=UTC)
R7 = Policy(first_s=5, factor=2, cap_s=24 * 3600, max_age_s=75 * 3600)
HOUR = 3600.0


def tries(policy: Policy, chance: random.Random | float) -> list[float]:
    """The seconds after the call's making at which it is tried, while a partner never takes it."""
    draw = chance.random if isinstance(chance, random.Random) else lambda: chance
    now, found = MADE, [0.0]
    while True:
        due = now + timedelta(seconds=policy.delay_s(len(found), chance=draw))
        if policy.too_old(MADE, due):
            return found
        found.append((due - MADE).total_seconds())
        now = due


def test_R_7_the_whole_schedule_from_five_seconds_to_a_day_ends_after_75_hours() -> None:
    """5 s, 10 s, 20 s ... 24 h at the longest waits; the last try is the last one within 75 hours."""
    moments = tries(R7, 1.0)
    waits = [after - before for before, after in pairwise(moments)]
    assert waits == [5.0 * 2**n for n in range(15)] + [24 * HOUR]
    assert moments[-1] == 5 * (2**15 - 1) + 24 * HOUR
    assert moments[-1] <= 75 * HOUR < moments[-1] + 24 * HOUR


def test_R_7_the_default_schedule_begins_at_half_a_second_and_settles_at_a_minute() -> None:
    """0.5 s doubled until the cap of 60 s, then one try a minute for 75 hours: counted, not estimated."""
    moments = tries(Policy(), 1.0)
    waits = [after - before for before, after in pairwise(moments)]
    assert waits[:8] == [0.5, 1, 2, 4, 8, 16, 32, 60]
    assert set(waits[8:]) == {60}
    assert len(moments) == 1 + 7 + 4498
    assert moments[-1] == 63.5 + 4498 * 60


@pytest.mark.parametrize("seed", range(5))
def test_R_7_jitter_is_full_and_never_beyond_the_wait(seed: int) -> None:
    """Each wait lies anywhere between nothing and the schedule's own; none comes after 75 hours."""
    moments = tries(R7, random.Random(seed))
    for number, (before, after) in enumerate(pairwise(moments), 1):
        assert 0 <= after - before <= R7.wait_s(number)
    assert moments[-1] <= 75 * HOUR
    draws = random.Random(seed)
    shares = [R7.delay_s(20, chance=draws.random) / R7.wait_s(20) for _ in range(1000)]
    assert {int(share * 10) for share in shares} == set(range(10))


def test_R_7_what_the_partner_asks_for_is_never_cut_short() -> None:
    """Retry-After is the least; our jitter comes on top of it, so that not everybody is back in the same moment."""
    assert [R7.delay_s(1, asked_s=240, chance=lambda share=share: share) for share in (0.0, 0.5, 1.0)] == [
        240,
        242.5,
        245,
    ]
    assert R7.delay_s(1, asked_s=0.0, chance=lambda: 1.0) == 5


def test_many_tries_overflow_nothing() -> None:
    """A call that was tried thirty thousand times waits as long as the cap says."""
    assert Policy(factor=10).wait_s(32_767) == 60
    assert Policy(factor=1).wait_s(32_767) == 0.5
    assert Policy().wait_s(0) == 0.5
