"""What a code probably means, and why."""

from datetime import date
from typing import Any

import pytest

from hub.models import Partner
from mappings.flows import suggestions
from mappings.flows.suggestions import Suggestion, abbreviation
from mappings.models import ChargeCode, Department
from tests.mappings import network


@pytest.fixture(autouse=True)
def departments(carebill: Partner) -> None:
    """RIVER gets a second laboratory and a pharmacy."""
    first = Department.objects.get(code="R110")
    Department.objects.filter(code="R110").update(name="Cardiac Catheterization Laboratory")
    for code, name in (("R115", "Cardiac Catheterization Laboratory 2"), ("R190", "Heart Pharmacy")):
        Department.objects.create(code=code, name=name, facility=first.facility, cost_center=first.cost_center)


def suggest(code: str, text: str = "", domain: str = "department", facility: str = "RIVER", **more: Any) -> list[Any]:
    """Suggestions for carebill."""
    return suggestions.suggest(partner="carebill", domain=domain, code=code, text=text, facility=facility, **more)


def test_a_code_that_is_short_for_a_name_finds_it() -> None:
    """CATHLAB2 is the second catheterization laboratory, the first one comes after it, and the reason is spelt out."""
    first, second = suggest("CATHLAB2")
    assert (first.code, second.code) == ("R115", "R110")
    assert first.why == "CATHLAB2 may be short for “Cardiac Catheterization Laboratory 2” (CATH+LAB+2)."
    assert first.score > second.score


def test_our_own_code_and_the_senders_description_come_before_likeness() -> None:
    """The same code scores 100, the same description 98, a like one less; each says why."""
    assert suggest("r190")[0] == Suggestion("R190", "Heart Pharmacy", 100, "It is our own code.")
    assert (suggest("X", "heart pharmacy")[0].code, suggest("X", "heart pharmacy")[0].score) == ("R190", 98)
    near = suggest("X", "Pharmacy heart center")[0]
    assert near.code == "R190"
    assert near.score < 98
    assert "which is like “Heart Pharmacy”" in near.why


def test_what_the_code_means_elsewhere_is_told(carebill: Partner) -> None:
    """Another partner's mapping of the same code is a good reason; a retired one of our own says so."""
    other = Partner.objects.create(code="medibill", name="Medibill", kind="billing")
    network.approved(other, "department", "HP", "R190")
    assert suggest("HP")[0].why == "medibill's HP means this."
    network.approved(
        carebill, "department", "HP2", "R190", facility="RIVER", status="retired", valid_to=date(2026, 1, 1)
    )
    assert suggest("HP2")[0].why == "carebill's HP2 at RIVER had this meaning until it was retired."


def test_only_what_can_be_chosen_is_suggested() -> None:
    """Inactive records, other hospitals' departments and mere chance are not suggested; the limit holds."""
    Department.objects.filter(code="R115").update(active=False)
    assert [one.code for one in suggest("CATHLAB2")] == ["R110"]
    assert suggest("R110", facility="NORTH") == []
    assert suggest("QQQQ", "zzzz") == []
    assert len(suggest("CATHLAB", "Cardiac Catheterization Laboratory", limit=1)) == 1


def test_charge_codes_are_found_by_description_and_never_by_their_number() -> None:
    """Descriptions of a price list are compared; its numbers are not read as abbreviations."""
    ChargeCode.objects.create(code="99", name="Foam dressing, silicone border")
    assert suggest("1", "Silicone border foam dressing", domain="charge_code")[0].code == "99"
    assert suggest("FOAM", domain="charge_code") == []


def test_units_are_suggested_from_the_list() -> None:
    """Units of measure have no master table and are suggested all the same."""
    assert suggest("bx", domain="uom")[0].name == "Box"
    assert suggest("X", "Each", domain="uom")[0].code == "EA"


@pytest.mark.parametrize(
    ("code", "name", "pieces"),
    [
        ("CATHLAB2", "Cardiac Catheterization Laboratory 2", ["cath", "lab", "2"]),
        ("4WEST", "Medical Surgical 4 West", ["4", "west"]),
        ("ICU", "Intensive Care Unit", ["i", "c", "u"]),
        ("EMER", "Emergency Department", ["emer"]),
        ("ECHO-1", "Echocardiography", ["echo"]),
        ("XRAY", "Imaging", []),
        ("", "Imaging", []),
    ],
)
def test_abbreviations_are_read_as_beginnings_of_words(code: str, name: str, pieces: list[str]) -> None:
    """A code is read as beginnings of the name's words in order, as far as it goes, in as few pieces as can be."""
    assert abbreviation(code, name) == pieces
