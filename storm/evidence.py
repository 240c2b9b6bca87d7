"""What the checker looks at: the hub's database, the ERP's ledger, the senders' own record. No product code."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg

ACCEPTED = {"AA", "CA"}
CHARGES = {"CG": 1, "CD": -1, "": 1}  # FT1-6; everything else is no charge


@dataclass(frozen=True)
class Sent:
    """One message in the senders' ledger: what was sent and how it was answered in the end."""

    control_id: str
    sha256: str
    facility: str
    account: str
    kind: str
    answer: str
    attempts: int
    raw: bytes

    @property
    def accepted(self) -> bool:
        """Whether the hub answered for it."""
        return self.answer in ACCEPTED

    @cached_property
    def lines(self) -> list["Line"]:
        """Its charge lines, as their sender reckons."""
        segments = self.raw.decode("latin-1").replace("\n", "\r").split("\r")
        rows = [segment.strip().split("|") for segment in segments if segment.strip().startswith("FT1|")]
        return [Line.read(row + [""] * 40) for row in rows if row[6:7] and row[6] in CHARGES]


@dataclass(frozen=True, slots=True)
class Line:
    """One charge line of a message: the sender's transaction id, its signed money (None where it names none), and
    whether it says that it repeats another on purpose (FT1-28)."""

    transaction: str
    amount: Decimal | None
    repeats: bool = False

    @classmethod
    def read(cls, fields: Sequence[str]) -> "Line":
        """Out of an FT1's fields: FT1-11, else FT1-10 times FT1-12; credits and whatever has a minus take away."""
        quantity, total, unit = (_number(fields[number]) for number in (10, 11, 12))
        if total is None and unit is None:  # the hub prices it from its charge master
            return cls(fields[2], None, bool(fields[28]))
        amount = total if total is not None else (Decimal(1) if quantity is None else quantity) * (unit or 0)
        minus = CHARGES[fields[6]] < 0 or any(value is not None and value < 0 for value in (quantity, total, unit))
        return cls(fields[2], -abs(amount) if minus else abs(amount), bool(fields[28]))


def _number(text: str) -> Decimal | None:
    first = text.split("^")[0].split("&")[0]
    return Decimal(first) if first else None


@dataclass
class Evidence:
    """Everything that is looked at. Planted bugs break one thing in it."""

    db: psycopg.Connection[Any]
    erp: sqlite3.Connection
    sent: list[Sent]
    keys: str  # the hub's ring, as its environment has it

    def rows(self, statement: str, *parameters: object) -> list[Any]:
        """Rows out of the hub's database."""
        return self.db.execute(statement, parameters or None).fetchall()

    def books(self, statement: str) -> list[Any]:
        """Rows out of the ERP's ledger."""
        return self.erp.execute(statement).fetchall()


def read_ledger(path: Path) -> list[Sent]:
    """The senders' record."""
    entries = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [Sent(**{**entry, "raw": entry["raw"].encode("latin-1")}) for entry in entries]


@contextmanager
def gathered(database_url: str, erp_ledger: Path, ledger: Path, keys: str) -> Iterator[Evidence]:
    """The evidence of a storm that is over: the ERP's file is copied into memory, the database is only read."""
    with psycopg.connect(database_url) as db:
        source, erp = sqlite3.connect(erp_ledger), sqlite3.connect(":memory:")
        source.backup(erp)
        source.close()
        try:
            yield Evidence(db, erp, read_ledger(ledger), keys)
        finally:
            erp.close()
