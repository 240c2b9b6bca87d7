"""A partner that stays away: its circuit opens, one call probes, and all goes out once when it is back (F-E2)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from hub import access, interventions, sending
from hub.errors import NotAllowed, Refused
from hub.models import AuditEntry, Breaker, Bucket, Delivery, Dispatch, Endpoint
from hub.routing import Outbound, Outcome, registry
from tests import world
from tests.faults.kit import LONG_AGO, Books, asked_of_erp, cases, make_due, run_through
from tests.world import dft, ft1

SENT = [dft(f"M{n}", f"A{n}", ft1(f"T{n}", "STENT", "1", "2000")) for n in range(12)]


def spread(lanes: int) -> Endpoint:
    """The ERP's endpoint with so many calls under way at once."""
    Endpoint.objects.filter(code="summit").update(concurrency=lanes)
    return Endpoint.objects.get(code="summit")


def quiet() -> None:
    """Until nothing moves any more."""
    world.run_until_quiet()


def calls_due() -> None:
    """Every waiting call's time has come; no probe's has."""
    Dispatch.objects.filter(status__in=["waiting", "in_doubt"]).update(due_at=LONG_AGO)


def break_it(books: Books, lanes: int = 4) -> Breaker:
    """Send everything at an ERP that is dead, until its circuit is open."""
    spread(lanes)
    world.receive(*SENT)
    books.erp.kill()
    for _ in range(5):
        quiet()
        calls_due()
    return Breaker.objects.get()


def test_F_E2_an_absent_erp_is_left_alone_but_for_one_probe_and_everything_is_posted_once(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five failures open the circuit: no call at all until the probe, then one, on four lanes with twelve accounts."""
    asked = asked_of_erp(monkeypatch)
    breaker = break_it(books)
    assert (breaker.status, breaker.failures, len(asked)) == ("open", 5, 5)
    assert cases() == {("ERP_UNREACHABLE", "open"): 1}

    for _ in range(20):  # however often somebody rings, nobody calls
        calls_due()
        quiet()
    assert len(asked) == 5
    assert sending.due_endpoints() == []

    make_due()  # the probe's time, too
    assert sending.due_endpoints() == [breaker.endpoint_id]
    quiet()
    breaker.refresh_from_db()
    assert (breaker.status, breaker.openings, len(asked)) == ("open", 2, 6)
    assert breaker.probe_at is not None
    assert breaker.probe_at > timezone.now()
    assert cases() == {("ERP_UNREACHABLE", "open"): 1}

    books.erp.start()
    make_due()
    run_through()
    breaker.refresh_from_db()
    assert (breaker.status, breaker.failures, breaker.openings, breaker.probe_at) == ("closed", 0, 0, None)
    assert cases() == {("ERP_UNREACHABLE", "resolved"): 1}
    books.agree(*SENT, posted=12)
    books.settled()


def test_F_E2_a_storm_of_answers_that_say_wait_opens_it_and_the_partners_own_time_is_kept(books: Books) -> None:
    """503 with Retry-After: the probe comes no sooner than the partner asked for."""
    world.receive(*SENT[:2])
    books.fault("unavailable", retry_after=240)
    before = books.struck().get("unavailable", 0)
    for _ in range(8):
        quiet()
        calls_due()
    breaker = Breaker.objects.get()
    assert (breaker.status, books.struck()["unavailable"] - before) == ("open", 5)
    assert breaker.probe_at is not None
    assert breaker.probe_at > timezone.now() + timedelta(seconds=200)
    books.erp.heal()
    run_through()
    books.agree(*SENT[:2], posted=2)


def test_F_E2_refusals_never_open_the_circuit(books: Books) -> None:
    """To say no is to answer: twelve refusals stop twelve deliveries and no call."""
    world.receive(*SENT)
    books.fault("reject", code="period_closed")
    run_through()
    assert not Breaker.objects.exists()
    assert cases() == {("ALLOC_FAILED", "open"): 12}


def test_F_E2_failures_between_answers_do_not_add_up(books: Books) -> None:
    """Only failures in a row count: an answer in between begins the count anew."""
    for number in range(6):
        world.receive(SENT[number])
        books.fault("unavailable", times=1)
        run_through()
    breaker = Breaker.objects.get()
    assert (breaker.status, breaker.failures) == ("closed", 0)
    books.agree(*SENT[:6], posted=6)


def test_a_prober_that_dies_is_followed_by_another_one(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one probes nobody else calls; when its lease has run out, the next one probes."""
    breaker = break_it(books)
    books.erp.start()
    asked = asked_of_erp(monkeypatch)
    make_due()
    ahead = timezone.now() + timedelta(seconds=60)
    Breaker.objects.filter(pk=breaker.pk).update(status="half_open", probe_at=ahead)
    quiet()
    assert asked == []
    make_due()
    run_through()
    assert Breaker.objects.get().status == "closed"
    books.agree(*SENT, posted=12)


def test_no_failures_in_a_row_open_a_circuit_that_is_told_never_to(books: Books) -> None:
    """0 for never: each call keeps its own back-off, and the case comes after five tries as before."""
    Endpoint.objects.filter(code="summit").update(breaker_failures=0)
    breaker = break_it(books, lanes=1)
    assert (breaker.status, breaker.failures) == ("closed", 5)
    assert cases() == {("ERP_UNREACHABLE", "open"): 1}
    books.erp.start()
    run_through()
    books.agree(*SENT, posted=12)
    assert cases() == {("ERP_UNREACHABLE", "resolved"): 1}


def test_a_person_opens_the_circuit_and_the_probe_closes_it(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is sent until the pause is over; no case is opened for what somebody decided."""
    asked = asked_of_erp(monkeypatch)
    summit = Endpoint.objects.get(code="summit")
    interventions.open_circuit(summit, reason="They restore a backup.", by=access.SYSTEM)
    world.receive(*SENT)
    quiet()
    assert asked == []
    make_due()
    run_through()
    books.agree(*SENT, posted=12)
    assert Breaker.objects.get().status == "closed"
    assert cases() == {}


def test_a_person_closes_the_circuit_and_what_waits_is_due_at_once(books: Books) -> None:
    """ "They are back": the calls go out without waiting for the probe, and the case is closed with the reason."""
    break_it(books)
    books.erp.start()
    Dispatch.objects.filter(status="waiting").update(due_at=timezone.now() + timedelta(hours=1))
    summit = Endpoint.objects.get(code="summit")
    interventions.close_circuit(summit, reason="Their night shift called.", by=access.SYSTEM)
    quiet()
    books.agree(*SENT, posted=12)
    assert cases() == {("ERP_UNREACHABLE", "resolved"): 1}
    entry = AuditEntry.objects.get(verb="endpoints.close_circuit")
    assert (entry.reason, entry.subject_id) == ("Their night shift called.", str(summit.pk))


def test_switching_a_circuit_takes_the_permission_a_reason_and_a_move_that_is_left(books: Books) -> None:
    """Refused in words, and nothing moves."""
    summit = Endpoint.objects.get(code="summit")
    nobody, somebody = world.user("nobody"), world.user("somebody", "hub.switch_breaker")
    with pytest.raises(NotAllowed, match="ACCESS_VERB"):
        interventions.open_circuit(summit, reason="Because.", by=access.person(nobody))
    by = access.person(somebody)
    with pytest.raises(Refused, match="CASE_REASON"):
        interventions.open_circuit(summit, reason=" ", by=by)
    with pytest.raises(Refused, match="STATE_MOVE"):
        interventions.close_circuit(summit, reason="It is closed.", by=by)
    with pytest.raises(Refused, match="STATE_MOVE"):
        interventions.open_circuit(Endpoint.objects.get(direction="in"), reason="Because.", by=by)
    assert not AuditEntry.objects.filter(verb__startswith="endpoints.").exists()
    assert not Breaker.objects.exclude(status="closed").exists()


def sent_one_by_one(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each fact travels in a call of its own; returns the accounts in the order in which they are sent."""
    sent: list[str] = []
    route = registry.routes["journals.post"]
    assert isinstance(route, Outbound)

    def send(endpoint: Endpoint, key: UUID, facts: Sequence[Any]) -> Outcome:
        sent.extend(fact.key for fact in facts)
        return route.send(endpoint, key, facts)

    monkeypatch.setitem(registry.routes, route.name, replace(route, send=send, limit=2))
    return sent


def test_the_rate_limit_defers_calls_and_loses_none(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three calls at once and one a minute after that: three are made, nine wait with a time, and go out in order."""
    sent = sent_one_by_one(monkeypatch)
    Endpoint.objects.filter(code="summit").update(calls_per_minute=1, calls_burst=3)
    world.receive(*SENT)
    quiet()
    quiet()
    accounts = [f"A{number}" for number in range(12)]
    assert len(sent) == 3
    waiting = list(Dispatch.objects.filter(status="waiting"))
    assert [call.attempts for call in waiting] == [0] * 9
    assert all(call.due_at > timezone.now() + timedelta(seconds=30) for call in waiting)

    Bucket.objects.update(filled_at=timezone.now() - timedelta(minutes=2, seconds=1))
    make_due()
    quiet()
    assert len(sent) == 5
    assert Dispatch.objects.filter(status="waiting", attempts=0).count() == 7

    Endpoint.objects.filter(code="summit").update(calls_per_minute=None)
    run_through()
    in_order = Delivery.objects.filter(endpoint__code="summit").order_by("id").values_list("key", flat=True)
    assert sent == list(in_order)
    assert sorted(sent) == sorted(accounts)
    books.agree(*SENT, posted=12)
    assert set(Dispatch.objects.values_list("attempts", flat=True)) == {1}


def test_no_call_overtakes_an_older_one_of_its_lane_that_has_to_wait(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six calls of one account, the first fails: however the waits fall, they arrive in the order they were made."""
    sent = sent_one_by_one(monkeypatch)
    same = [dft(f"S{n}", "SAME", ft1(f"S{n}", "STENT", "1", "2000")) for n in range(6)]
    world.receive(*same)
    books.fault("unavailable", times=1)
    quiet()
    calls = list(Dispatch.objects.order_by("id"))
    assert [call.status for call in calls] == ["waiting"] * 6
    assert len(sent) == 1
    Dispatch.objects.filter(pk__in=[call.pk for call in calls[1:]]).update(due_at=LONG_AGO)
    Dispatch.objects.filter(pk=calls[0].pk).update(due_at=timezone.now() + timedelta(hours=1))
    quiet()
    assert len(sent) == 1
    make_due()
    run_through()
    assert len(sent) == 7
    settled = Dispatch.objects.order_by("reference").values_list("pk", flat=True)
    assert list(settled) == [call.pk for call in calls]
    books.agree(*same, posted=6)
