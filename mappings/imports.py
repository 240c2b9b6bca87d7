"""Mappings and charge codes from a spreadsheet: first a dry run that says what would happen, then the real one.

The real run does what the verbs do: mappings become proposals that somebody else approves, charge codes go through
`masters.upsert`. A line that is bad stops nobody but itself, and is told with its number, its column and what to do.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import transaction

from hub import access
from hub.access import Actor
from hub.errors import NotAllowed, Refused
from mappings import sheets
from mappings.flows import mappings, masters
from mappings.models import ChargeCode, Mapping

MAPPING_COLUMNS = (
    "partner", "domain", "facility", "source_code", "target_code", "valid_from", "valid_to", "reason",
)  # fmt: skip
CHARGE_CODE_COLUMNS = (
    "code", "name", "facility", "revenue_code", "hcpcs", "price", "unit_cost", "quantity_max", "expense_account",
    "service_line", "active", "valid_from", "valid_to",
)  # fmt: skip
MAPPING_REQUIRED = ("partner", "domain", "source_code", "target_code")
CHARGE_CODE_REQUIRED = ("code",)
# Which column an error is about.
_COLUMNS = {
    "MAP_PARTNER": "partner",
    "MAP_DOMAIN": "domain",
    "MAP_SOURCE": "source_code",
    "MAP_TARGET": "target_code",
    "MAP_DATES": "valid_to",
    "MAP_OVERLAP": "valid_from",
    "ACCESS_FACILITY": "facility",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the file. `state`: new, changed, same, overlapping, bad."""

    number: int  # as the spreadsheet counts them; the heading is line 1
    state: str
    label: str
    column: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What an import would do, or did."""

    dry_run: bool
    lines: tuple[Line, ...]
    totals: dict[str, int]


def import_mappings(content: bytes, name: str, *, by: Actor, dry_run: bool = True) -> Report:
    """Propose every new mapping of the file. The same file twice proposes nothing twice."""
    access.require(by, "mappings.propose_mapping")
    rows = sheets.read(content, name, columns=MAPPING_COLUMNS, required=MAPPING_REQUIRED)
    earlier: dict[tuple[str, ...], list[tuple[int, Mapping]]] = {}
    with transaction.atomic():
        lines = [_mapping(number, row, earlier, by, dry_run) for number, row in enumerate(rows, start=2)]
    return _report(lines, dry_run)


Earlier = dict[tuple[str, ...], list[tuple[int, Mapping]]]  # what the file's own lines above say, by code


def _mapping(number: int, row: dict[str, str], earlier: Earlier, by: Actor, dry_run: bool) -> Line:
    label = f"{row['domain']} {row['source_code']} -> {row['target_code']}"
    try:
        said: dict[str, Any] = {**row, "valid_from": _day(row, "valid_from"), "valid_to": _day(row, "valid_to")}
        wanted = mappings.draft(**said, by=by)
        above = _above(wanted, earlier)
        if above is not None:
            return Line(number, above[0], label, "valid_from" if above[0] == "overlapping" else "", above[1])
        same = mappings.same_as(wanted)
        if same is None:
            mappings.refuse_overlap(wanted)
        key = (wanted.partner.code, wanted.domain, wanted.facility, wanted.source_code)
        earlier.setdefault(key, []).append((number, wanted))
        if same is not None:
            return Line(number, "same", label, "", f"{same.get_status_display()} (mapping {same.pk}).")
        if not dry_run:
            mappings.propose(**said, by=by)
    except (Refused, NotAllowed) as error:
        state = "overlapping" if error.code == "MAP_OVERLAP" else "bad"
        return Line(number, state, label, error.where or _COLUMNS.get(error.code, ""), error.text)
    return Line(number, "new", label)


def _above(wanted: Mapping, earlier: Earlier) -> tuple[str, str] | None:
    """Whether a line above says the same, or something else for the same days."""
    key = (wanted.partner.code, wanted.domain, wanted.facility, wanted.source_code)
    for number, other in earlier.get(key, []):
        if (other.target_code, other.valid_from, other.valid_to) == (
            wanted.target_code, wanted.valid_from, wanted.valid_to,
        ):  # fmt: skip
            return "same", f"Line {number} says the same."
        if _overlap(other, wanted):
            return "overlapping", f"Line {number} maps the same code on the same days. Keep one of them."
    return None


def _day(row: dict[str, str], column: str) -> date | None:
    try:
        return date.fromisoformat(row[column]) if row.get(column) else None
    except ValueError:
        raise Refused("IMPORT_DATE", f"{row[column]!r} is no date; write it as 2026-11-22.", where=column) from None


def _overlap(one: Mapping, other: Mapping) -> bool:
    return one.valid_from <= (other.valid_to or date.max) and other.valid_from <= (one.valid_to or date.max)


class _DryRun(Exception):
    """Rolls the transaction back."""


def import_charge_codes(content: bytes, name: str, *, by: Actor, dry_run: bool = True) -> Report:
    """Create and change CDM entries. An empty cell leaves the entry's value as it is; so does a column left out."""
    access.require(by, "mappings.change_chargecode")
    rows = sheets.read(content, name, columns=CHARGE_CODE_COLUMNS, required=CHARGE_CODE_REQUIRED)
    changes = masters.Changes()
    try:
        with transaction.atomic():
            records = [{column: value for column, value in row.items() if value} for row in rows]
            changes = masters.upsert("charge_code", records, by=by, source=f"import of {name}"[:100], quarantine=False)
            if dry_run:
                raise _DryRun  # the dry run is the real one, taken back
    except _DryRun:
        pass
    bad = [Line(one.index + 2, "bad", one.key, one.field, f"{one.field} {one.reason}.") for one in changes.refused]
    totals = {"new": changes.created, "changed": changes.changed, "same": changes.unchanged, "bad": len(bad)}
    return Report(dry_run, tuple(bad), totals)


def export_mappings(rows: Iterable[Mapping], *, kind: str = "csv") -> bytes:
    """A file of these mappings that `import_mappings` takes back; whoever asks has scoped the rows."""
    return sheets.write(MAPPING_COLUMNS, (_cells(row, MAPPING_COLUMNS) for row in rows), kind=kind)


def export_charge_codes(rows: Iterable[ChargeCode], *, kind: str = "csv") -> bytes:
    """A file of these CDM entries that `import_charge_codes` takes back."""
    return sheets.write(CHARGE_CODE_COLUMNS, (_cells(row, CHARGE_CODE_COLUMNS) for row in rows), kind=kind)


def _cells(row: Any, columns: Sequence[str]) -> list[Any]:
    """Values by column; a record that is referred to stands as its code."""
    values = (getattr(row, column) for column in columns)
    return [getattr(value, "code", value) for value in values]


def _report(lines: list[Line], dry_run: bool) -> Report:
    return Report(dry_run, tuple(lines), dict(Counter(line.state for line in lines)))
