"""Somebody decides about a call while it is under way: one end for it, in both books (F-E7)."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from erp.models import Journal
from hub import access, interventions, lanes, sending
from hub.errors import Refused
from hub.models import Delivery, Dispatch
from tests import world
from tests.faults.kit import Books, make_due, rows, run_through
from tests.races.kit import at_once
from tests.world import dft, ft1

SENT = tuple(dft(f"M{n}", f"A{n}", ft1(f"T{n}", "STENT", "2", "4000")) for n in range(3))
DECISIONS: dict[str, Callable[[], Any]] = {
    "waive a delivery": lambda: interventions.waive_delivery(_delivery(), reason="not wanted", by=access.SYSTEM),
    "retry a delivery": lambda: interventions.retry_delivery(_delivery(), by=access.SYSTEM),
    "retry the call": lambda: interventions.retry_dispatch(_call(), by=access.SYSTEM),
    "say that it is there": lambda: _resolve("delivered", "GL-BY-HAND"),
    "say that it is not there": lambda: _resolve("absent"),
}


def _delivery() -> Delivery:
    return Delivery.objects.filter(route="journals.post").select_related("endpoint").order_by("id")[0]


def _call() -> Dispatch:
    return Dispatch.objects.select_related("endpoint").get()


def _resolve(outcome: str, reference: str = "") -> Dispatch:
    return interventions.resolve_dispatch(
        _call(), outcome=outcome, reference=reference, reason="looked it up", by=access.SYSTEM
    )


def send_one() -> int:
    """One step of the sender."""
    (endpoint,) = sending.endpoints()
    return sum(sending.step(route, endpoint) for route in sending.roads(endpoint))


def allocated() -> None:
    """Everything is done but the call."""
    world.receive(*SENT)
    world.pipeline.drain()
    world.outbox.drain()


def left_in_doubt(books: Books) -> None:
    """The ERP has the journal and died before it said so; nobody has looked it up yet."""
    allocated()
    books.fault("commit_then_die", times=1)
    assert send_one() == 1
    books.erp.heal()
    assert _call().status == "in_doubt"


def under_way(decide: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let a person decide exactly while the sender talks to the partner; returns what the person was told."""
    talking, decided = threading.Event(), threading.Event()
    real = sending._try

    def slow(*args: Any) -> None:
        real(*args)
        talking.set()
        decided.wait(30)

    monkeypatch.setattr(sending, "_try", slow)

    def person() -> Any:
        assert talking.wait(30)
        try:
            return decide()
        finally:
            decided.set()

    sent, told = at_once(send_one, person)
    monkeypatch.undo()
    assert sent == 1, sent
    return told


@pytest.mark.parametrize("decision", DECISIONS)
def test_F_E7_nobody_decides_about_a_call_while_it_is_under_way(
    committed_books: Books, monkeypatch: pytest.MonkeyPatch, decision: str
) -> None:
    """Waive, retry and resolve are refused with a text; the call ends as the ERP says, once, in both books."""
    allocated()
    told = under_way(DECISIONS[decision], monkeypatch)
    assert isinstance(told, Refused), told
    run_through()
    committed_books.agree(*SENT, posted=3)
    committed_books.settled()
    assert rows("SELECT status, count(*) FROM hub_dispatch GROUP BY 1") == [("delivered", 1)]


@pytest.mark.parametrize(("outcome", "reference"), [("delivered", "GL-BY-HAND"), ("absent", "")])
def test_F_E7_a_call_in_doubt_is_not_resolved_while_it_is_looked_up(
    committed_books: Books, monkeypatch: pytest.MonkeyPatch, outcome: str, reference: str
) -> None:
    """The partner is being asked: whoever would say it by hand is told to wait, and the partner's own word counts."""
    left_in_doubt(committed_books)
    make_due()
    told = under_way(lambda: _resolve(outcome, reference), monkeypatch)
    assert isinstance(told, Refused)
    assert told.code == "DISPATCH_UNDER_WAY"
    run_through()
    committed_books.agree(*SENT, posted=3)
    assert Journal.objects.get().erp_reference != "GL-BY-HAND"


def test_F_E7_two_people_who_say_the_opposite_at_once_are_not_both_believed(committed_books: Books) -> None:
    """One of them wins; the other is told that nothing is in doubt any more. The journal is there once."""
    left_in_doubt(committed_books)
    (theirs,) = committed_books.erp.ask("GET", f"/v1/journals?external_key={_call().pk}")["items"]
    told = at_once(lambda: _resolve("delivered", theirs["id"]), lambda: _resolve("absent"))
    refused = [one for one in told if isinstance(one, Refused)]
    assert [one.code for one in refused] == ["STATE_MOVE"]
    run_through()
    committed_books.agree(*SENT, posted=3)
    committed_books.settled()


def test_F_E7_what_a_person_settled_is_not_unsettled_by_an_answer_that_comes_later(
    committed_books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where the guard is blind (the sender's session is gone, its lane is not): a settled call stays settled."""
    left_in_doubt(committed_books)
    (theirs,) = committed_books.erp.ask("GET", f"/v1/journals?external_key={_call().pk}")["items"]
    make_due()
    monkeypatch.setattr(lanes, "is_leased", lambda *_: False)
    told = under_way(lambda: _resolve("delivered", theirs["id"]), monkeypatch)
    assert isinstance(told, Dispatch)
    settled = rows("SELECT status, reference, settled_at FROM hub_dispatch")
    run_through()
    assert rows("SELECT status, reference, settled_at FROM hub_dispatch") == settled
    assert rows("SELECT count(*) FROM hub_fact WHERE name LIKE 'journal.posted/%%'") == [(1,)]
    committed_books.agree(*SENT, posted=3)
    committed_books.settled()
