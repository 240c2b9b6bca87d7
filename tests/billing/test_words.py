"""A charge in our words: what is booked where, on which day, at what cost, and all that is missing."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.words import ChargeWords, translate_charges
from hub.models import Partner
from hub.routing import MissingCode, Part, Source
from mappings.canonical import Charge
from mappings.models import ChargeCode, CostCenter, Department, Facility, GLAccount, Period, ServiceLine, SharedCodes
from tests.mappings import network

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 22, 18, tzinfo=UTC)


@pytest.fixture(autouse=True)
def carebill(db: None) -> Any:
    """The small network, at noon of 22 November 2026 in Iowa."""
    with time_machine.travel(NOON, tick=False):
        yield network.build()


def part(**changes: Any) -> Part:
    """A line that can be booked, with some changes."""
    line = {
        "kind": "charge", "transaction_id": "T1", "account": "A1", "facility": "RIVER", "department": "CATHLAB",
        "charge_code": "2701001", "description": "Dressing, transparent", "quantity": Decimal(2),
        "service_date": date(2026, 11, 20),
    }  # fmt: skip
    id_ = UUID(int=1)
    return Part(Charge(**{**line, **changes}), Source(id_, 0, 1, "carebill", id_, NOON))


def words(**changes: Any) -> ChargeWords:
    """What one line is in our words."""
    one = part(**changes)
    translate_charges([one])
    assert one.missing == ()
    return one.words


def missing(**changes: Any) -> tuple[MissingCode, ...]:
    """What keeps one line from being booked."""
    one = part(**changes)
    translate_charges([one])
    assert one.words is None
    return one.missing


def test_a_known_line_gets_every_dimension() -> None:
    """Facility, department, cost centre, service line, accounts, cost and date of a mapped line are all filled."""
    assert words() == ChargeWords(
        facility="RIVER", department="R110", cost_center="CC-R110", service_line="CARDIAC", charge_code="2701001",
        revenue_code="0270", expense_account="6210", unit_cost=Decimal("3.12"), cost_basis="standard",
        price=Decimal("18.5"), currency="USD", posting_date=date(2026, 11, 22), late=False, by_default=False,
    )  # fmt: skip


def test_a_batch_costs_five_queries() -> None:
    """Three hundred lines are translated with as many queries as one: one for each kind of word."""
    batch = [part(charge_code=code, facility=f) for code in ("2701001", "2706014", "9") for f in ("RIVER", "NORTH", "")]
    with CaptureQueriesContext(
        connection,
    ) as queries:
        translate_charges(batch * 34)
    assert len(queries) == 5


def test_every_missing_code_of_a_line_is_reported_at_once() -> None:
    """An unknown facility, department and charge code make three missing codes, each with its case and owner."""
    found = missing(facility="SOUTH", department="CATHLAB2", charge_code="NOPE")
    assert [(m.domain, m.code, m.facility, m.reason, m.case, m.owner) for m in found] == [
        ("facility", "SOUTH", "", "unknown", "MAP_MISSING", "integration"),
        ("department", "CATHLAB2", "SOUTH", "unknown", "MAP_MISSING", "finance"),
        ("charge_code", "NOPE", "", "unknown", "CHG_CODE_UNKNOWN", "revenue_cycle"),
    ]
    assert found[2].text == "Dressing, transparent"


def test_a_department_is_understood_in_its_own_facility_only() -> None:
    """RIVER's CATHLAB says nothing about a line of NORTH."""
    (found,) = missing(facility="NORTH")
    assert (found.domain, found.code, found.facility) == ("department", "CATHLAB", "NORTH")


def test_absent_codes_are_missing_codes() -> None:
    """A line without department or charge code is held, not guessed."""
    assert [(m.domain, m.code) for m in missing(department="", charge_code="")] == [
        ("department", ""),
        ("charge_code", ""),
    ]


def test_a_mapping_to_a_record_that_does_not_exist_says_so(carebill: Partner) -> None:
    """A department mapped to a code that the master does not have is missing, and the text names the target."""
    network.approved(carebill, "department", "GHOST", "R999", facility="RIVER")
    (found,) = missing(department="GHOST")
    assert (found.reason, found.case) == ("unknown", "MAP_MISSING")
    assert found.text == "It is mapped to R999, which does not exist."


def test_a_default_row_answers_and_is_marked(carebill: Partner) -> None:
    """With a default department an unknown one is booked there, and the words say that a default answered."""
    network.approved(carebill, "department", "*", "R110", facility="RIVER")
    found = words(department="CATHLAB2")
    assert (found.department, found.by_default) == ("R110", True)
    assert words().by_default is False


def test_a_shared_code_that_we_do_not_know_falls_back_to_the_default_row(carebill: Partner) -> None:
    """Shared codes are looked up as they stand; only where the master lacks one does the default row answer."""
    network.approved(carebill, "charge_code", "*", "2706014")
    assert words(charge_code="NOPE").charge_code == "2706014"
    assert words(charge_code="NOPE").by_default is True
    assert words().charge_code == "2701001"


def test_a_shared_facility_that_we_do_not_know_falls_back_to_the_default_row(carebill: Partner) -> None:
    """The same for facilities and departments."""
    network.approved(carebill, "facility", "*", "RIVER")
    network.approved(carebill, "department", "*", "R110")
    SharedCodes.objects.create(partner=carebill, domain="department")
    found = words(facility="SOUTH", department="CATHLAB2")
    assert (found.facility, found.department, found.by_default) == ("RIVER", "R110", True)
    assert words(department="R110").by_default is False


def test_what_the_sender_says_about_cost_comes_first() -> None:
    """FT1-22 beats the standard cost; a zero there says nothing; without either the department's ratio estimates."""
    assert (words(unit_cost=Decimal("2.5")).unit_cost, words(unit_cost=Decimal("2.5")).cost_basis) == (
        Decimal("2.5"),
        "message",
    )
    assert words(unit_cost=Decimal(0)).cost_basis == "standard"
    estimate = words(charge_code="2706014")
    assert (estimate.unit_cost, estimate.cost_basis) == (Decimal("625.0000"), "ratio")


@pytest.mark.parametrize(
    ("changes", "cost"),
    [
        ({"unit_amount": Decimal(1000)}, "250.0000"),
        ({"amount": Decimal(-3000), "quantity": Decimal(-3), "kind": "credit"}, "250.0000"),
        ({"amount": Decimal(100), "quantity": Decimal(0)}, "625.0000"),
        ({"unit_amount": Decimal("0.33")}, "0.0825"),
    ],
)
def test_the_estimate_follows_the_price_that_was_charged(changes: dict[str, Any], cost: str) -> None:
    """Ratio of cost to charges times the price as sent, per unit and never negative; else the CDM's price."""
    assert words(charge_code="2706014", **changes).unit_cost == Decimal(cost)


def test_where_nobody_knows_a_cost_nothing_is_invented() -> None:
    """No standard cost and no ratio: no cost, and the basis is empty."""
    Department.objects.update(cost_ratio=None)
    found = words(charge_code="2706014")
    assert (found.unit_cost, found.cost_basis) == (None, "")


def test_the_cdm_decides_account_and_service_line_before_the_department() -> None:
    """A CDM entry's own account and service line beat the department's; without them the department's are used."""
    ChargeCode.objects.filter(code="2701001").update(
        expense_account=GLAccount.objects.create(code="6225", name="Implants", kind="expense"),
        service_line=ServiceLine.objects.create(code="ORTHO", name="Orthopedics"),
    )
    assert (words().expense_account, words().service_line) == ("6225", "ORTHO")
    other = words(charge_code="2706014")
    assert (other.expense_account, other.service_line) == ("6210", "CARDIAC")


def test_a_charge_into_a_closed_period_is_posted_in_the_next_open_one_and_is_late() -> None:
    """A service of October, closed, posts on the sender's day in November and is late; a posting date moves too."""
    october = words(service_date=date(2026, 10, 30))
    assert (october.posting_date, october.late) == (date(2026, 11, 22), True)
    moved = words(service_date=date(2026, 10, 30), posting_date=date(2026, 10, 31))
    assert (moved.posting_date, moved.late) == (date(2026, 11, 1), True)
    assert words(posting_date=date(2026, 11, 3)).posting_date == date(2026, 11, 3)


def test_a_service_before_all_periods_is_late() -> None:
    """What happened before the first known period happened in a closed one."""
    assert words(service_date=date(2026, 9, 30)).late is True


def test_without_an_open_period_the_line_waits_for_finance() -> None:
    """Where no period is open any more the line is held with a sentence that says what to do."""
    Period.objects.filter(facility="RIVER").update(status="closed")
    (found,) = missing()
    assert (found.domain, found.reason, found.case, found.owner) == (
        "facility", "no_open_period", "CHG_DIM_INVALID", "finance",
    )  # fmt: skip
    assert "Open one in the ERP" in found.text


def test_today_is_the_hospitals_own_day() -> None:
    """At two in the morning UTC on 1 December it is still 30 November in Iowa."""
    with time_machine.travel(datetime(2026, 12, 1, 2, tzinfo=UTC), tick=False):
        assert words().posting_date == date(2026, 11, 30)


def test_a_wrong_time_zone_does_not_hold_charges() -> None:
    """A facility whose time zone nobody knows is dated by the hub's own clock."""
    Facility.objects.update(time_zone="Mars/Olympus")
    assert words().posting_date == date(2026, 11, 22)


INVALID = [
    (CostCenter, {"active": False}, "department", "inactive", "cost centre CC-R110 is inactive"),
    (CostCenter, {"postable": False}, "department", "not_postable", "CC-R110 is a group"),
    (CostCenter, {"valid_to": date(2026, 11, 21)}, "department", "expired", "is no longer valid"),
    (CostCenter, {"facility": "NORTH"}, "department", "other_facility", "belongs to NORTH"),
    (Department, {"active": False}, "department", "inactive", "department R110 is inactive"),
    (ServiceLine, {"active": False}, "department", "inactive", "service line CARDIAC is inactive"),
    (GLAccount, {"active": False}, "department", "inactive", "account 6210 is inactive"),
    (Facility, {"valid_from": date(2026, 11, 23)}, "facility", "not_yet_valid", "facility RIVER is not valid yet"),
    (Facility, {"currency": "CAD"}, "facility", "currency", "the books of RIVER are in CAD"),
]


@pytest.mark.parametrize(("model", "change", "domain", "reason", "text"), INVALID)
def test_dimensions_have_to_hold_on_the_posting_date(
    model: Any, change: dict[str, Any], domain: str, reason: str, text: str
) -> None:
    """Whatever a line would be posted to must be active, in its dates, postable and of one facility."""
    model.objects.update(**change)
    (found,) = missing()
    assert (found.domain, found.reason, found.case, found.owner) == (domain, reason, "CHG_DIM_INVALID", "finance")
    assert text in found.text
    assert found.code == {"department": "CATHLAB", "facility": "RIVER"}[domain]


def test_an_account_that_only_the_cdm_names_is_the_charge_codes_problem() -> None:
    """Where the department is fine and the CDM's account is not, the case is about the charge code."""
    Department.objects.update(expense_account=None)
    GLAccount.objects.update(active=False)
    (found,) = missing()
    assert (found.domain, found.code, found.case) == ("charge_code", "2701001", "CHG_DIM_INVALID")
    assert words(charge_code="2706014").expense_account == ""


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"active": False}, "inactive"), ({"valid_to": date(2026, 11, 19)}, "expired"),
     ({"valid_from": date(2026, 11, 21)}, "not_yet_valid")],
)  # fmt: skip
def test_a_charge_code_has_to_hold_on_the_service_date(change: dict[str, Any], reason: str) -> None:
    """The CDM entry is judged on the day of the service, not of the posting."""
    ChargeCode.objects.filter(code="2701001").update(**change)
    (found,) = missing()
    assert (found.reason, found.case, found.owner) == (reason, "CHG_CODE_UNKNOWN", "revenue_cycle")


def test_the_hospitals_own_price_beats_the_networks_and_the_next_edition_takes_over() -> None:
    """A facility's own CDM entry is used first; of overlapping versions the one that began last."""
    common = {"code": "2701001", "name": "Dressing", "revenue_code": "0270"}
    ChargeCode.objects.create(**common, facility="RIVER", price=20, valid_from=date(2026, 1, 1))
    ChargeCode.objects.create(**common, facility="RIVER", price=21, valid_from=date(2026, 11, 1))
    assert [words(service_date=date(2026, m, 5)).price for m in (10, 11)] == [Decimal(20), Decimal(21)]
    assert words(facility="NORTH", department="EMER").price == Decimal("18.5")


def test_a_line_that_was_held_is_translated_again() -> None:
    """Once the code is mapped the same part gets its words and loses what was missing."""
    one = part(department="CATHLAB2")
    translate_charges([one])
    assert len(one.missing) == 1
    network.approved(Partner.objects.get(), "department", "CATHLAB2", "R110", facility="RIVER")
    translate_charges([one])
    assert (one.missing, one.words.department) == ((), "R110")


def test_an_empty_batch_asks_nothing(django_assert_num_queries: Any) -> None:
    """No lines, no queries."""
    with django_assert_num_queries(0):
        translate_charges([])
