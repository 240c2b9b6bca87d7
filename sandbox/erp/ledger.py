"""The ledger: posts journals, each key once for ever, and finds them again."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sandbox.erp.amounts import decimal_string
from sandbox.erp.errors import Refused
from sandbox.erp.journals import Journal
from sandbox.erp.paging import decode_cursor, encode_cursor

_HEAD = (
    "number, id, external_key, entity, currency, posting_date, period, description,"
    " total_debit, total_credit, first_line, last_line, posted_at"
)
_INSERT_JOURNAL = f"INSERT INTO journals ({_HEAD}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
_LINE = "line_key, account, cost_center, debit, credit, reference, quantity, memo"
_INSERT_LINE = f"INSERT INTO lines ({_LINE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608


@dataclass(frozen=True, slots=True)
class Posted:
    """A journal as the ledger holds it: the head without its lines. Amounts are ten-thousandths."""

    number: int
    id: str
    external_key: str
    entity: str
    currency: str
    posting_date: str
    period: str
    description: str
    total_debit: int
    total_credit: int
    first_line: int
    last_line: int
    posted_at: str

    def document(self) -> dict[str, Any]:
        """Return the journal as the protocol shows it."""
        return {
            "id": self.id,
            "external_key": self.external_key,
            "entity": self.entity,
            "currency": self.currency,
            "posting_date": self.posting_date,
            "period": self.period,
            "description": self.description,
            "status": "posted",
            "total_debit": decimal_string(self.total_debit),
            "total_credit": decimal_string(self.total_credit),
            "lines": self.last_line - self.first_line + 1,
            "posted_at": self.posted_at,
        }


class Ledger:
    """The journals in SQLite. One writer, on one connection."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._last_number: int = database.execute("SELECT coalesce(max(number), 0) FROM journals").fetchone()[0]
        self._last_line: int = database.execute("SELECT coalesce(max(id), 0) FROM lines").fetchone()[0]
        self._last_in_year: dict[int, int] = {}

    def count(self) -> int:
        """Return how many journals there are (numbers are consecutive and journals are never deleted)."""
        return self._last_number

    def find(self, external_key: str) -> Posted | None:
        """Return the journal with this external key, or None."""
        return self._one("external_key", external_key)

    def get(self, journal_id: str) -> Posted | None:
        """Return the journal with this id, or None."""
        return self._one("id", journal_id)

    def lines(self, posted: Posted) -> list[tuple[Any, ...]]:
        """Return a journal's rows in the order sent, in the form of `journals.Row`."""
        return self._database.execute(
            f"SELECT {_LINE} FROM lines WHERE id BETWEEN ? AND ? ORDER BY id",  # noqa: S608 - constants of this module
            (posted.first_line, posted.last_line),
        ).fetchall()

    def holds_same(self, posted: Posted, journal: Journal) -> bool:
        """Tell whether a posted journal has the same content as this one, value by value."""
        same_head = (posted.entity, posted.currency, posted.posting_date, posted.description) == (
            journal.entity,
            journal.currency,
            journal.posting_date.isoformat(),
            journal.description,
        )
        return same_head and self.lines(posted) == journal.rows

    def post(self, journal: Journal, period: str) -> Posted:
        """Write a journal and its lines in one transaction; committed on return.

        Raises Refused (422 duplicate_line) if a line key is already in the ledger; then nothing was written.
        """
        posted = self._head(journal, period)
        self._database.execute("BEGIN IMMEDIATE")
        try:
            self._database.execute(_INSERT_JOURNAL, _columns(posted))
            self._database.executemany(_INSERT_LINE, journal.rows)
            if self._database.execute("SELECT max(id) FROM lines").fetchone()[0] != posted.last_line:
                raise RuntimeError("somebody else writes to this ledger: stop that process first")
        except sqlite3.IntegrityError:
            self._database.execute("ROLLBACK")
            raise self._duplicate_line(journal) from None
        except UnicodeEncodeError:
            self._database.execute("ROLLBACK")
            raise Refused(422, "invalid_field", "a text holds half of a surrogate pair") from None
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")
        self._last_number = posted.number
        self._last_line = posted.last_line
        self._last_in_year[journal.posting_date.year] += 1
        return posted

    def page(self, *, since: str, cursor: str, limit: int) -> dict[str, Any]:
        """Return journals in posting order, and the cursor of the next page."""
        after = decode_cursor(cursor, ("n",), (int,))[0] if cursor else 0
        rows = self._database.execute(
            f"SELECT {_HEAD} FROM journals WHERE number > ? AND posted_at >= ? ORDER BY number LIMIT ?",  # noqa: S608
            (after, since, limit + 1),
        ).fetchall()
        page = [Posted(*row) for row in rows[:limit]]
        following = encode_cursor({"n": page[-1].number}) if len(rows) > limit else None
        return {"items": [posted.document() for posted in page], "next": following}

    def _one(self, column: str, value: str) -> Posted | None:
        try:
            row = self._database.execute(
                f"SELECT {_HEAD} FROM journals WHERE {column} = ?",  # noqa: S608 - column is one of our own names
                (value,),
            ).fetchone()
        except UnicodeEncodeError:  # half of a surrogate pair: no stored key can be that
            return None
        return Posted(*row) if row else None

    def _head(self, journal: Journal, period: str) -> Posted:
        """Give the journal its numbers. They are taken only when the commit has succeeded."""
        return Posted(
            number=self._last_number + 1,
            id=f"JE-{journal.posting_date.year}-{self._used_in(journal.posting_date.year) + 1:06d}",
            external_key=journal.external_key,
            entity=journal.entity,
            currency=journal.currency,
            posting_date=journal.posting_date.isoformat(),
            period=period,
            description=journal.description,
            total_debit=journal.total_debit,
            total_credit=journal.total_credit,
            first_line=self._last_line + 1,
            last_line=self._last_line + len(journal.rows),
            posted_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        )

    def _used_in(self, year: int) -> int:
        """Return how many journals have a number of this year; asked of the table once per year and process."""
        if year not in self._last_in_year:
            counted = self._database.execute(
                "SELECT count(*) FROM journals WHERE period BETWEEN ? AND ?", (f"{year}-01", f"{year}-12")
            )
            self._last_in_year[year] = counted.fetchone()[0]
        return self._last_in_year[year]

    def _duplicate_line(self, journal: Journal) -> Refused:
        """Say which line key is the one too many, and where it stands."""
        seen: dict[str, int] = {}
        for number, row in enumerate(journal.rows, 1):
            key = row[0]
            if key in seen:
                return Refused(422, "duplicate_line", f"line key {key} is also that of line {seen[key]}", line=number)
            seen[key] = number
            holder = self._database.execute(
                "SELECT j.id FROM lines l JOIN journals j ON j.number ="
                " (SELECT number FROM journals WHERE first_line <= l.id ORDER BY number DESC LIMIT 1)"
                " WHERE l.line_key = ?",
                (key,),
            ).fetchone()
            if holder:
                return Refused(422, "duplicate_line", f"line key {key} already stands in {holder[0]}", line=number)
        raise AssertionError("the database refused a journal whose keys are all new")


def _columns(posted: Posted) -> tuple[Any, ...]:
    """Return the columns of a journal row, in the order of `_HEAD`."""
    return (
        posted.number,
        posted.id,
        posted.external_key,
        posted.entity,
        posted.currency,
        posted.posting_date,
        posted.period,
        posted.description,
        posted.total_debit,
        posted.total_credit,
        posted.first_line,
        posted.last_line,
        posted.posted_at,
    )
