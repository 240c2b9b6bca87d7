"""Credits find what they take back, never take more than is there, and wait when it is not (domain 5.1 rule 9)."""

import pytest

from billing.models import Charge
from hub import tasks
from hub.models import Endpoint, ExceptionCase, Partner, Waiting
from mappings.models import Mapping
from tests import world
from tests.world import dft, ft1

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def door(db: None, settings: object) -> Endpoint:
    """The small network; nothing is posted here, charges stay in flight."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # type: ignore[attr-defined]
    world.masters()
    made = world.billing()
    tasks.ensure_lanes()
    return made


def send(*messages: bytes) -> None:
    """Each message in a batch of its own."""
    for message in messages:
        assert world.receive(message) == ["AA"]
        world.run_until_quiet()


def credit(transaction: str, quantity: str = "1", original: str = "", **more: str) -> str:
    """A credit for stents."""
    amount = str(2000 * int(quantity))
    return ft1(transaction, "STENT", quantity, amount, kind="CD", original=original, **more)


def outcome() -> dict[str, tuple[str, str]]:
    """Status and reason by line key."""
    return {charge.line_key: (charge.status, charge.hold_code) for charge in Charge.objects.all()}


def originals() -> dict[str, str]:
    """Which line each credit takes back."""
    keys = dict(Charge.objects.values_list("id", "line_key"))
    return {charge.line_key: keys[charge.original_id] for charge in Charge.objects.exclude(original_id=None)}


def map_department(code: str, target: str) -> None:
    """The department has a meaning now, and what waits for it comes again."""
    Mapping.objects.create(
        partner=Partner.objects.get(code="carebill"), domain="department", source_code=code, target_code=target,
        status="approved", proposed_by=world.user("p"), approved_by=world.user("q"),
        approved_at=world.timezone.now(),
    )  # fmt: skip
    for case in ExceptionCase.objects.filter(code="MAP_MISSING", status="open"):
        world.pipeline.cases.release(case, by=world.pipeline.access.SYSTEM)
    world.run_until_quiet()


def test_a_credit_finds_its_charge_by_the_transaction_that_it_names() -> None:
    """FT1-31 decides, also where another charge would fit as well."""
    send(dft("M1", "A1", ft1("T1", "STENT", "1", "2000"), ft1("T2", "STENT", "1", "2000")))
    send(dft("M2", "A1", credit("C1", original="T2")))
    assert originals() == {"C1|CD": "T2"}


def test_a_credit_with_its_charges_own_transaction_id_finds_it() -> None:
    """Many senders give a credit the id of what it takes back."""
    send(dft("M1", "A1", ft1("T1", "STENT", "1", "2000")), dft("M2", "A1", credit("T1")))
    assert originals() == {"T1|CD": "T1"}


def test_a_credit_that_names_nothing_takes_the_first_with_enough_left() -> None:
    """By account, code and service date; a charge that is used up is passed over."""
    send(dft("M1", "A1", ft1("T1", "STENT", "1", "2000"), ft1("T2", "STENT", "2", "4000")))
    send(dft("M2", "A1", credit("C1", "2")), dft("M3", "A1", credit("C2")))
    assert originals() == {"C1|CD": "T2", "C2|CD": "T1"}


def test_a_charge_and_its_credit_in_one_message_find_each_other() -> None:
    """What was captured a line before is found although no table has it yet."""
    send(dft("M1", "A1", ft1("T1", "STENT", "1", "2000"), credit("C1", original="T1")))
    assert outcome() == {"T1": ("captured", ""), "C1|CD": ("captured", "")}


@pytest.mark.parametrize("together", [True, False])
def test_never_is_more_taken_back_than_was_charged(together: bool) -> None:
    """Three credits on two pieces: the third waits under a case, in one batch as in three."""
    send(dft("M1", "A1", ft1("T1", "STENT", "2", "4000")))
    three = [dft(f"C{n}", "A1", credit(f"C{n}", original="T1")) for n in range(3)]
    if together:
        world.receive(*three)
        world.run_until_quiet()
    else:
        send(*three)
    assert outcome()["C2|CD"] == ("held", "CREDIT_NO_ORIGINAL")
    assert [outcome()[f"C{n}|CD"][0] for n in range(2)] == ["captured", "captured"]
    assert Waiting.objects.count() == 1


def test_a_credit_of_another_account_does_not_take_this_ones_charge() -> None:
    """A transaction named by mistake on another account is no original."""
    send(dft("M1", "A1", ft1("T1", "STENT", "1", "2000")), dft("M2", "A2", credit("C1", original="T1")))
    assert outcome()["C1|CD"] == ("held", "CREDIT_NO_ORIGINAL")


def test_a_credit_that_names_nothing_leaves_another_partners_charge_alone() -> None:
    """Two billing systems may use one account number and one code for different things."""
    send(dft("M1", "A1", ft1("T1", "STENT", "1", "2000")))
    Charge.objects.update(partner="otherbill")
    send(dft("M2", "A1", credit("C1")))
    assert outcome()["C1|CD"] == ("held", "CREDIT_NO_ORIGINAL")


def test_a_credit_of_a_held_charge_goes_on_when_its_charge_does() -> None:
    """Charge without a code, credit with one: mapping the code captures both and closes both cases."""
    send(dft("M1", "A1", ft1("T1", "STENT", "1", "2000", "CATHLAB2")), dft("M2", "A1", credit("C1", original="T1")))
    assert outcome() == {"T1": ("held", "MAP_MISSING"), "C1|CD": ("held", "CREDIT_ORIGINAL_HELD")}
    map_department("CATHLAB2", "R115")
    assert outcome() == {"T1": ("captured", ""), "C1|CD": ("captured", "")}
    assert originals() == {"C1|CD": "T1"}
    assert set(ExceptionCase.objects.values_list("status", flat=True)) == {"resolved"}
    assert Charge.objects.get(line_key="C1|CD").department == "R115"


def test_a_charge_and_its_credit_that_both_lack_a_code_go_on_together() -> None:
    """Both waited for the same code; the credit finds its charge in the batch that releases them."""
    send(
        dft("M1", "A1", ft1("T1", "STENT", "2", "4000", "CATHLAB2")),
        dft("M2", "A1", credit("C1", original="T1", department="CATHLAB2")),
        dft("M3", "A1", credit("C2", original="T1", department="CATHLAB2")),
    )
    map_department("CATHLAB2", "R115")
    assert set(outcome().values()) == {("captured", "")}
    assert originals() == {"C1|CD": "T1", "C2|CD": "T1"}


def test_of_three_credits_on_a_held_charge_of_two_pieces_one_is_too_many() -> None:
    """What waits for a held charge has its share reserved: the third is told so at once."""
    send(dft("M1", "A1", ft1("T1", "STENT", "2", "4000", "CATHLAB2")))
    send(*(dft(f"C{n}", "A1", credit(f"C{n}", original="T1")) for n in range(3)))
    map_department("CATHLAB2", "R115")
    assert sorted(status for status, _ in outcome().values()) == ["captured", "captured", "captured", "held"]
    assert outcome()["C2|CD"] == ("held", "CREDIT_NO_ORIGINAL")
