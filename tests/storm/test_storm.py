"""The storm itself: a short one of a fixed seed, what a forecast promises, and when a storm has failed."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from storm import traffic
from storm.evidence import Evidence
from storm.gusts import GUSTS
from storm.run import Outcome, Plan
from storm.weather import KINDS, forecast


@pytest.mark.crash
def test_a_short_storm_loses_nothing_and_doubles_nothing(storm: tuple[Outcome, Evidence]) -> None:
    """Killed, stopped, flushed, cut and crashed: every message found its end, and the books agree to the cent."""
    outcome, evidence = storm
    assert outcome.troubles == []
    assert outcome.injected == outcome.planned
    assert outcome.injected.total() == 8
    assert outcome.sent == outcome.plan.messages == len(evidence.sent)
    document = outcome.document()
    assert (document["lost"], document["doubled"], document["invariants_failed"]) == (0, 0, [])
    assert document["invariants_checked"] == 14
    assert evidence.rows("SELECT count(*) > 500 FROM billing_charge WHERE status = 'posted'") == [(True,)]


def test_a_seed_is_a_forecast() -> None:
    """The same seed gives the same faults at the same moments and the same bytes; another seed gives others."""
    assert forecast(5, 60) == forecast(5, 60) != forecast(6, 60)
    moment = datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert traffic.messages(5, 300, now=moment) == traffic.messages(5, 300, now=moment)
    assert traffic.messages(5, 300, now=moment) != traffic.messages(6, 300, now=moment)


def test_a_minute_has_every_kind_of_fault() -> None:
    """Forty gusts in order of time, all of them inside the minute; whatever is forecast can be done."""
    gusts = forecast(1, 60)
    assert len(gusts) == 40
    assert {gust.kind for gust in gusts} == set(KINDS) == set(GUSTS)
    assert gusts == sorted(gusts, key=lambda gust: gust.at)
    assert 1 <= gusts[0].at <= gusts[-1].at <= 59


def test_one_message_in_a_hundred_is_poison() -> None:
    """Of each sort of poison there is some in four thousand messages, and about forty in all."""
    kinds = Counter(one.kind for one in traffic.messages(3, 4_000))
    poison = {kind: count for kind, count in kinds.items() if kind.startswith("poison:")}
    assert 25 < sum(poison.values()) < 60
    assert set(poison) == {f"poison:{name}" for name in (*traffic.POISONS, "conflict")}
    assert min(kinds[kind] for kind in ("credit", "repeat", "resend", "unknown_department", "unknown_code")) > 10


def well() -> Outcome:
    """A storm that went well."""
    plan = Plan(1, 7, rate=10)
    kinds = Counter({"kill_worker": 2, "client_cut": 1})
    return Outcome(plan, kinds, sent=100, injected=kinds.copy(), findings={"INV-1 acknowledged is stored": []})


def test_a_storm_that_injected_or_sent_less_than_it_says_fails() -> None:
    """Green means checked: faults that never struck, messages that never went out, a drain without end, no checks."""
    assert well().troubles == []
    assert replace(well(), injected=Counter({"kill_worker": 2})).troubles == [
        "faults planned and not seen to strike: {'client_cut': 1}"
    ]
    assert replace(well(), sent=99).troubles == ["sent 99 of the 100 messages that were planned"]
    assert replace(well(), left={"calls": 1}, drain_s=60.1).troubles == ["not drained after 60 s: {'calls': 1}"]
    assert replace(well(), findings={}).troubles == ["no invariant was checked"]
    assert replace(well(), findings={"INV-5": ["x"]}).document()["ok"] is False
