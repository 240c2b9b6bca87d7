"""The ERP's one SQLite file: how it is opened, and its tables."""

from __future__ import annotations

import fcntl
import sqlite3
from pathlib import Path
from typing import IO

# Amounts are ten-thousandths. A journal's lines have consecutive ids, so a journal needs only its first and last.
SCHEMA = """
CREATE TABLE IF NOT EXISTS journals (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    external_key TEXT NOT NULL UNIQUE,
    entity TEXT NOT NULL,
    currency TEXT NOT NULL,
    posting_date TEXT NOT NULL,
    period TEXT NOT NULL,
    description TEXT NOT NULL,
    total_debit INTEGER NOT NULL,
    total_credit INTEGER NOT NULL CHECK (total_credit = total_debit),
    first_line INTEGER NOT NULL,
    last_line INTEGER NOT NULL CHECK (last_line > first_line),
    posted_at TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS lines (
    id INTEGER PRIMARY KEY,
    line_key TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    cost_center TEXT NOT NULL,
    debit INTEGER NOT NULL CHECK (debit >= 0),
    credit INTEGER NOT NULL CHECK (credit >= 0 AND (debit > 0) <> (credit > 0)),
    reference TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    memo TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS reference_rows (
    kind TEXT NOT NULL,
    code TEXT NOT NULL,
    body TEXT NOT NULL,
    source_hash TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    PRIMARY KEY (kind, code)
) STRICT, WITHOUT ROWID;
"""


def claim(path: Path) -> IO[str]:
    """Keep other processes off a ledger while the returned file is open; the claim ends with the process.

    Raises OSError if another process has it: numbers are given out from memory, so there may be one writer only.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(path.name + ".lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise OSError(f"another process has the ledger {path.name} open") from None
    return lock


def connect(path: Path) -> sqlite3.Connection:
    """Open the ledger for writing, making it and its folder if need be.

    WAL with synchronous NORMAL: a commit survives the death of the process (a power cut may lose the last ones).
    """
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA cache_size = -65536")
    connection.execute(
        "PRAGMA wal_autocheckpoint = 4000"
    )  # the ledger's last pages are copied back once, not each second
    connection.execute("PRAGMA busy_timeout = 5000")
    connection.executescript(SCHEMA)
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """Open the ledger read-only for the thread that answers long queries beside the writer."""
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, check_same_thread=False)
    connection.execute("PRAGMA busy_timeout = 5000")
    return connection
