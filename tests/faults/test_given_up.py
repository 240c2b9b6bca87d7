"""A call that is older than its endpoint's maximum age: nothing is dropped, a person decides, order is kept (R-7)."""

from datetime import timedelta

import pytest

from erp.models import Journal
from hub import access, interventions, verification
from hub.errors import NotAllowed, Refused
from hub.models import Delivery, Dispatch, ExceptionCase
from tests import world
from tests.faults.kit import Books, asked_of_erp, cases, make_due, rows, run_through
from tests.world import dft, ft1

SENT = [dft(f"M{n}", f"A{n % 3}", ft1(f"T{n}", "STENT", "1", "2000")) for n in range(6)]
LATER = dft("L", "A0", ft1("L", "STENT", "1", "2000"))


def grow_old(hours: int = 76) -> None:
    """All open calls were made so long ago."""
    for call in Dispatch.objects.filter(settled_at__isnull=True):
        call.created_at -= timedelta(hours=hours)
        call.save(update_fields=["created_at"])


def statuses(key: str) -> list[str]:
    """What became of an account's deliveries to the ERP, in their order."""
    return list(Delivery.objects.filter(key=key, route="journals.post").order_by("id").values_list("status", flat=True))


def give_up(books: Books) -> Dispatch:
    """Six charges of three accounts in one call that nobody takes for 75 hours; a seventh charge comes after it."""
    world.receive(*SENT)
    books.fault("unavailable")
    world.run_until_quiet()
    world.receive(LATER)
    world.run_until_quiet()
    grow_old()
    make_due()
    world.run_until_quiet()
    return Dispatch.objects.get(status="given_up")


def test_R_7_after_75_hours_a_call_stops_with_a_case_and_nothing_is_dropped(books: Books) -> None:
    """One case of the route's owner; each account's first delivery stops, and all others stand behind it in order."""
    call = give_up(books)
    assert (call.attempts, call.deliveries, call.code) == (2, 6, "DELIVERY_EXPIRED")
    assert call.settled_at is not None
    assert [statuses(f"A{n}") for n in range(3)] == [
        ["stopped", "blocked", "blocked"],
        ["stopped", "blocked"],
        ["stopped", "blocked"],
    ]
    assert sorted(rows("SELECT key FROM hub_stop")) == [("A0",), ("A1",), ("A2",)]
    case = ExceptionCase.objects.get(code="DELIVERY_EXPIRED")
    assert (case.owner, case.status, case.subject) == ("finance", "open", f"dispatch:{call.pk}")
    assert list(Journal.objects.values_list("status", flat=True)) == ["rejected"]
    books.erp.heal()
    assert books.totals()["journals"] == 0


def test_what_was_given_up_breaks_no_invariant(books: Books) -> None:
    """The nightly look finds a decision to be made, and no defect."""
    give_up(books)
    found = verification.run(verification.Span(verification.OLDEST, verification.OLDEST))
    assert [(one.check.name, one.violations) for one in found if one.state not in {"ok", "nothing"}] == []


def test_R_7_a_call_is_tried_once_more_before_it_is_given_up(books: Books) -> None:
    """However old it got while nobody could try: if the partner takes it now, it is taken."""
    world.receive(*SENT)
    books.fault("unavailable", times=1)
    world.run_until_quiet()
    grow_old()
    run_through()
    books.agree(*SENT, posted=6)
    assert cases() == {}


def test_R_7_what_may_have_been_done_is_never_given_up(books: Books) -> None:
    """In doubt for a week, it is still looked up under its key, and found: posted once."""
    world.receive(*SENT)
    books.fault("commit_then_die", times=1)
    world.run_until_quiet()
    call = Dispatch.objects.get(status="in_doubt")
    grow_old(hours=200)
    books.fault("unavailable")
    make_due()
    world.run_until_quiet()
    call.refresh_from_db()
    assert call.status == "in_doubt"
    books.erp.heal()
    run_through()
    books.agree(*SENT, posted=6)
    books.settled()


def test_R_7_a_retry_begins_a_new_age_under_a_new_key_and_posts_everything_once(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call's button puts back all that stopped; later ones follow, the case closes, and no look-up is needed."""
    call = give_up(books)
    books.erp.heal()
    asked = asked_of_erp(monkeypatch)
    assert interventions.retry_dispatch(call, by=access.SYSTEM) == 3
    assert cases()["DELIVERY_EXPIRED", "resolved"] == 1
    with pytest.raises(Refused, match="STATE_MOVE"):
        interventions.retry_dispatch(call, by=access.SYSTEM)
    run_through()
    assert set(asked) == {"send"}
    books.agree(*SENT, LATER, posted=7)
    books.settled()
    assert rows("SELECT key FROM hub_stop") == []
    assert call.pk not in Dispatch.objects.filter(status="delivered").values_list("pk", flat=True)


def test_a_delivery_that_is_waived_lets_those_behind_it_go_on_in_order(books: Books) -> None:
    """Skip with a reason: the first of A0 is never made, its two later ones arrive in order, the rest is retried."""
    call = give_up(books)
    books.erp.heal()
    first, *others = Delivery.objects.filter(dispatch_id=call.pk, status="stopped").order_by("id")
    with pytest.raises(Refused, match="CASE_REASON"):
        interventions.waive_delivery(first, reason=" ", by=access.SYSTEM)
    with pytest.raises(NotAllowed, match="ACCESS_VERB"):
        interventions.retry_dispatch(call, by=access.person(world.user("nobody")))
    assert statuses("A0") == ["stopped", "blocked", "blocked"]

    interventions.waive_delivery(first, reason="Posted by hand in the ERP.", by=access.SYSTEM)
    run_through()
    assert statuses("A0") == ["waived", "delivered", "delivered"]
    behind = Delivery.objects.filter(key="A0", status="delivered", route="journals.post").order_by("id")
    calls = [Dispatch.objects.get(pk=one.dispatch_id).pk for one in behind]
    assert calls == sorted(calls)
    assert statuses("A1") == ["stopped", "blocked"]
    assert cases()["DELIVERY_EXPIRED", "open"] == 1  # two accounts still wait for a decision

    for delivery in others:
        interventions.retry_delivery(delivery, by=access.SYSTEM)
    assert cases()["DELIVERY_EXPIRED", "resolved"] == 1
    run_through()
    assert books.totals()["distinct_references"] == 6
    books.settled()
