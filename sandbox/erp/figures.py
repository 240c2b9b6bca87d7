"""The ledger's sums, which tests and reconciliations compare with the hub's. Long scans: they run beside the writer."""

from __future__ import annotations

import sqlite3
from typing import Any

from sandbox.erp.amounts import decimal_string

# A sum is taken in two halves, because SQLite refuses to let a 64-bit sum overflow.
_HALF = 1_000_000_000


def totals(reader: sqlite3.Connection) -> dict[str, Any]:
    """Return the ledger's totals counted from the stored lines themselves."""
    row = reader.execute(
        f"SELECT (SELECT count(*) FROM journals), count(*), {_sum('debit')}, {_sum('credit')},"  # noqa: S608
        " count(DISTINCT nullif(reference, '')) FROM lines"
    ).fetchone()
    return {**_totals(row), "distinct_references": row[6]}


def quick_totals(reader: sqlite3.Connection) -> dict[str, Any]:
    """Return the totals summed from the journal heads: a few thousand rows instead of millions."""
    row = reader.execute(
        f"SELECT count(*), coalesce(max(last_line), 0), {_sum('total_debit')}, {_sum('total_credit')} FROM journals"  # noqa: S608
    ).fetchone()
    return _totals(row)


def balances(reader: sqlite3.Connection, period: str) -> dict[str, Any]:
    """Return debit and credit of each account and cost centre in a period."""
    rows = reader.execute(
        f"SELECT account, cost_center, {_sum('debit')}, {_sum('credit')}"  # noqa: S608 - constants of this module
        " FROM journals j JOIN lines l ON l.id BETWEEN j.first_line AND j.last_line"
        " WHERE j.period = ? GROUP BY account, cost_center ORDER BY account, cost_center",
        (period,),
    )
    items = [
        {
            "account": account,
            "cost_center": cost_center,
            "debit": decimal_string(high_debit * _HALF + low_debit),
            "credit": decimal_string(high_credit * _HALF + low_credit),
        }
        for account, cost_center, high_debit, low_debit, high_credit, low_credit in rows
    ]
    return {"period": period, "items": items}


def _sum(column: str) -> str:
    return f"coalesce(sum({column} / {_HALF}), 0), coalesce(sum({column} % {_HALF}), 0)"


def _totals(row: tuple[int, ...]) -> dict[str, Any]:
    return {
        "journals": row[0],
        "lines": row[1],
        "debit": decimal_string(row[2] * _HALF + row[3]),
        "credit": decimal_string(row[4] * _HALF + row[5]),
    }
