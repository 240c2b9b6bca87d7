"""Is this code valid on this date?"""

from datetime import date
from typing import Any

import pytest

from hub import routing
from hub.models import Partner
from mappings.canonical import DimensionQuestion, DimensionVerdict
from mappings.models import CostCenter, Department, Item

DAY = date(2026, 11, 22)


def ask(kind: str, code: str, facility: str = "", on: date = DAY) -> DimensionVerdict:
    """The question as any domain puts it, through the hub."""
    found: DimensionVerdict = routing.ask(DimensionQuestion(kind=kind, code=code, on=on, facility=facility))
    return found


def test_each_kind_is_answered_in_one_query(carebill: Partner, django_assert_num_queries: Any) -> None:
    """Cost centre, account, department, item, facility and service line: valid, with their names."""
    Item.objects.create(code="I1", name="Item")
    asked = {"cost_center": "CC-R110", "gl_account": "6210", "department": "R110", "item": "I1", "facility": "RIVER",
             "service_line": "CARDIAC"}  # fmt: skip
    for kind, code in asked.items():
        with django_assert_num_queries(1):
            verdict = ask(kind, code)
        assert (verdict.valid, verdict.code, verdict.reason) == (True, code, "")
        assert verdict.name


@pytest.mark.parametrize(
    ("change", "reason", "text"),
    [
        ({"active": False}, "inactive", "Activate it in the ERP"),
        ({"valid_from": date(2026, 12, 1)}, "not_yet_valid", "valid from 2026-12-01 on"),
        ({"valid_to": date(2026, 11, 1)}, "expired", "valid until 2026-11-01"),
        ({"postable": False}, "not_postable", "use one of those below"),
    ],
)
def test_a_no_comes_with_its_reason(carebill: Partner, change: dict[str, Any], reason: str, text: str) -> None:
    """Every no is a word and a sentence that says what to do."""
    CostCenter.objects.filter(code="CC-R110").update(**change)
    verdict = ask("cost_center", "CC-R110")
    assert (verdict.valid, verdict.reason) == (False, reason)
    assert text in verdict.text


def test_a_facility_limits_what_belongs_to_one(carebill: Partner) -> None:
    """RIVER's cost centre is unknown at NORTH; a department code of two hospitals needs the hospital's name."""
    assert ask("cost_center", "CC-R110", "NORTH").text == "There is no cost center 'CC-R110' at NORTH."
    assert ask("department", "R110", "RIVER").valid is True
    other = Department.objects.get(code="N110")
    Department.objects.create(code="R110", name="x", facility=other.facility, cost_center=other.cost_center)
    assert "name the facility" in ask("department", "R110").text


def test_an_unknown_kind_is_told_which_there_are(db: None) -> None:
    """A kind that nobody knows gets the list of those that are."""
    assert ask("planet", "X").text.startswith("There is no kind of dimension 'planet'")
