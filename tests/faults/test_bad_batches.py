"""A bug in a verb, met by one document of a batch: halved until the culprit stands alone; the others go through."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from billing.flows import holds
from billing.models import Charge
from erp.models import JournalLine
from hub import access, interventions, outbox, pipeline
from hub.errors import Transient
from hub.models import Delivery, Endpoint, ExceptionCase, Message
from hub.routing import Inbound, Part, Reaction, registry
from tests import world
from tests.faults.kit import Books, cases, rows, run_through
from tests.world import dft, ft1

SENT = tuple(dft(f"M{n}", f"A{n % 5}", ft1(f"T{n}", "STENT", "1", "2000")) for n in range(15))


def break_capture(monkeypatch: pytest.MonkeyPatch, transaction: str, error: Exception) -> None:
    """`apply` of charges fails whenever this transaction is among its parts, after it has written all of them."""
    route = registry.routes["charges.dft"]
    assert isinstance(route, Inbound)

    def apply(parts: Sequence[Part], **by: Any) -> None:
        route.apply(parts, **by)
        if any(part.document.transaction_id == transaction for part in parts):
            raise error

    broken = replace(route, apply=apply)
    monkeypatch.setitem(registry.routes, route.name, broken)
    for kind in route.kinds:
        monkeypatch.setitem(registry._inbound, (route.format, kind), broken)


def statuses(model: Any = Message) -> dict[str, int]:
    """How many rows there are by status."""
    return dict(rows(f"SELECT status, count(*) FROM {model._meta.db_table} GROUP BY 1"))


def test_F_P2_the_culprit_of_a_batch_stops_with_its_account_and_nobody_else(
    books: Books, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One bug, one case; later ones of its account wait and follow in order once it is mended and retried."""
    break_capture(monkeypatch, "T2", ValueError("a bug that met patient 4711"))
    world.receive(*SENT)
    run_through()
    assert statuses() == {"applied": 12, "stopped": 1, "blocked": 2}
    assert list(Message.objects.filter(status="blocked").values_list("key", flat=True)) == ["A2", "A2"]
    case = ExceptionCase.objects.get()
    assert (case.code, case.severity, case.message_id) == ("BUG", 2, Message.objects.get(status="stopped").pk)
    assert "4711" not in case.text + Message.objects.get(status="stopped").problem  # type and place, never values
    assert "ValueError" in case.text
    assert "ValueError" in caplog.text
    assert "4711" not in caplog.text
    books.agree(posted=12)

    monkeypatch.undo()
    interventions.retry_message(Message.objects.get(status="stopped"), by=access.SYSTEM)
    run_through()
    books.agree(*SENT, posted=15)
    assert cases() == {("BUG", "resolved"): 1}
    keys = list(Charge.objects.filter(account="A2").order_by("id").values_list("line_key", flat=True))
    assert keys == ["T2", "T7", "T12"]


def test_waiving_the_culprit_lets_its_account_go_on_without_it(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its money is in no book and the message says who let it go."""
    break_capture(monkeypatch, "T2", ValueError("a bug"))
    world.receive(*SENT)
    run_through()
    interventions.waive_message(Message.objects.get(status="stopped"), reason="cancelled by phone", by=access.SYSTEM)
    run_through()
    assert statuses() == {"applied": 14, "waived": 1}
    books.agree(*(one for n, one in enumerate(SENT) if n != 2), posted=14)
    assert cases() == {("BUG", "waived"): 1}


def test_what_is_transient_waits_and_stops_nothing(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """The batch is rolled back whole and comes again; no case, no attempt, no stop."""
    break_capture(monkeypatch, "T2", Transient("ELSEWHERE", "not now"))
    world.receive(*SENT)
    assert pipeline.process() == 0
    assert statuses() == {"received": 15}
    assert rows("SELECT count(*) FROM hub_lane WHERE token IS NOT NULL") == [(0,)]
    monkeypatch.undo()
    run_through()
    books.agree(*SENT, posted=15)
    assert cases() == {}


def test_a_bug_in_a_reaction_stops_its_own_fact(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """Allocation fails for one account's fact: the others are posted, and its own follow in order after the retry."""
    route = registry.routes["journals.allocate"]
    assert isinstance(route, Reaction)

    def apply(heard: Sequence[Any], **by: Any) -> Any:
        answer = route.apply(heard, **by)
        if any(line.line_key == "T3" for one in heard for line in one.fact.lines):
            raise KeyError("a bug")
        return answer

    monkeypatch.setattr(
        outbox,
        "reactions",
        lambda: [replace(one, apply=apply) if one is route else one for one in registry.of(Reaction)],
    )
    world.receive(*SENT)
    run_through()
    stopped = Delivery.objects.get(status="stopped")
    assert (stopped.key, stopped.problem_code) == ("A3", "BUG")
    assert Delivery.objects.filter(status="blocked", key="A3").count() == 2
    books.agree(*SENT, posted=12)

    monkeypatch.undo()
    interventions.retry_delivery(stopped, by=access.SYSTEM)
    run_through()
    books.agree(*SENT, posted=15)
    books.settled()


def test_a_charge_without_a_known_cost_stops_its_account_and_goes_on_when_it_has_one(books: Books) -> None:
    """ALLOC_FAILED names the code; once it has a standard cost a retry posts it and what waited behind it."""
    sent = (
        dft("G1", "A1", ft1("G1", "GAUZE", "1", "4.5")), dft("G2", "A1", ft1("G2", "STENT", "1", "2000")),
        dft("G3", "A2", ft1("G3", "STENT", "1", "2000")),
    )  # fmt: skip
    world.receive(*sent)
    run_through()
    case = ExceptionCase.objects.get()
    assert (case.code, case.owner) == ("ALLOC_FAILED", "finance")
    assert "GAUZE" in case.text
    books.agree(*sent, posted=1)
    interventions.waive_delivery(Delivery.objects.get(status="stopped"), reason="no cost kept", by=access.SYSTEM)
    run_through()
    books.agree(*sent, posted=2)
    assert statuses(Charge) == {"captured": 1, "posted": 2}


def test_a_negative_charge_that_is_accepted_is_posted_with_the_sides_changed(books: Books, network: Endpoint) -> None:
    """Accepted as it stands, its cost goes back: expense is credited, clearing debited, and no leg is negative."""
    sent = dft("N1", "A1", ft1("N1", "STENT", "-2", "-4000"))
    world.receive(sent)
    run_through()
    charge = Charge.objects.get()
    assert (charge.status, charge.hold_code) == ("held", "CHG_SIGN_AMBIGUOUS")
    holds.accept(charge, reason="a correction in their way", by=access.SYSTEM)
    run_through()
    books.agree(posted=1)

    assert Charge.objects.get().status == "posted"
    assert list(JournalLine.objects.order_by("leg").values_list("account", "debit", "credit")) == [
        ("6225", Decimal(0), Decimal("1700.50")), ("1420", Decimal("1700.50"), Decimal(0)),
    ]  # fmt: skip
