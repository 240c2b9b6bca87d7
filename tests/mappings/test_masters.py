"""Master data by page: what changed is written, what is bad is quarantined, nothing is deleted."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from hub import cases
from hub.access import SYSTEM, Actor
from hub.errors import NotAllowed, Refused
from hub.models import AuditEntry, ExceptionCase, Partner
from mappings import masters as reading
from mappings.flows import masters
from mappings.models import ChargeCode, CostCenter, Department, GLAccount, Location
from tests.mappings.conftest import make

pytestmark = pytest.mark.django_db


def upsert(kind: str, *records: dict[str, Any], **options: Any) -> masters.Changes:
    """A page from the ERP."""
    return masters.upsert(kind, records, by=SYSTEM, source="summit", **options)


def test_new_changed_and_same_records_are_told_apart() -> None:
    """A page creates, changes and leaves alone; each write has history that names its source."""
    page = ({"code": "1", "name": "One", "kind": "asset"}, {"code": "2", "name": "Two", "kind": "asset"})
    first = upsert("gl_account", *page)
    assert (first.created, first.changed, first.unchanged, first.codes) == (2, 0, 0, ("1", "2"))
    second = upsert("gl_account", page[0], {"code": "2", "active": False})
    assert (second.created, second.changed, second.unchanged, second.codes) == (0, 1, 1, ("2",))
    two = GLAccount.objects.get(code="2")
    assert (two.active, two.name) == (False, "Two")
    assert [(row.history_type, row.history_change_reason) for row in two.history.order_by("history_id")] == [
        ("+", "summit"),
        ("~", "summit"),
    ]
    assert AuditEntry.objects.filter(verb="masters.upsert").count() == 2


def test_a_page_that_changes_nothing_writes_nothing() -> None:
    """The second run of a page is four queries, none of which writes: lock, keys, rows, open cases."""
    page = [{"code": str(n), "name": "Account", "kind": "asset"} for n in range(50)]
    upsert("gl_account", *page)
    with CaptureQueriesContext(connection) as queries:
        assert upsert("gl_account", *page).unchanged == 50
    told = [query["sql"].split()[0] for query in queries if "SAVEPOINT" not in query["sql"]]
    assert told == ["SELECT"] * len(told)
    assert len(told) <= 4


def test_a_parent_may_come_on_the_same_page_in_any_order() -> None:
    """Children before their parents, three deep: all are there in the end."""
    changes = upsert(
        "cost_center",
        {"code": "C", "name": "C", "facility": "RIVER", "parent": "B"},
        {"code": "B", "name": "B", "facility": "RIVER", "parent": "A"},
        {"code": "A", "name": "A", "facility": "RIVER", "parent": None, "postable": False},
    )
    assert (changes.created, changes.refused) == (3, ())
    assert CostCenter.objects.get(code="C").parent.parent.code == "A"


BAD: list[tuple[str, dict[str, Any], str, str]] = [
    ("gl_account", {"name": "x", "kind": "asset"}, "code", "is missing"),
    ("gl_account", {"code": "9", "kind": "asset"}, "name", "is missing, and a new record needs it"),
    ("gl_account", {"code": "9", "name": "x", "kind": "wealth"}, "kind", "is one of asset"),
    ("gl_account", {"code": "9", "name": "x", "kind": "asset", "colour": 1}, "colour", "is no field"),
    ("gl_account", {"code": "9", "name": "x", "kind": "asset", "valid_from": "22.11."}, "valid_from", "2026-11-22"),
    ("gl_account", {"code": "9", "name": "x", "kind": "asset", "active": "maybe"}, "active", "true or false"),
    ("gl_account", {"code": "9" * 41, "name": "x", "kind": "asset"}, "code", "longer than 40"),
    ("gl_account", {"code": "9", "name": "a\x07", "kind": "asset"}, "name", "control character"),
    (
        "gl_account",
        {"code": "9", "name": "x", "kind": "asset", "valid_from": "2026-02-01", "valid_to": "2026-01-01"},
        "valid_to",
        "before 2026-02-01",
    ),
    ("charge_code", {"code": "9", "name": "x", "price": 1.1}, "price", "binary float"),
    ("charge_code", {"code": "9", "name": "x", "price": "-1"}, "price", "zero or more"),
    ("charge_code", {"code": "9", "name": "x", "price": "1.00001"}, "price", "4 after the point"),
    ("charge_code", {"code": "9", "name": "x", "price": "NaN"}, "price", "zero or more"),
    ("charge_code", {"code": "9", "name": "x", "price": "dear"}, "price", "write a number"),
    ("facility", {"code": "S", "name": "South", "time_zone": "Mars/Olympus"}, "time_zone", "IANA"),
    ("facility", {"code": "S", "name": "South", "currency": "usd"}, "currency", "ISO 4217"),
    ("facility", {"code": "S", "name": "South", "clearing_account": "0"}, "clearing_account", "does not exist"),
    ("department", {"code": "S1", "name": "x", "cost_center": "CC-R110"}, "facility", "is missing"),
    ("period", {"code": "x", "starts": "2026-01-01", "ends": "2026-01-31", "status": "open"}, "facility", "is missing"),
]


@pytest.mark.parametrize(("kind", "record", "name", "text"), BAD)
def test_a_bad_record_is_quarantined_and_the_others_go_on(
    carebill: Partner, kind: str, record: dict[str, Any], name: str, text: str
) -> None:
    """A bad record names its field and reason, opens one case, and does not stop the good one beside it."""
    good = {
        "gl_account": {"code": "8", "name": "good", "kind": "asset"},
        "charge_code": {"code": "8", "name": "good", "price": "1.5"},
        "facility": {"code": "EAST", "name": "East"},
        "department": {"code": "R2", "name": "R2", "facility": "RIVER", "cost_center": "CC-R110"},
        "period": {"facility": "EAST", "code": "1", "starts": "2026-01-01", "ends": "2026-01-31", "status": "open"},
    }[kind]
    changes = upsert(kind, record, good)
    (refusal,) = changes.refused
    assert (changes.created, refusal.index, refusal.field) == (1, 0, name)
    assert text in refusal.reason
    assert ExceptionCase.objects.get(code="MD_INVALID", status="open").owner == "finance"


def test_the_case_of_a_bad_record_closes_when_a_good_one_comes() -> None:
    """Quarantine ends by itself."""
    record = {"code": "9", "name": "Nine", "valid_from": "2026-01-01", "price": "-1"}
    upsert("charge_code", record)
    upsert("charge_code", {**record, "price": "1"})
    assert ExceptionCase.objects.get(code="MD_INVALID").status == "resolved"


def test_a_record_that_comes_twice_is_refused_the_second_time() -> None:
    """One page, one word about a record."""
    changes = upsert("vendor", {"code": "V", "name": "A"}, {"code": "V", "name": "B"})
    assert (changes.created, changes.refused[0].reason) == (1, "comes twice on this page")


def test_references_are_found_by_code_and_within_the_facility(carebill: Partner) -> None:
    """A location's department is one of its own facility; another hospital's is unknown to it."""
    changes = upsert(
        "location",
        {"code": "A", "name": "A", "facility": "RIVER", "department": "R110"},
        {"code": "B", "name": "B", "facility": "RIVER", "department": "N110"},
    )
    assert (changes.created, changes.refused[0].field) == (1, "department")
    assert Location.objects.get().department == Department.objects.get(code="R110")


def test_what_a_record_leaves_out_stays_and_what_is_empty_is_cleared(carebill: Partner) -> None:
    """The ERP's page does not know our cost ratio, so it stays; a reference sent empty is taken away."""
    upsert("department", {"facility": "RIVER", "code": "R110", "name": "Renamed", "service_line": ""})
    row = Department.objects.get(code="R110")
    assert (row.name, row.cost_ratio, row.service_line) == ("Renamed", Decimal("0.2500"), None)


def test_keep_leaves_existing_records_alone(carebill: Partner) -> None:
    """With `keep` only what is missing is added."""
    changes = upsert("gl_account", {"code": "6210", "name": "Other", "kind": "expense"}, keep=True)
    assert (changes.changed, changes.unchanged) == (0, 1)
    assert GLAccount.objects.get(code="6210").name == "Supplies"


def test_versions_of_a_charge_code_are_records_of_their_own() -> None:
    """The same code from another day on is another record, and both are read."""
    upsert(
        "charge_code",
        {"code": "1", "name": "x", "price": "1", "valid_from": "2025-01-01"},
        {"code": "1", "name": "x", "price": "2", "valid_from": "2026-01-01"},
    )
    found = reading.charge_codes({"1"})
    prices = [found.find("1", "RIVER", date(year, 6, 1)) for year in (2024, 2025, 2026)]
    assert prices[0] == "not_yet_valid"
    assert [one.price for one in prices[1:] if isinstance(one, reading.ChargeCode)] == [1, 2]
    assert ChargeCode.objects.count() == 2


def waiting(code: str, domain: str, wanted: str) -> ExceptionCase:
    """An open case about a code of carebill."""
    data = {"partner": "carebill", "domain": domain, "facility": "", "code": wanted}
    cases.open_many(
        [cases.NewCase(code=code, subject=wanted, title=wanted, text="", owner="finance", data=data)], by=SYSTEM
    )
    return ExceptionCase.objects.get(subject=wanted)


def test_what_waited_for_a_record_is_released(carebill: Partner) -> None:
    """A new CDM entry releases its own case; a changed dimension releases what waits for a valid dimension."""
    waiting("CHG_CODE_UNKNOWN", "charge_code", "777"), waiting("CHG_CODE_UNKNOWN", "charge_code", "778")
    waiting("CHG_DIM_INVALID", "department", "CATHLAB")
    upsert("charge_code", {"code": "777", "name": "x"})
    upsert("cost_center", {"code": "CC-R110", "postable": False})
    released = AuditEntry.objects.filter(verb="cases.release").values_list("subject_id", flat=True)
    names = ExceptionCase.objects.filter(pk__in=[int(pk) for pk in released]).values_list("subject", flat=True)
    assert sorted(names) == ["777", "CATHLAB"]


def test_masters_are_changed_by_those_who_may(carebill: Partner) -> None:
    """Without the permission, and for a kind that does not exist, nothing is written."""
    auditor: Actor = make("ada", "auditor", "*")
    with pytest.raises(NotAllowed):
        masters.upsert("vendor", [{"code": "V", "name": "V"}], by=auditor, source="x")
    with pytest.raises(Refused, match="no master data called 'planet'"):
        upsert("planet", {"code": "V"})


def test_a_calendar_knows_gaps_and_ends() -> None:
    """Before the first period all is closed, after the last and in a gap nothing is open yet."""
    calendar = reading.Calendar(
        [(date(2026, 1, 1), date(2026, 1, 31), "closed"), (date(2026, 3, 1), date(2026, 3, 31), "open")]
    )
    days = [date(2025, 12, 31), date(2026, 1, 5), date(2026, 2, 5), date(2026, 3, 5), date(2026, 4, 5)]
    assert [calendar.status(day) for day in days] == ["closed", "closed", "future", "open", "future"]
    march = date(2026, 3, 1)
    assert [calendar.posting_date(day) for day in days] == [march, march, march, date(2026, 3, 5), None]
    assert (reading.Calendar([]).status(march), reading.Calendar([]).posting_date(march)) == ("future", None)
