"""Retention: whole months leave. Archived first, checked, dropped in one short transaction, with evidence of what went.

A month goes only when nothing of it is open: no message, delivery or case that anybody or anything still waits for.
What other tables keep (charges, journals, cases, audit entries) stays; their links into a dropped month lead nowhere.
"""

import gzip
import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from psycopg import sql
from psycopg.errors import LockNotAvailable

from hub import access, audit, bulk, cases, ids, partitions
from hub.access import Actor
from hub.errors import Permanent, Refused, Transient

LOCK_MS = 2_000  # the drop waits no longer for whoever reads; it is tried again another night
PRIVATE = 0o600
MONTH = re.compile(r"hub_message_(\d{4})_(\d{2})")

# What keeps a month from going, each counted in it.
OPEN: Mapping[str, str] = {
    "messages that are not settled": "SELECT count(*) FROM hub_message WHERE id >= %(low)s AND id < %(high)s"
    " AND status IN ('received', 'held', 'stopped', 'blocked')",
    "deliveries that are not settled": "SELECT count(*) FROM hub_delivery"
    " WHERE status IN ('pending', 'sending', 'stopped', 'blocked')"
    " AND (id >= %(low)s AND id < %(high)s OR fact_id >= %(low)s AND fact_id < %(high)s)",
    "open cases": "SELECT count(*) FROM hub_exceptioncase WHERE status IN ('open', 'assigned')"
    " AND (message_id >= %(low)s AND message_id < %(high)s OR delivery_id >= %(low)s AND delivery_id < %(high)s)",
}


@dataclass(frozen=True, slots=True)
class Archived:
    """One partition in the archive: CSV with a header line, gzipped."""

    table: str
    file: str
    rows: int
    sha256: str  # of the file
    latest: str  # the last settling in it: what changed after it was archived is seen by this


@dataclass(frozen=True, slots=True)
class Month:
    """A month that has partitions, by its first moment."""

    start: datetime

    @property
    def name(self) -> str:
        """Such as 2026-01."""
        return f"{self.start:%Y-%m}"

    @property
    def range(self) -> dict[str, UUID]:
        """The ids of the month, from `low` to before `high`."""
        return {"low": ids.floor(self.start), "high": ids.floor(partitions.month_after(self.start))}

    def table(self, parent: str) -> str:
        """The name of a partition."""
        return f"{parent}_{self.start:%Y_%m}"


def months() -> list[Month]:
    """The months that have a partition, the oldest first."""
    names = bulk.fetch("SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
                       " WHERE i.inhparent = 'hub_message'::regclass ORDER BY 1")  # fmt: skip
    found = [MONTH.fullmatch(name) for (name,) in names]
    return [Month(datetime(int(match[1]), int(match[2]), 1, tzinfo=UTC)) for match in found if match]


def due(keep: int, now: datetime) -> list[Month]:
    """The months that ended more than `keep` whole months ago, the oldest first. `keep` is 1 at least."""
    if keep < 1:
        raise Refused("RETENTION_TERMS", "Keep one whole month at least beside the current one.")
    this = now.astimezone(UTC).year * 12 + now.astimezone(UTC).month
    return [month for month in months() if this - (month.start.year * 12 + month.start.month) > keep]


def obstacles(month: Month) -> list[str]:
    """What is still open in the month, in words; nothing when it may go."""
    counted = [(bulk.fetch(query, month.range)[0][0], what) for what, query in OPEN.items()]
    return [f"{count:,} {what}" for count, what in counted if count]


def nightly(now: datetime) -> None:
    """Let go of what is due by the settings. A month that has to stay is one case, which closes when it went."""
    if not settings.RETENTION_MONTHS:
        return
    if not settings.ARCHIVE_FOLDER:
        raise Permanent("RETENTION_TERMS", "THROUGHLINE_RETENTION_MONTHS is set and THROUGHLINE_ARCHIVE_FOLDER is not.")
    for month in due(settings.RETENTION_MONTHS, now):
        subject = f"month:{month.name}"
        try:
            drop(month, Path(settings.ARCHIVE_FOLDER), by=access.SYSTEM, now=now)
        except (Refused, Transient) as error:
            case = cases.NewCase(
                code="RETENTION_OPEN", subject=subject, title=f"{month.name} cannot leave yet", text=error.text,
                owner="integration",
            )  # fmt: skip
            cases.open_many([case], by=access.SYSTEM)
        else:
            cases.close("RETENTION_OPEN", [subject], reason="The month is archived and gone.", by=access.SYSTEM)


def drop(month: Month, archive: Path, *, by: Actor, now: datetime) -> list[Archived]:
    """Archive the month into the folder, then drop its partitions. Returns what was archived.

    Raises `Refused` RETENTION_OPEN while anything of it is open, RETENTION_CHANGED when it changed while it was
    archived, `Transient` RETENTION_BUSY when somebody reads it for long. Nothing is dropped then, and the archive's
    files are written anew the next time.
    """
    access.require(by, "hub.drop_month")
    _refuse_open(month)
    archive.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept = [_archive(month.table(parent), archive) for parent in partitions.TABLES if _exists(month.table(parent))]
    _manifest(month, kept, archive, by, now)
    try:
        with transaction.atomic():
            bulk.run(f"SET LOCAL lock_timeout = {LOCK_MS}")
            for one in kept:
                _lock(one.table)
            _refuse_open(month)
            _refuse_changed(kept)
            for table in (*(one.table for one in kept), *_derived(month)):
                _drop(table)
            detail = {"month": month.name, "archived": [asdict(one) for one in kept]}
            audit.record(
                "retention.drop", by=by, subject_type="hub.message", count=sum(a.rows for a in kept), detail=detail
            )
    except LockNotAvailable as error:
        text = f"Somebody reads {month.name} for longer than {LOCK_MS / 1000:g} s; it is tried again."
        raise Transient("RETENTION_BUSY", text) from error
    return kept


def _refuse_open(month: Month) -> None:
    if found := obstacles(month):
        text = f"{month.name} has {', '.join(found)}. Settle them; then it goes by itself."
        raise Refused("RETENTION_OPEN", text)


def _derived(month: Month) -> list[str]:
    """The month's part of what was made out of its messages: it goes with them, and could be made again."""
    return [table for table in map(month.table, partitions.DERIVED) if _exists(table)]


def _exists(table: str) -> bool:
    return bulk.fetch("SELECT to_regclass(%s) IS NOT NULL", [table])[0][0] is True


def _archive(table: str, folder: Path) -> Archived:
    """The partition's rows as a file that is whole or not there."""
    path = folder / f"{table}.csv.gz"
    half = path.with_suffix(".half")
    latest = _latest(table)
    statement = sql.SQL("COPY (SELECT * FROM {} ORDER BY id) TO STDOUT (FORMAT csv, HEADER)").format(
        sql.Identifier(table)
    )
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE), "wb") as file:
        with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=6, mtime=0) as packed, bulk.cursor() as cursor:
            with cursor.copy(statement) as rows:
                for block in rows:
                    packed.write(block)
            count = cursor.rowcount
        file.flush()
        os.fsync(file.fileno())
    half.rename(path)
    return Archived(table, path.name, count, _sha256(path), latest)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _latest(table: str) -> str:
    if table.startswith("hub_fact"):  # facts never change
        return ""
    statement = sql.SQL("SELECT coalesce(max(settled_at)::text, '') FROM {}").format(sql.Identifier(table))
    with bulk.cursor() as cursor:
        return str(cursor.execute(statement).fetchall()[0][0])


def _manifest(month: Month, kept: Sequence[Archived], folder: Path, by: Actor, now: datetime) -> None:
    """Beside the files: what they hold, for whoever opens them in ten years."""
    path = folder / f"{month.name}.json"
    document: dict[str, Any] = {
        "month": month.name, "archived_at": now.isoformat(), "by": by.name,
        "format": "CSV (RFC 4180) with a header line, gzipped; bytes in PostgreSQL's hex form",
        "raw": "sealed, as it was stored: it opens with the keys of THROUGHLINE_VAULT_KEYS that are named in it",
        "tables": [asdict(one) for one in kept],
    }  # fmt: skip
    path.write_text(json.dumps(document, indent=2) + "\n")
    path.chmod(PRIVATE)


def _lock(table: str) -> None:
    with bulk.cursor() as cursor:
        cursor.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(sql.Identifier(table)))


def _refuse_changed(kept: Sequence[Archived]) -> None:
    for one in kept:
        with bulk.cursor() as cursor:
            counted = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(one.table))
            rows = cursor.execute(counted).fetchall()[0][0]
        if (rows, _latest(one.table)) != (one.rows, one.latest):
            raise Refused("RETENTION_CHANGED", f"{one.table} changed while it was archived; it is archived again.")


def _drop(table: str) -> None:
    parent = table[: -len("_0000_00")]
    with bulk.cursor() as cursor:
        names = sql.Identifier(parent), sql.Identifier(table)
        cursor.execute(sql.SQL("ALTER TABLE {} DETACH PARTITION {}").format(*names))
        cursor.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(table)))
