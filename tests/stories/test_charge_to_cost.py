"""The journey charge-to-cost, from the first byte to the ERP's ledger, and what heals it on the way."""

from decimal import Decimal

from billing.models import Charge
from erp.models import Journal, JournalLine
from hub import access
from hub.models import Endpoint, ExceptionCase, Fact, Message, Waiting
from mappings.flows import mappings
from tests import world
from tests.world import dft, ft1


def statuses() -> dict[str, str]:
    """Charge status by the sender's transaction id."""
    return {charge.line_key: charge.status for charge in Charge.objects.all()}


def test_a_charge_reaches_the_ledger_at_its_cost(erp: world.Erp) -> None:
    """Two stents at a known cost become one balanced journal in the ERP, and the charge says posted."""
    assert world.receive(dft("M1", "A1", ft1("T1", "STENT", "2", "4000"))) == ["AA"]
    world.run_until_quiet()

    charge = Charge.objects.get()
    assert (charge.status, charge.department, charge.cost_center) == ("posted", "R110", "CC-R110")
    journal = Journal.objects.get()
    assert (journal.status, journal.total) == ("posted", Decimal("1700.50"))
    (found,) = erp.ask("GET", f"/v1/journals?external_key={journal.pk}")["items"]
    assert (found["id"], found["total_debit"]) == (journal.erp_reference, "1700.5000")
    legs = JournalLine.objects.order_by("leg").values_list("account", "cost_center", "debit", "credit")
    assert list(legs) == [
        ("6225", "CC-R110", Decimal("1700.50"), Decimal(0)),
        ("1420", "CC-R110", Decimal(0), Decimal("1700.50")),
    ]


def test_one_correlation_id_leads_from_the_message_to_the_allocation(erp: world.Erp) -> None:
    """Every fact that a message causes carries the message's correlation id."""
    world.receive(dft("M1", "A1", ft1("T1", "STENT", "1", "2000")))
    world.run_until_quiet()

    message = Message.objects.get()
    names = set(Fact.objects.filter(correlation_id=message.correlation_id).values_list("name", flat=True))
    assert names == {"charge.captured/1", "cost.allocated/1"}


def test_an_unmapped_department_holds_its_lines_and_only_them(erp: world.Erp) -> None:
    """Lines of an unknown department wait under one case with their money; everything else is posted."""
    world.receive(
        dft("M1", "A1", ft1("T1", "STENT", "1", "2000"), ft1("T2", "BALLOON", "1", "310", "CATHLAB2")),
        dft("M2", "A1", ft1("T3", "BALLOON", "1", "310", "OR")),
        dft("M3", "A2", ft1("T4", "STENT", "3", "6000", "CATHLAB2")),
    )
    world.run_until_quiet()

    assert statuses() == {"T1": "posted", "T2": "held", "T3": "posted", "T4": "held"}
    case = ExceptionCase.objects.get()
    assert (case.code, case.owner, case.data["code"]) == ("MAP_MISSING", "finance", "CATHLAB2")
    assert sorted(case.waiting.values_list("amount", flat=True)) == [Decimal(310), Decimal(6000)]


def test_mapping_the_department_posts_all_that_waited_in_order_and_closes_the_case(erp: world.Erp) -> None:
    """One person proposes, another approves: everything goes through in its original order and the case closes."""
    world.receive(*(dft(f"M{n}", f"A{n % 3}", ft1(f"T{n}", "STENT", "1", "2000", "CATHLAB2")) for n in range(12)))
    world.run_until_quiet()
    assert set(statuses().values()) == {"held"}

    door = Endpoint.objects.get(code="carebill-river")
    proposer = access.person(world.user("pat", "mappings.propose_mapping"))
    checker = access.person(world.user("sam", "mappings.approve_mapping", "hub.retry_exceptioncase"))
    mapping = mappings.propose(
        partner=door.partner, domain="department", source_code="CATHLAB2", target_code="R115", facility="RIVER",
        by=proposer,
    )  # fmt: skip
    mappings.approve(mapping, by=checker)
    world.run_until_quiet()

    assert set(statuses().values()) == {"posted"}
    assert ExceptionCase.objects.get().status == "resolved"
    assert Waiting.objects.count() == 0
    for account in ("A0", "A1", "A2"):
        captured = Fact.objects.filter(name="charge.captured/1", key=account).order_by("id")
        keys = [line[1] for fact in captured for line in fact.payload["lines"]]
        assert keys == sorted(keys, key=lambda key: int(key[1:]))
    assert erp.totals()["distinct_references"] == 12


def test_a_credit_takes_back_what_it_names_at_the_original_cost(erp: world.Erp) -> None:
    """A partial and a final credit bring the ledger back to zero, to the cent."""
    world.receive(dft("M1", "A1", ft1("T1", "STENT", "3", "6000")))
    world.run_until_quiet()
    world.receive(
        dft("M2", "A1", ft1("T2", "STENT", "1", "2000", kind="CD", original="T1")),
        dft("M3", "A1", ft1("T3", "STENT", "2", "4000", kind="CD", original="T1")),
    )
    world.run_until_quiet()

    assert {charge.status for charge in Charge.objects.all()} == {"posted"}
    assert sum(charge.amount for charge in Charge.objects.all()) == 0
    by_account: dict[str, Decimal] = {}
    for line in JournalLine.objects.all():
        by_account[line.account] = by_account.get(line.account, Decimal(0)) + line.debit - line.credit
    assert by_account == {"6225": Decimal(0), "1420": Decimal(0)}


def test_a_credit_that_arrives_before_its_charge_goes_on_when_the_charge_does(erp: world.Erp) -> None:
    """It waits under its own case, and needs nobody once the charge is there."""
    world.receive(dft("M1", "A1", ft1("T2", "STENT", "1", "2000", kind="CD", original="T1")))
    world.run_until_quiet()
    assert ExceptionCase.objects.get().code == "CREDIT_NO_ORIGINAL"

    world.receive(dft("M2", "A1", ft1("T1", "STENT", "1", "2000")))
    world.run_until_quiet()
    assert set(statuses().values()) == {"posted"}
    assert ExceptionCase.objects.get().status == "resolved"


def test_the_same_line_in_another_message_is_a_duplicate_and_costs_nothing(erp: world.Erp) -> None:
    """A business duplicate is kept, shown, and never posted; other content under the same id is a conflict."""
    world.receive(dft("M1", "A1", ft1("T1", "STENT", "1", "2000")))
    world.receive(dft("M2", "A1", ft1("T1", "STENT", "1", "2000")))
    world.receive(dft("M3", "A1", ft1("T1", "STENT", "5", "10000")))
    world.run_until_quiet()

    assert sorted(Charge.objects.values_list("status", flat=True)) == ["duplicate", "held", "posted"]
    assert ExceptionCase.objects.get().code == "CHG_CONFLICT"
    assert erp.totals()["debit"] == "850.2500"
