"""The ERP misbehaves in every way it can: after recovery each charge is in its ledger exactly once (F-E1 to F-E5)."""

from decimal import Decimal
from typing import Any

import pytest

from erp.models import Journal, JournalLine
from hub import access, interventions
from hub.models import Delivery, Dispatch, Endpoint
from tests import world
from tests.faults.kit import Books, asked_of_erp, cases, make_due, rows, run_through
from tests.world import dft, ft1

# Two facts for each of three accounts, one of them a credit that takes a third back.
SENT = (
    *(
        dft(f"M{n}", f"A{n % 3}", ft1(f"T{n}", "STENT", "3", "6000"), ft1(f"B{n}", "BALLOON", "1", "310"))
        for n in range(6)
    ),
    dft("C0", "A0", ft1("C0", "STENT", "1", "2000", kind="CD", original="T0")),
)  # fmt: skip
POSTED = 13

FAULTS: dict[str, dict[str, Any]] = {
    "slow": {"delay_s": 0.1},
    "slower than our patience": {"mode": "slow", "delay_s": 2.0, "times": 1},
    "down": {"times": 3},
    "unavailable": {"times": 3, "retry_after": 7},
    "rate_limit": {"times": 2, "per_second": 0, "retry_after": 7},
    "commit_then_die": {"times": 1},
    "commit_then_hang": {"times": 1},
    "garbage": {"times": 2, "body": "text"},
    "garbage, truncated": {"mode": "garbage", "times": 2, "body": "truncated"},
    "garbage, huge": {"mode": "garbage", "times": 1, "body": "huge", "size": 3_000_000},
    "id_missing": {"times": 1},
}


@pytest.mark.parametrize("name", FAULTS)
def test_F_E1_F_E2_F_E5_after_the_fault_each_charge_is_in_the_ledger_once(books: Books, name: str) -> None:
    """Whatever the ERP did, nothing is missing, nothing is there twice, and the totals agree to the cent."""
    options = {"mode": name, **FAULTS[name]}
    mode = options["mode"]
    before = books.struck().get(mode, 0)
    world.receive(*SENT)
    books.fault(**options)
    run_through()

    assert books.struck()[mode] > before
    books.agree(*SENT, posted=POSTED)
    books.settled()
    assert {status for _, status in cases()} <= {"resolved"}


def test_F_E2_the_partners_own_time_to_wait_is_kept(books: Books) -> None:
    """Retry-After of a 503 is the time until the next try; until then nothing is sent, however often it is swept."""
    world.receive(SENT[0])
    books.fault("unavailable", times=1, retry_after=240)
    struck = books.struck().get("unavailable", 0)
    world.run_until_quiet()
    world.run_until_quiet()

    dispatch = Dispatch.objects.get()
    assert (dispatch.status, dispatch.attempts, books.struck()["unavailable"]) == ("waiting", 1, struck + 1)
    assert 200 < (dispatch.due_at - dispatch.created_at).total_seconds() < 300
    make_due()
    world.run_until_quiet()
    books.agree(SENT[0], posted=2)


def test_F_E2_an_erp_that_stays_away_becomes_one_case_that_closes_by_itself(books: Books) -> None:
    """After five tries somebody is told, once; when the ERP is back everything goes out and the case is closed."""
    world.receive(*SENT)
    books.erp.kill()
    for _ in range(7):
        world.run_until_quiet()
        make_due()
    assert cases() == {("ERP_UNREACHABLE", "open"): 1}
    assert set(Dispatch.objects.values_list("status", flat=True)) == {"waiting"}

    books.erp.start()
    run_through()
    books.agree(*SENT, posted=POSTED)
    assert cases() == {("ERP_UNREACHABLE", "resolved"): 1}


def test_F_E1_nothing_is_sent_again_before_it_was_looked_up(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """A posting whose answer got lost is found under its key and never posted a second time."""
    asked = asked_of_erp(monkeypatch)
    world.receive(SENT[0])
    books.fault("commit_then_die", times=1)
    run_through()

    assert asked == ["send", "find"]
    books.agree(SENT[0], posted=2)


def test_F_E4_one_bad_line_stops_its_own_fact_and_nothing_else(books: Books) -> None:
    """A refused journal is halved until the culprit stands alone with a case; all others are posted."""
    books.erp.ask("PUT", "/_sandbox/reference/cost-centers/CC-R140", {"active": False})
    try:
        bad = dft("BAD", "A9", ft1("X1", "STENT", "1", "2000", "OR"))
        world.receive(*SENT[:4], bad, *SENT[4:])
        run_through()
        assert cases() == {("ALLOC_FAILED", "open"): 1}
        stopped = Delivery.objects.get(status="stopped")
        assert (stopped.key, stopped.problem_code) == ("A9", "inactive_cost_center")
        assert rows("SELECT key FROM hub_stop") == [("A9",)]
        books.agree(*SENT, bad, posted=POSTED)
        assert Journal.objects.filter(status="posting").count() == 0
    finally:
        books.erp.ask("PUT", "/_sandbox/reference/cost-centers/CC-R140", {"active": True})

    interventions.retry_delivery(stopped, by=access.SYSTEM)
    run_through()
    books.agree(*SENT, bad, posted=POSTED + 1)
    books.settled()
    assert cases() == {("ALLOC_FAILED", "resolved"): 1}
    assert rows("SELECT key FROM hub_stop") == []


def test_F_E4_no_later_fact_of_an_account_overtakes_the_one_that_is_refused(books: Books) -> None:
    """One call holds three facts of the account, the first is refused: the other two wait behind it, in order."""
    books.erp.ask("PUT", "/_sandbox/reference/cost-centers/CC-R140", {"active": False})
    bad = dft("BAD", "A9", ft1("X1", "STENT", "1", "2000", "OR"))
    good = [dft(f"G{n}", "A9", ft1(f"Y{n}", "STENT", "1", "2000")) for n in range(2)]
    try:
        world.receive(bad, *good, SENT[0])
        run_through()
        assert cases() == {("ALLOC_FAILED", "open"): 1}
        of_account = Delivery.objects.filter(key="A9", route="journals.post").order_by("id")
        assert list(of_account.values_list("status", flat=True)) == ["stopped", "blocked", "blocked"]
        books.agree(bad, *good, SENT[0], posted=2)
    finally:
        books.erp.ask("PUT", "/_sandbox/reference/cost-centers/CC-R140", {"active": True})
    interventions.retry_delivery(of_account[0], by=access.SYSTEM)
    run_through()
    books.agree(bad, *good, SENT[0], posted=5)
    books.settled()


def test_F_E4_a_closed_period_stops_every_fact_once_and_all_go_out_when_it_is_open(books: Books) -> None:
    """Refused as a whole: nothing is posted, one case for each account, and a retry posts each exactly once."""
    period = f"{world.TODAY:%Y-%m}"
    books.erp.ask("PUT", f"/_sandbox/reference/periods/{period}", {"status": "closed"})
    try:
        world.receive(*SENT[:3])
        run_through()
        assert cases() == {("ALLOC_FAILED", "open"): 3}
        assert books.totals()["journals"] == 0
    finally:
        books.erp.ask("PUT", f"/_sandbox/reference/periods/{period}", {"status": "open"})
    for delivery in Delivery.objects.filter(status="stopped").order_by("id"):
        interventions.retry_delivery(delivery, by=access.SYSTEM)
    run_through()
    books.agree(*SENT[:3], posted=6)
    books.settled()


def test_a_case_of_an_absent_erp_closes_when_it_answers_with_a_refusal(books: Books) -> None:
    """To say no is to answer: the case that it does not answer has no cause any more."""
    world.receive(SENT[0])
    books.fault("unavailable")
    for _ in range(5):
        world.run_until_quiet()
        make_due()
    assert cases() == {("ERP_UNREACHABLE", "open"): 1}
    books.fault("reject", times=1, code="period_closed")
    run_through()
    assert cases() == {("ERP_UNREACHABLE", "resolved"): 1, ("ALLOC_FAILED", "open"): 1}


def test_F_E5_an_answer_with_characters_that_no_table_keeps_is_still_an_answer(books: Books) -> None:
    """A refusal whose text has a NUL and half a surrogate pair stops its fact like any other refusal."""
    world.receive(SENT[0])
    books.fault("reject", times=1, code="odd\x00code", message="a\x00b\ud800c")
    run_through()
    stopped = Delivery.objects.get(status="stopped")
    assert "\x00" not in stopped.problem
    books.settled()


def test_F_E1_a_person_settles_what_no_look_up_can(books: Books) -> None:
    """In doubt for long, a case asks for a look-up by hand; "absent" sends it again under the same key.

    Five useless answers in a row open the circuit, too, and a person's word does not close it: the partner's does.
    """
    world.receive(SENT[0])
    books.fault("garbage", body="text")
    for _ in range(6):
        world.run_until_quiet()
        make_due()
    assert cases() == {("ERP_AMBIGUOUS", "open"): 1, ("ERP_UNREACHABLE", "open"): 1}
    dispatch = Dispatch.objects.get()
    assert dispatch.status == "in_doubt"
    books.erp.heal()
    interventions.resolve_dispatch(dispatch, outcome="absent", by=access.SYSTEM)
    assert cases()["ERP_UNREACHABLE", "open"] == 1
    run_through()
    assert [one.pk for one in Dispatch.objects.all()] == [dispatch.pk]
    books.agree(SENT[0], posted=2)
    assert cases() == {("ERP_AMBIGUOUS", "resolved"): 1, ("ERP_UNREACHABLE", "resolved"): 1}


def test_a_token_that_is_wrong_holds_everything_and_stops_nothing(books: Books) -> None:
    """401 is no refusal of a journal: it waits with its key until the secret is set right."""
    good = Endpoint.objects.get(code="summit")
    Endpoint.objects.filter(code="summit").update(secret=world.vault.seal("wrong"))
    world.receive(*SENT[:2])
    run_through(rounds=2)
    assert set(Dispatch.objects.values_list("status", flat=True)) == {"waiting"}
    assert Delivery.objects.filter(status="stopped").count() == 0
    Endpoint.objects.filter(code="summit").update(secret=good.secret)
    run_through()
    books.agree(*SENT[:2], posted=4)


def test_a_credit_takes_back_cents_that_do_not_divide(books: Books) -> None:
    """Three credits on three pieces bring each account back to zero in the ERP's own balances."""
    world.receive(dft("M1", "A1", ft1("T1", "BALLOON", "3", "930", unit_cost="0.0034")))
    for number in range(3):
        world.receive(dft(f"C{number}", "A1", ft1(f"C{number}", "BALLOON", "1", "310", kind="CD", original="T1")))
    run_through()
    assert sum(line.debit - line.credit for line in JournalLine.objects.filter(account="6225")) == Decimal(0)
    assert set(rows("SELECT status FROM billing_charge")) == {("posted",)}
