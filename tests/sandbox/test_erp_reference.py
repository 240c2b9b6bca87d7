"""Reference data: what the network file says, listed page by page, edited on request, remembered over a restart."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from sandbox.erp.periods import periods
from sandbox.network import read_network
from tests.sandbox.erp_client import ErpProcess, journal, today

NETWORK = read_network()
LISTS = ["accounts", "cost_centers", "facilities", "departments", "items", "vendors", "service_lines"]
EVERY_ROW_HAS = {"code", "name", "active", "postable", "valid_from", "valid_to", "updated_at"}


@pytest.mark.parametrize("name", LISTS)
def test_every_row_of_the_network_is_listed(quiet_erp: ErpProcess, name: str) -> None:
    """Each kind has the rows of the network file, each with the fields that every row has."""
    rows, cursor = [], ""
    while cursor is not None:
        page = quiet_erp.get(f"/v1/reference/{name.replace('_', '-')}?limit=7&cursor={cursor}")
        rows += page["items"]
        cursor = page["next"]
    assert [row["code"] for row in rows] == sorted(row["code"] for row in NETWORK[name])
    for row in rows:
        assert row.keys() >= EVERY_ROW_HAS
    by_code = {row["code"]: row for row in rows}
    for row in NETWORK[name]:
        for field in row.keys() - {"wire_code", "sending_application", "sending_facility"}:
            assert by_code[row["code"]][field] == row[field]


def test_the_erp_does_not_know_what_the_billing_platform_calls_things(quiet_erp: ErpProcess) -> None:
    """Codes of the wire belong to the billing platform and its mappings, not to the ERP."""
    rows = (
        quiet_erp.get("/v1/reference/departments?limit=500")["items"]
        + quiet_erp.get("/v1/reference/facilities")["items"]
    )
    assert not {"wire_code", "sending_application", "sending_facility"} & set().union(*rows)


def test_the_current_period_is_open_and_far_ones_are_not(quiet_erp: ErpProcess) -> None:
    """Periods of three years; this month is open, last year's first closed, next year's last still future."""
    rows = {row["code"]: row for row in quiet_erp.get("/v1/reference/periods?limit=500")["items"]}
    year = int(today()[:4])
    assert len(rows) == 36
    assert (rows[today()[:7]]["status"], rows[today()[:7]]["postable"]) == ("open", True)
    assert (rows[f"{year - 1}-01"]["status"], rows[f"{year - 1}-01"]["postable"]) == ("closed", False)
    assert (rows[f"{year + 1}-12"]["status"], rows[f"{year + 1}-12"]["postable"]) == ("future", False)


@pytest.mark.parametrize(
    ("day", "opened"),
    [
        (date(2026, 11, 22), {"2026-11"}),
        (date(2026, 11, 5), {"2026-10", "2026-11"}),
        (date(2026, 11, 6), {"2026-11"}),
        (date(2026, 11, 30), {"2026-11", "2026-12"}),
        (date(2026, 12, 31), {"2026-12", "2027-01"}),
        (date(2028, 2, 29), {"2028-02", "2028-03"}),
    ],
)
def test_a_month_opens_a_day_early_and_closes_after_the_grace_days(day: date, opened: set[str]) -> None:
    """The calendar follows from the rule and the day alone."""
    rows = periods({"years_before": 1, "years_after": 1, "grace_days": 5}, day)
    assert {row["code"] for row in rows if row["status"] == "open"} == opened
    assert {row["status"] for row in rows if row["code"] < min(opened)} == {"closed"}
    assert {row["status"] for row in rows if row["code"] > max(opened)} == {"future"}


def test_an_edit_is_seen_by_a_sync_by_the_rules_and_by_the_next_life(
    start_erp: Callable[..., ErpProcess], tmp_path: Path
) -> None:
    """A retired cost centre is listed as changed since then, refuses journals, and stays retired after a restart."""
    erp = start_erp()
    before = erp.get("/v1/reference/cost-centers?limit=500")["items"]
    status, changed = erp.call("PUT", "/_sandbox/reference/cost-centers/CC-R110", {"active": False})
    assert (status, changed["active"]) == (200, False)
    assert changed["updated_at"] > max(row["updated_at"] for row in before)
    since = erp.get(f"/v1/reference/cost-centers?updated_since={changed['updated_at']}")["items"]
    assert since == [changed]
    assert erp.post(journal("k1"))[1]["error"]["code"] == "inactive_cost_center"
    erp.stop()
    again = start_erp()
    assert again.post(journal("k1"))[1]["error"]["code"] == "inactive_cost_center"
    assert len(again.get("/v1/reference/cost-centers?limit=500")["items"]) == len(before)


def test_a_closed_period_refuses_new_journals_and_still_knows_old_ones(erp: ErpProcess) -> None:
    """Closing the period stops new postings; a journal that was posted before is answered as a duplicate."""
    erp.post(journal("k1"))
    erp.call("PUT", f"/_sandbox/reference/periods/{today()[:7]}", {"status": "closed"})
    assert erp.post(journal("k2"))[1]["error"]["code"] == "period_closed"
    assert erp.post(journal("k1"))[0] == 200


def test_a_changed_network_file_is_taken_over_at_the_next_start(
    start_erp: Callable[..., ErpProcess], tmp_path: Path
) -> None:
    """A row that the file changes is updated, a row that it loses is retired, the others keep their time-stamp."""
    first = start_erp()
    before = {row["code"]: row for row in first.get("/v1/reference/vendors")["items"]}
    first.stop()
    changed = json.loads(json.dumps(NETWORK))
    changed["vendors"][0]["name"] = "Another name"
    gone = changed["vendors"].pop(1)["code"]
    (tmp_path / "network.json").write_text(json.dumps(changed))
    for _ in range(2):
        erp = start_erp("--network", str(tmp_path / "network.json"))
        rows = {row["code"]: row for row in erp.get("/v1/reference/vendors")["items"]}
        erp.stop()
        moved = {code for code in before if rows[code]["updated_at"] != before[code]["updated_at"]}
        assert moved == {changed["vendors"][0]["code"], gone}
        assert (rows[gone]["active"], before[gone]["active"]) == (False, True)


@pytest.mark.parametrize(
    ("path", "changes", "status"),
    [
        ("cost-centers/CC-X", {"active": False}, 404),
        ("colours/red", {"active": False}, 404),
        ("cost-centers/CC-R110", {"colour": "red"}, 422),
        ("cost-centers/CC-R110", {"code": "CC-R111"}, 422),
        ("cost-centers/CC-R110", [], 422),
    ],
)
def test_edits_that_make_no_sense_are_refused(quiet_erp: ErpProcess, path: str, changes: object, status: int) -> None:
    """Only existing rows and existing fields can be edited."""
    assert quiet_erp.call("PUT", f"/_sandbox/reference/{path}", changes)[0] == status


def test_every_code_that_the_network_names_exists_in_it() -> None:
    """Departments, charge codes, items and locations point at rows that are there: nothing dangles in a demo."""
    codes = {name: {row["code"] for row in NETWORK[name]} for name in [*LISTS, "charge_codes"]}
    for department in NETWORK["departments"]:
        assert department["cost_center"] in codes["cost_centers"]
        assert department["service_line"] in codes["service_lines"]
        assert department["facility"] in codes["facilities"]
    for charge_code in NETWORK["charge_codes"]:
        assert {charge_code["department"], *charge_code["departments"]} <= codes["departments"]
        assert {charge_code["expense_account"], charge_code["offset_account"]} <= codes["accounts"]
    for item in NETWORK["items"]:
        assert item["vendor"] in codes["vendors"]
        assert item["charge_code"] in {None, *codes["charge_codes"]}
        assert {item["expense_account"], item["inventory_account"]} <= codes["accounts"]
    for location in NETWORK["locations"]:
        assert location["department"] in {None, *codes["departments"]}


def test_a_wire_code_names_one_department_and_one_has_none() -> None:
    """Wire codes are unique, and the one department without a mapping is the one that the file says."""
    wire = [row["wire_code"] for row in NETWORK["departments"] if row["wire_code"]]
    assert len(wire) == len(set(wire)) == len(NETWORK["departments"]) - 1
    (unmapped,) = NETWORK["unmapped_departments"]
    assert unmapped["wire_code"] not in wire
    (department,) = (row for row in NETWORK["departments"] if row["wire_code"] is None)
    assert (department["code"], department["facility"]) == (unmapped["department"], unmapped["facility"])
