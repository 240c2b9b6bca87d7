"""Order under refusals: no later call of a key goes out before what came of the one that was refused (R-4, F-E4)."""

from dataclasses import replace
from typing import Any

import pytest

from hub import access, interventions, outbox, pipeline
from hub.models import Delivery, Dispatch
from hub.routing import Outbound, Outcome, registry
from tests import world
from tests.faults.kit import Books, make_due, rows, run_through
from tests.world import dft, ft1


@pytest.fixture
def small_calls(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Calls of at most two charges, and what each call that the partner took or refused was about, in order."""
    route = registry.routes["journals.post"]
    assert isinstance(route, Outbound)
    sent: list[list[str]] = []

    def send(endpoint: Any, key: Any, facts: Any) -> Outcome:
        sent.append([fact.account for fact in facts])
        return route.send(endpoint, key, facts)

    monkeypatch.setitem(registry.routes, route.name, replace(route, send=send, limit=4))  # two legs a charge
    return sent


def arrive(*accounts: str) -> list[bytes]:
    """One charge of each account in this order, up to the ERP's door; the accounts have one lane."""
    sent = [dft(f"M{n}", account, ft1(f"T{n}", "STENT", "1", "2000")) for n, account in enumerate(accounts)]
    for one in sent:
        world.receive(one)
        pipeline.drain()
        outbox.drain()
    return sent


def order_of(key: str) -> list[Any]:
    """When each delivery of the account was settled: its calls, in the order of the deliveries."""
    return list(Delivery.objects.filter(key=key, route="journals.post").order_by("id").values_list("status", flat=True))


def test_R_4_a_call_behind_a_refused_one_does_not_overtake_it(books: Books, small_calls: list[list[str]]) -> None:
    """Calls [A1 A2] [A1 A3]: the first is refused once as a whole and halved; the second waits until A1 went out."""
    sent = arrive("A1", "A2", "A1", "A3")
    books.fault("reject", times=1, code="period_closed")
    run_through()
    books.agree(*sent, posted=4)
    books.settled()
    assert small_calls[0] == ["A1", "A2"]
    after = [account for call in small_calls[1:] for account in call]
    assert sorted(after) == ["A1", "A1", "A2", "A3"]
    # the first fact of A1 was posted by a call that came before the one with its second fact
    calls = rows(
        "SELECT o.settled_at, o.id FROM hub_delivery d JOIN hub_dispatch o ON o.id = d.dispatch_id"
        " WHERE d.key = 'A1' AND d.route = 'journals.post' ORDER BY d.id"
    )
    assert calls[0] < calls[1]
    assert Dispatch.objects.filter(code="BEHIND", status="rejected").count() == 1


def test_R_4_a_later_fact_waits_behind_one_that_stops(books: Books, small_calls: list[list[str]]) -> None:
    """A1's first fact is refused for good: its second, in the next call, stands behind it; A2 and A3 are posted."""
    sent = arrive("A1", "A2", "A1", "A3")
    books.fault("reject", times=2, code="period_closed")  # the call of two, then the half with A1 alone
    run_through()
    assert order_of("A1") == ["stopped", "blocked"]
    assert (order_of("A2"), order_of("A3")) == (["delivered"], ["delivered"])
    interventions.retry_delivery(Delivery.objects.get(status="stopped"), by=access.SYSTEM)
    run_through()
    books.agree(*sent, posted=4)
    books.settled()


def test_R_4_a_call_that_waits_for_its_time_does_not_go_before_the_halves(
    books: Books, small_calls: list[list[str]]
) -> None:
    """Both calls wait while the partner is away; then the first is refused: the second is taken apart, not sent."""
    sent = arrive("A1", "A2", "A1", "A3")
    books.fault("unavailable", times=1)
    world.run_until_quiet()
    assert Dispatch.objects.filter(status="waiting").count() == 2
    make_due()
    small_calls.clear()
    books.fault("reject", times=1, code="period_closed")
    run_through()
    books.agree(*sent, posted=4)
    firsts = [call for call in small_calls if "A1" in call]
    assert firsts[0] == ["A1", "A2"]
    assert all(call != ["A1", "A3"] for call in small_calls[:2])
    books.settled()


def test_a_call_with_other_keys_behind_a_refused_one_goes_out_at_once(
    books: Books, small_calls: list[list[str]]
) -> None:
    """Only the keys that were refused wait."""
    sent = arrive("A1", "A2", "A3", "A4")
    books.fault("reject", times=1, code="period_closed")
    run_through()
    books.agree(*sent, posted=4)
    assert small_calls[:2] == [["A1", "A2"], ["A3", "A4"]]
    assert Dispatch.objects.filter(code="BEHIND").count() == 0
