"""A message's whole way in a handful of hops: there and back, with times, what is stuck, and few statements."""

from decimal import Decimal
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

from hub import access, ids, lineage, outbox, pipeline, trail
from hub.models import Delivery, Dispatch, Endpoint, ExceptionCase, Fact, Message
from hub.viewer import Viewer
from mappings.models import ChargeCode
from tests import world
from tests.faults.conftest import books, cheap_passwords, erp_process, network, no_kept_connections
from tests.faults.kit import Books, run_through
from tests.world import dft, ft1

__all__ = ["books", "cheap_passwords", "erp_process", "network", "no_kept_connections"]
WAY = ["received", "read", "charged", "allocated", "posted", "heard"]
STATEMENTS = 16


def boss() -> Viewer:
    """Somebody who may see everything."""
    user = world.User.objects.filter(username="boss").first() or world.User.objects.create_superuser("boss")
    world.FacilityGrant.objects.get_or_create(user=user, facility="*")
    return Viewer(access.person(user))


def way(control_id: str = "M1") -> list[Any]:
    """The hops of a message."""
    return lineage.tell(message(control_id), boss()).hops


def message(control_id: str = "M1") -> Message:
    """As the page reads it."""
    found = lineage.message_of(Message.objects.get(control_id=control_id).pk)
    assert found is not None
    return found


def states(control_id: str = "M1") -> dict[str, str]:
    """The state of each hop, in order."""
    return {hop.name: hop.state for hop in way(control_id)}


def ahead(first: str) -> list[tuple[str, str]]:
    """This hop and all after it, still to come."""
    return [(name, "ahead") for name in WAY[WAY.index(first) :]]


def test_a_charge_is_followed_to_the_erp_and_back_to_billing(books: Books) -> None:
    """Six hops, all done, each with its time, none before the one that caused it; money and the ERP's reference."""
    world.receive(dft("M1", "A1", ft1("T1", "STENT", "2", "4000"), ft1("T2", "BALLOON", "1", "310")))
    run_through()
    hops = way()
    assert [(hop.name, hop.state) for hop in hops] == [(name, "done") for name in WAY]
    assert all(hop.at is not None for hop in hops)
    assert all(hop.took_s is not None and hop.took_s >= 0 for hop in hops[1:])
    by_name = {hop.name: hop for hop in hops}
    assert (by_name["charged"].amount, by_name["charged"].text) == (Decimal(4310), "2 posted")
    assert by_name["allocated"].amount == Decimal("1795.60")
    (call,) = Dispatch.objects.all()
    assert by_name["posted"].reference == call.reference != ""


def test_the_usual_message_takes_so_many_statements_however_many_there_are(books: Books) -> None:
    """Hops and every step together; a hundred more messages in the tables change nothing."""
    world.receive(dft("M1", "A1", ft1("T1", "STENT", "2", "4000")))
    run_through()
    counts = []
    for more in range(2):
        one, who = message(), boss()
        with CaptureQueriesContext(connection) as captured:
            lineage.tell(one, who)
        counts.append(len(captured))
        world.receive(*[dft(f"N{n}x{more}", f"B{n}", ft1(f"N{n}x{more}", "STENT")) for n in range(100)])
        run_through()
    assert Message.objects.count() == 201
    assert counts == [STATEMENTS, STATEMENTS]


def test_what_a_journal_gathers_leads_back_to_every_message_and_to_no_other(books: Books) -> None:
    """Three messages share a journal; a fourth comes later. Each leads to its own, and each journal to its own."""
    world.receive(*[dft(f"M{n}", f"A{n}", ft1(f"T{n}", "STENT", "1", "2000")) for n in range(3)])
    run_through()
    world.receive(dft("M9", "A9", ft1("T9", "STENT", "1", "2000")))
    run_through()
    first, second = Dispatch.objects.order_by("id")
    names = dict(Message.objects.values_list("pk", "control_id"))
    behind = [[names[one] for one in trail.behind_call(call.pk)[0]] for call in (first, second)]
    assert behind == [["M0", "M1", "M2"], ["M9"]]
    for name, call in (("M0", first), ("M2", first), ("M9", second)):
        assert trail.of_message(message(name)).dispatch_ids == [call.pk]


def test_members_of_one_batch_share_a_correlation_id_and_not_a_lineage(books: Books) -> None:
    """Each leads to its own facts alone, those that its facts caused included."""
    body = b"".join(dft(f"M{n}", f"A{n}", ft1(f"T{n}", "STENT", "1", "2000")) for n in range(3))
    world.receive(body)
    run_through()
    assert Message.objects.values("correlation_id").distinct().count() == 1
    for number in range(3):
        assert {fact.key for fact in trail.of_message(message(f"M{number}")).facts} == {f"A{number}"}
    assert Fact.objects.count() == 7  # a charge and an allocation each, and one journal for all of them


def test_what_is_to_come_is_shown_as_such_until_it_has_come(books: Books) -> None:
    """Each step of the work turns one hop, and nothing is told as done before it is."""
    world.receive(dft("M1", "A1", ft1("T1", "STENT", "1", "2000")))
    assert list(states().items()) == [("received", "done"), ("read", "moving"), *ahead("charged")]
    pipeline.drain()
    assert states() == {"received": "done", "read": "done", "charged": "done", "allocated": "moving", "posted": "ahead",
                        "heard": "ahead"}  # fmt: skip
    outbox.drain()
    assert list(states().values()) == ["done"] * 4 + ["moving", "ahead"]
    run_through()
    assert list(states().values()) == ["done"] * 6


def test_a_line_without_a_code_is_red_at_its_charges_with_the_case_to_open(books: Books) -> None:
    """Its neighbour goes on to the ledger meanwhile."""
    world.receive(dft("M1", "A1", ft1("T1", "STENT", "1", "2000"), ft1("T2", "STENT", "1", "2000", "CATHLAB2")))
    run_through()
    charged = next(hop for hop in way() if hop.name == "charged")
    assert (charged.state, charged.text) == ("stuck", "1 held, 1 posted")
    assert [case.code for case in charged.cases] == ["MAP_MISSING"]
    assert states()["posted"] == "done"


def test_a_message_that_cannot_be_read_is_red_there_and_the_one_behind_it_says_so(books: Books) -> None:
    """The case stands at the hop where it stopped."""
    bad = dft("M1", "A1", ft1("T1", "STENT", "1", "2000", service="not a day"))
    world.receive(bad, dft("M2", "A1", ft1("T2", "STENT", "1", "2000")))
    run_through()
    (case,) = ExceptionCase.objects.all()
    for name in ("M1", "M2"):
        read = next(hop for hop in way(name) if hop.name == "read")
        assert (read.state, [one.pk for one in read.cases]) == ("stuck", [case.pk])
        assert list(states(name).items())[2:] == ahead("charged")


def test_what_the_erp_refuses_is_red_at_the_journal_with_its_case(books: Books) -> None:
    """The partner's own words are told there."""
    books.erp.ask("PUT", "/_sandbox/reference/cost-centers/CC-R110", {"active": False})
    try:
        world.receive(dft("M1", "A1", ft1("T1", "STENT", "1", "2000")))
        run_through()
    finally:
        books.erp.ask("PUT", "/_sandbox/reference/cost-centers/CC-R110", {"active": True})
    posted = next(hop for hop in way() if hop.name == "posted")
    assert (posted.state, [case.code for case in posted.cases]) == ("stuck", ["ALLOC_FAILED"])
    assert "refused" in posted.text
    assert states()["heard"] == "ahead"


def test_charges_that_cost_nothing_skip_the_ledger_and_are_heard_of(books: Books) -> None:
    """No journal is promised where none will come."""
    ChargeCode.objects.filter(code="GAUZE").update(unit_cost=0)
    world.receive(dft("M1", "A1", ft1("T1", "GAUZE", "1", "4.50")))
    run_through()
    assert states() == dict.fromkeys(["received", "read", "charged", "allocated", "heard"], "done")
    assert Delivery.objects.filter(route="journals.post").count() == 0


def test_who_sees_one_facility_is_told_nothing_of_anothers_cases(books: Books) -> None:
    """The hop is red for them, too; the case is not theirs to open."""
    world.receive(dft("M1", "A1", ft1("T1", "STENT", "1", "2000", "CATHLAB2")))
    run_through()
    seer = world.user("seer", "hub.view_exceptioncase", "billing.view_charge", facility="NORTH")
    told = lineage.tell(message(), Viewer(access.person(seer))).hops
    assert [case for hop in told for case in hop.cases] == []


def test_the_senders_own_ids_are_kept_as_given_and_bounded(network: Endpoint) -> None:
    """From the place that its endpoint names; what is no printable text is as if it had not been sent."""
    network.settings = {"correlation_id": "ZTR-2"}
    network.save()
    given = {"M1": "order-4711", "M2": "x" * 201, "M3": "caf\u00e9", "M4": ""}
    for name, value in given.items():
        raw = dft(name, name, ft1(f"T{name}", "STENT", "1", "2000")) + f"ZTR|1|{value}^more\r".encode()
        assert world.receive(raw) == ["AA"]
    kept = dict(Message.objects.values_list("control_id", "origin"))
    assert kept == {"M1": {"correlation_id": "order-4711"}, "M2": None, "M3": None, "M4": None}
    assert Message.objects.get(control_id="M1").correlation_id != ids.uuid7()


def test_a_sender_that_repeats_its_id_shares_it_with_nobody(network: Endpoint) -> None:
    """Two messages under one id of the sender's have a correlation id of ours each."""
    network.settings = {"correlation_id": "MSH-13"}
    network.save()
    for name in ("M1", "M2"):
        world.receive(dft(name, "A1", ft1(f"T{name}", "STENT", "1", "2000")).replace(b"|2.5.1\r", b"|2.5.1|same\r"))
    rows = Message.objects.values_list("origin", "correlation_id")
    assert [origin for origin, _ in rows] == [{"correlation_id": "same"}] * 2
    assert len({ours for _, ours in rows}) == 2
