"""Journals: posted once for ever, exactly, or refused with a code that says why."""

import sqlite3
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.erp_client import ErpProcess, journal, today

EMPTY = {"journals": 0, "lines": 0, "debit": "0.0000", "credit": "0.0000", "distinct_references": 0}


def test_a_balanced_journal_is_posted_and_found_again(erp: ErpProcess) -> None:
    """What is posted is answered with an id, and is found by its key, by its id and in the list."""
    status, posted = erp.post(journal("k1", "12.34", "0.0001"))
    assert status == 201
    assert posted["id"] == f"JE-{today()[:4]}-000001"
    assert (posted["total_debit"], posted["total_credit"], posted["lines"]) == ("12.3401", "12.3401", 4)
    assert posted["status"] == "posted"
    assert posted["period"] == today()[:7]
    assert erp.get("/v1/journals?external_key=k1") == {"items": [posted], "next": None}
    assert erp.get("/v1/journals?external_key=other") == {"items": [], "next": None}
    whole = erp.get(f"/v1/journals/{posted['id']}")
    lines = whole.pop("line_items")
    assert whole == posted
    assert [line["line"] for line in lines] == [1, 2, 3, 4]
    assert lines[2] == {
        "line": 3,
        "line_key": "k1/2/1",
        "account": "6225",
        "cost_center": "CC-R110",
        "debit": "0.0001",
        "credit": "0.0000",
        "reference": "k1-charge-2",
        "statistical_quantity": "1.0000",
        "memo": "",
    }


def test_the_same_journal_again_is_a_duplicate_and_posts_nothing(erp: ErpProcess) -> None:
    """The same key with the same content, however it is spelled, answers with the journal that stands."""
    status, first = erp.post(journal("k1", "12.5"))
    assert status == 201
    again = journal("k1", "12.5000")
    for line in again["lines"]:
        del line["memo"]
        line["statistical_quantity"] = "1.0"
    assert erp.post(again) == (200, {**first, "duplicate": True})
    assert erp.totals()["journals"] == 1


@pytest.mark.parametrize(
    "change",
    [
        {"description": "another"},
        {"posting_date": "2024-01-31"},
        {"lines": journal("k1", "12.51")["lines"]},
        {"lines": journal("k1", "12.50")["lines"][::-1]},
    ],
)
def test_the_same_key_with_other_content_is_a_conflict(erp: ErpProcess, change: dict[str, Any]) -> None:
    """A key is never overwritten: other content is answered 409 and the first journal stands."""
    erp.post(journal("k1", "12.50"))
    before = erp.totals()
    status, body = erp.post(journal("k1", "12.50", **change))
    assert (status, body["error"]["code"]) == (409, "duplicate_key_other_content")
    assert erp.totals() == before


def test_a_line_key_is_taken_once_in_the_whole_ledger(erp: ErpProcess) -> None:
    """The ERP's own guard: a line that stands in another journal is refused and the whole journal with it."""
    _, first = erp.post(journal("k1", "1.00"))
    second = journal("k2", "2.00", "3.00")
    second["lines"][3]["line_key"] = "k1/1/2"
    status, body = erp.post(second)
    assert (status, body["error"]["code"], body["error"]["line"]) == (422, "duplicate_line", 4)
    assert first["id"] in body["error"]["message"]
    assert erp.totals()["journals"] == 1
    assert erp.post(journal("k2", "2.00"))[1]["id"] == f"JE-{today()[:4]}-000002"


def test_a_line_key_used_twice_in_one_journal_is_refused(erp: ErpProcess) -> None:
    """Two lines of one journal may not share a key either."""
    twice = journal("k1", "1.00")
    twice["lines"][1]["line_key"] = "k1/1/1"
    status, body = erp.post(twice)
    assert (status, body["error"]["code"], body["error"]["line"]) == (422, "duplicate_line", 2)
    assert erp.totals() == EMPTY


HEAD_FAULTS = [
    ({"external_key": ""}, "missing_field"),
    ({"external_key": None}, "invalid_field"),
    ({"external_key": "x" * 201}, "invalid_field"),
    ({"posting_date": "22.11.2026"}, "invalid_field"),
    ({"posting_date": "2026-W47-7"}, "invalid_field"),
    ({"description": 5}, "invalid_field"),
    ({"colour": "red"}, "invalid_field"),
    ({"lines": None}, "missing_field"),
    ({"lines": {}}, "invalid_field"),
    ({"lines": []}, "too_few_lines"),
    ({"lines": journal("k", *["1.00"] * 501)["lines"]}, "too_many_lines"),
    ({"entity": "NOWHERE"}, "unknown_entity"),
    ({"currency": "EUR"}, "currency"),
    ({"posting_date": "1999-12-31"}, "unknown_period"),
    ({"posting_date": f"{int(today()[:4]) - 1}-01-15"}, "period_closed"),
    ({"posting_date": f"{int(today()[:4]) + 1}-12-15"}, "period_closed"),
]

LINE_FAULTS = [
    ({"line_key": ""}, "missing_field"),
    ({"account": None}, "invalid_field"),
    ({"account": "9" * 201}, "invalid_field"),
    ({"memo": "m" * 501}, "invalid_field"),
    ({"cost_center": 110}, "invalid_field"),
    ({"colour": "red"}, "invalid_field"),
    ({"reference": "\ud800"}, "invalid_field"),
    ({"debit": 12.34}, "invalid_amount"),
    ({"debit": "12,34"}, "invalid_amount"),
    ({"debit": "1e3"}, "invalid_amount"),
    ({"debit": "0.00001"}, "invalid_amount"),
    ({"debit": "123456789012"}, "invalid_amount"),
    ({"debit": "-12.34"}, "invalid_amount"),
    ({"debit": "0"}, "invalid_amount"),
    ({"credit": "12.34"}, "invalid_amount"),
    ({"statistical_quantity": "many"}, "invalid_amount"),
    ({"account": "6219"}, "unknown_account"),
    ({"account": "6299"}, "inactive_account"),
    ({"account": "6200"}, "account_not_postable"),
    ({"cost_center": ""}, "missing_cost_center"),
    ({"cost_center": "CC-X"}, "unknown_cost_center"),
    ({"cost_center": "CC-N199"}, "inactive_cost_center"),
    ({"cost_center": "CC-R000"}, "cost_center_not_postable"),
    ({"cost_center": "CC-N110"}, "wrong_entity"),
]


def test_each_broken_rule_is_refused_by_its_own_code_and_moves_nothing(erp: ErpProcess) -> None:
    """Every rule of the protocol has a code, a line is named where one is to blame, and the ledger stays empty."""
    for change, code in HEAD_FAULTS:
        status, body = erp.post(journal("k", "12.34", **change))
        assert (status, body["error"]["code"], "line" in body["error"]) == (422, code, False), (change, body)
    for change, code in LINE_FAULTS:
        broken = journal("k", "12.34", "12.34")
        broken["lines"][2].update(change)
        status, body = erp.post(broken)
        assert (status, body["error"]["code"]) == (422, code), (change, body)
        assert body["error"].get("line", 3) == 3
    unbalanced = journal("k", "12.34")
    unbalanced["lines"][0]["debit"] = "12.3401"
    status, body = erp.post(unbalanced)
    assert (status, body["error"]["code"]) == (422, "unbalanced")
    assert erp.totals() == EMPTY


def test_an_inventory_line_needs_no_cost_center(erp: ErpProcess) -> None:
    """Only accounts that say so require a cost centre."""
    plain = journal("k", "12.34")
    plain["lines"][1]["cost_center"] = ""
    assert erp.post(plain)[0] == 201


def test_totals_and_balances_are_exact_to_the_ten_thousandth(erp: ErpProcess, tmp_path: Path) -> None:
    """Sums are those of the decimal strings, from the lines, from the heads, and in the SQLite file itself."""
    amounts = ["0.0001", "99999999999.9999", "0.1", "0.2", "7.07"]
    for number, amount in enumerate(amounts):
        assert erp.post(journal(f"k{number}", amount, "33.3333"))[0] == 201
    expected = sum(map(Decimal, amounts), Decimal("33.3333") * len(amounts))
    totals = erp.totals()
    assert Decimal(totals["debit"]) == Decimal(totals["credit"]) == expected
    assert (totals["journals"], totals["lines"], totals["distinct_references"]) == (5, 20, 10)
    heads = erp.get("/v1/totals?distinct=0")
    assert heads == {name: value for name, value in totals.items() if name != "distinct_references"}
    balances = erp.get(f"/v1/balances?period={today()[:7]}")["items"]
    assert [(each["account"], each["cost_center"]) for each in balances] == [("1420", "CC-R110"), ("6225", "CC-R110")]
    assert Decimal(balances[1]["debit"]) == expected
    with sqlite3.connect(tmp_path / "erp.sqlite3") as database:
        assert database.execute("SELECT sum(debit) - sum(credit) FROM lines").fetchone() == (0,)
        assert database.execute("SELECT sum(debit) FROM lines").fetchone() == (int(expected * 10000),)
    database.close()


def test_the_list_pages_through_every_journal_once(erp: ErpProcess) -> None:
    """Following the cursor visits each journal exactly once, in posting order; `since` cuts off what is older."""
    posted = [erp.post(journal(f"k{number}"))[1] for number in range(7)]
    seen, cursor = [], ""
    while True:
        page = erp.get(f"/v1/journals?limit=3&cursor={cursor}")
        seen += page["items"]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == posted
    later = erp.get(f"/v1/journals?since={posted[4]['posted_at']}")
    assert later["items"] == posted[4:]


def test_numbers_of_another_year_begin_again(erp: ErpProcess) -> None:
    """A journal posted into a reopened period of last year takes a number of that year."""
    last_year = int(today()[:4]) - 1
    status, _ = erp.call("PUT", f"/_sandbox/reference/periods/{last_year}-12", {"status": "open"})
    assert status == 200
    erp.post(journal("k1"))
    assert erp.post(journal("k2", posting_date=f"{last_year}-12-31"))[1]["id"] == f"JE-{last_year}-000001"
    assert erp.post(journal("k3"))[1]["id"] == f"JE-{today()[:4]}-000002"
