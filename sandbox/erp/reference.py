"""The ERP's reference data: read from the network file, kept in SQLite, edited on request, listed with a cursor."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any

from sandbox.erp.errors import Refused
from sandbox.erp.paging import decode_cursor, encode_cursor
from sandbox.erp.periods import periods

# kind on the wire -> name of its list in the network file
KINDS = {
    "accounts": "accounts",
    "cost-centers": "cost_centers",
    "facilities": "facilities",
    "departments": "departments",
    "items": "items",
    "vendors": "vendors",
    "service-lines": "service_lines",
    "periods": "periods",
}
# What the billing platform calls things is none of the ERP's business.
NOT_THE_ERPS = {"wire_code", "sending_application", "sending_facility"}

Row = dict[str, Any]


def today() -> date:
    """Return the ERP's date (UTC)."""
    return datetime.now(UTC).date()


class Reference:
    """All reference rows, in memory for the checks and in SQLite so that edits outlive a restart."""

    def __init__(
        self, database: sqlite3.Connection, network: Mapping[str, Any], clock: Callable[[], date] = today
    ) -> None:
        self._database = database
        self._network = network
        self._clock = clock
        self._day = clock()
        self.rows: dict[str, dict[str, Row]] = {kind: {} for kind in KINDS}
        self._load()
        self._refresh(KINDS)

    def row(self, kind: str, code: str) -> Row | None:
        """Return one row, or None."""
        return self.rows[kind].get(code)

    def roll(self) -> None:
        """Recompute the periods when the day has changed."""
        if self._clock() != self._day:
            self._day = self._clock()
            self._refresh(["periods"])

    def listing(self, kind: str, *, updated_since: str, cursor: str, limit: int) -> dict[str, Any]:
        """Return one page in the order (updated_at, code), and the cursor of the next one."""
        rows = sorted(self.rows[kind].values(), key=_order)
        after = decode_cursor(cursor, ("u", "c"), (str, str)) if cursor else ("", "")
        page = [row for row in rows if _order(row) > after and row["updated_at"] >= updated_since][: limit + 1]
        more = len(page) > limit
        page = page[:limit]
        following = encode_cursor({"u": page[-1]["updated_at"], "c": page[-1]["code"]}) if more else None
        return {"items": page, "next": following}

    def edit(self, kind: str, code: str, changes: Mapping[str, Any]) -> Row:
        """Change fields of a row. Raises Refused if the row or a field does not exist."""
        row = self.row(kind, code)
        if row is None:
            raise Refused(404, "not_found", f"there is no {kind} row {code}")
        if unknown := changes.keys() - (row.keys() - {"code", "updated_at"}):
            raise Refused(422, "invalid_field", f"{kind} rows have no field {min(unknown)!r} that can be changed")
        changed = _with_postable(kind, {**row, **changes, "updated_at": _now()})
        self.rows[kind][code] = changed
        self._database.execute(
            "UPDATE reference_rows SET body = ?, updated_at = ? WHERE kind = ? AND code = ?",
            (json.dumps(changed), changed["updated_at"], kind, code),
        )
        return changed

    def _load(self) -> None:
        """Read the rows that an earlier run left."""
        for kind, code, body in self._database.execute("SELECT kind, code, body FROM reference_rows"):
            self.rows[kind][code] = json.loads(body)

    def _refresh(self, kinds: Mapping[str, str] | list[str]) -> None:
        """Bring rows up to date with their source; a row whose source did not change keeps what was edited."""
        known = {
            (kind, code): source_hash
            for kind, code, source_hash in self._database.execute("SELECT kind, code, source_hash FROM reference_rows")
        }
        now = _now()
        self._database.execute("BEGIN IMMEDIATE")
        for kind in kinds:
            source = {row["code"]: row for row in self._source(kind)}
            for code, row in source.items():
                source_hash = hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()
                if known.get((kind, code)) != source_hash:
                    self._save(kind, {**row, "updated_at": now}, source_hash)
            for code in self.rows[kind].keys() - source.keys():
                if known[kind, code] != "":  # gone from the file: retired once, never deleted
                    self._save(kind, {**self.rows[kind][code], "active": False, "updated_at": now}, "")
        self._database.execute("COMMIT")

    def _save(self, kind: str, row: Row, source_hash: str) -> None:
        """Store a row in memory and in the open transaction."""
        self.rows[kind][row["code"]] = row
        self._database.execute(
            "INSERT INTO reference_rows VALUES (?, ?, ?, ?, ?) ON CONFLICT (kind, code) DO UPDATE SET "
            "body = excluded.body, source_hash = excluded.source_hash, updated_at = excluded.updated_at",
            (kind, row["code"], json.dumps(row), source_hash, row["updated_at"]),
        )

    def _source(self, kind: str) -> Iterator[Row]:
        """Yield the rows of a kind as the network file has them, with the fields that every row has."""
        source = self._network[KINDS[kind]]
        for row in periods(source, self._day) if kind == "periods" else source:
            ours = {name: value for name, value in row.items() if name not in NOT_THE_ERPS}
            yield _with_postable(kind, {"active": True, "valid_from": None, "valid_to": None, **ours})


def _with_postable(kind: str, row: Row) -> Row:
    """Fill in `postable`: a period's follows from its status, other rows are postable unless they say otherwise."""
    if kind == "periods":
        return {**row, "postable": row["status"] == "open" and row["active"]}
    return {"postable": True, **row}


def _order(row: Row) -> tuple[str, str]:
    return (row["updated_at"], row["code"])


def _now() -> str:
    """Return the instant as the protocol writes it: microseconds always, so that texts sort as instants do."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
