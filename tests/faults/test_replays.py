"""Replays under load, under kill -9, and of what an ERP refused: a result for every item, and nothing done twice."""

import signal
from collections import Counter
from datetime import timedelta

import pytest
from django.utils import timezone

from billing.models import Charge
from hub import access, replay
from hub.models import Delivery, Dispatch, ExceptionCase, Message, Replay
from tests import world
from tests.faults.kit import Books, balanced, rows, run_through
from tests.faults.test_crash_points import worker
from tests.world import dft, ft1

WHY = "the mapping table was wrong over night"
SENT = tuple(dft(f"M{n}", f"A{n % 4}", ft1(f"T{n}", "STENT", "2", "4000")) for n in range(12))


def since() -> str:
    """An hour ago, as filters write it."""
    return (timezone.now() - timedelta(hours=1)).isoformat()


def everything(kind: str = "messages", **filters: str) -> Replay:
    """A plan by the system, started; approved by a second person where it is a big one."""
    one = replay.plan(kind, filters or {"since": since()}, reason=WHY, by=access.SYSTEM)
    if one.needs_approval:
        replay.approve(one, by=access.person(world.user("second", "hub.approve_replay")))
    return replay.start(one, by=access.SYSTEM)


def books_of() -> list[tuple[int, ...]]:
    """What doubles when a document is done twice."""
    statement = """SELECT (SELECT count(*) FROM billing_charge), (SELECT count(*) FROM hub_fact),
        (SELECT count(*) FROM hub_delivery), (SELECT count(*) FROM hub_dispatch), (SELECT count(*) FROM erp_journal),
        (SELECT count(*) FROM erp_journalline), (SELECT count(*) FROM erp_allocation)"""
    return rows(statement)


def test_R_9_two_thousand_messages_replayed_give_two_thousand_results_and_nothing_twice(books: Books) -> None:
    """All of them are in both books already: every item is done, and not a row, a journal or a cent is new."""
    sent = [dft(f"B{n}", f"A{n % 200}", ft1(f"T{n}", "STENT", "1", "2000")) for n in range(2000)]
    world.receive(*sent)
    run_through()
    books.agree(*sent, posted=2000)
    before, ledger = books_of(), books.totals()
    one = everything()
    assert (one.count, one.already, one.worth, one.known) == (2000, 2000, {"USD": "4000000.0000"}, 2000)
    run_through()
    one.refresh_from_db()
    assert one.status == "done"
    assert replay.counts(one) == {"pending": 0, "moving": 0, "done": 2000, "skipped": 0, "failed": 0}
    assert rows("SELECT count(DISTINCT subject_id) FROM hub_replayitem WHERE at IS NOT NULL") == [(2000,)]
    assert books_of() == before
    assert books.totals() == ledger
    books.agree(*sent, posted=2000)


def test_R_9_a_second_replay_of_what_stopped_posts_each_charge_once(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped, blocked and applied ones in one plan; replayed twice, both books agree to the cent."""
    bad = [dft(f"X{n}", f"A{n}", ft1(f"X{n}", "STENT", "1", "2000", service="not a day")) for n in range(4)]
    world.receive(*bad[:2], *SENT, *bad[2:])
    run_through()
    assert dict(Counter(Message.objects.values_list("status", flat=True))) == {
        "stopped": 4, "blocked": 6, "applied": 6,
    }  # fmt: skip
    real = world.pipeline.PARSERS["hl7v2"]
    today = f"{world.TODAY:%Y%m%d}".encode()
    monkeypatch.setitem(world.pipeline.PARSERS, "hl7v2", lambda raw: real(raw.replace(b"not a day", today)))
    for _ in range(2):
        one = everything()
        run_through()
        assert replay.counts(one)["done"] == 16
    books.agree(*SENT, *bad, posted=16)
    books.settled()


@pytest.mark.crash
@pytest.mark.parametrize(
    "point",
    [
        "items put back, no result", "items put back, not committed", "items committed", "messages claimed",
        "messages committed",
    ],
)  # fmt: skip
def test_F_W1_a_replay_whose_worker_is_killed_goes_on_and_does_nothing_twice(
    committed_books: Books, point: str
) -> None:
    """Whatever the dead worker had in its hands is rolled back or accounted for; the next one goes on."""
    world.receive(*SENT)
    run_through()
    before = books_of()
    one = everything()
    assert worker(point) == -signal.SIGKILL
    one.refresh_from_db()
    assert one.status == "running"
    run_through()
    one.refresh_from_db()
    assert (one.status, replay.counts(one)["done"]) == ("done", 12)
    assert books_of() == before
    committed_books.agree(*SENT, posted=12)
    committed_books.settled()


def test_F_E4_deliveries_that_the_erp_refused_are_sent_again_and_those_it_has_are_not(books: Books) -> None:
    """The cause is cured at the ERP: stopped ones go, blocked ones follow, what was delivered is left alone."""
    bad = [dft(f"BAD{n}", f"A{n}", ft1(f"X{n}", "STENT", "1", "2000", "OR")) for n in range(3)]
    behind = dft("BEHIND", "A0", ft1("Y0", "STENT", "1", "2000"))
    books.erp.ask("PUT", "/_sandbox/reference/cost-centers/CC-R140", {"active": False})
    try:
        world.receive(*bad, behind, *SENT[8:])
        run_through()
    finally:
        books.erp.ask("PUT", "/_sandbox/reference/cost-centers/CC-R140", {"active": True})
    posts = Delivery.objects.filter(route="journals.post")
    assert posts.filter(status="stopped").count() == 3
    delivered = set(posts.filter(status="delivered").values_list("pk", "dispatch_id"))
    one = everything("deliveries", route="journals.post", since=since())
    assert (one.count, one.already, one.known) == (posts.count(), len(delivered), posts.count())
    assert one.destinations == [{"name": "journals.post to Summit ERP", "count": posts.count()}]
    run_through()
    one.refresh_from_db()
    assert one.status == "done"
    assert replay.counts(one) == {
        "pending": 0, "moving": 0, "done": posts.count() - len(delivered), "skipped": len(delivered), "failed": 0,
    }  # fmt: skip
    assert delivered <= set(posts.values_list("pk", "dispatch_id"))
    assert set(ExceptionCase.objects.values_list("status", flat=True)) == {"resolved"}
    assert rows("SELECT key FROM hub_stop") == []
    books.agree(*bad, behind, *SENT[8:], posted=8)
    books.settled()


def test_deliveries_that_are_refused_again_are_told_as_failed(books: Books) -> None:
    """The cause stands: each stops once more with a case, and the replay says so."""
    bad = [dft(f"BAD{n}", f"A{n}", ft1(f"X{n}", "STENT", "1", "2000", "OR")) for n in range(2)]
    books.erp.ask("PUT", "/_sandbox/reference/cost-centers/CC-R140", {"active": False})
    try:
        world.receive(*bad)
        run_through()
        one = everything("deliveries", status="stopped", endpoint="summit")
        assert one.destination is not None
        run_through()
    finally:
        books.erp.ask("PUT", "/_sandbox/reference/cost-centers/CC-R140", {"active": True})
    assert replay.counts(one)["failed"] == 2
    assert {item.text for item in one.items.all()} == {"It stopped again: inactive_cost_center."}
    assert ExceptionCase.objects.filter(status="open").count() == 2
    assert Dispatch.objects.exclude(status__in=["rejected", "delivered"]).count() == 0
    balanced(*bad)
    assert Charge.objects.count() == 2
