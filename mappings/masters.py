"""Reading master data for a batch: one query per kind, light records that say whether they may be used on a day.

The tables' own models are for staff's edits and the ERP's sync (`mappings.flows.masters`); a batch of a thousand
lines reads these instead. All money is per unit, in the facility's currency.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import connection


class Dates(NamedTuple):
    """Whether and when a record may be used; the last day is inclusive, None means open."""

    active: bool
    valid_from: date
    valid_to: date | None

    def reason_against(self, day: date) -> str:
        """Why not on that day, in a word ("inactive", "not_yet_valid", "expired"), or ""."""
        if not self.active:
            return "inactive"
        if day < self.valid_from:
            return "not_yet_valid"
        if self.valid_to is not None and day > self.valid_to:
            return "expired"
        return ""


@dataclass(frozen=True, slots=True)
class Dimension:
    """A cost centre, an account or a service line, as far as a posting needs to know it."""

    code: str
    dates: Dates
    postable: bool = True
    facility: str = ""  # cost centres belong to one

    def reason_against(self, day: date) -> str:
        """As `Dates.reason_against`, or "not_postable": a group collects, nothing is posted to it."""
        return self.dates.reason_against(day) or ("" if self.postable else "not_postable")


@dataclass(frozen=True, slots=True)
class Facility:
    """A hospital: its clock, its currency, and the account that is credited when cost is allocated."""

    code: str
    name: str
    dates: Dates
    time_zone: str
    currency: str
    clearing_account: Dimension | None


@dataclass(frozen=True, slots=True)
class Department:
    """A performing department with the dimensions that it decides."""

    facility: str
    code: str
    name: str
    dates: Dates
    cost_center: Dimension
    service_line: Dimension | None
    expense_account: Dimension | None
    cost_ratio: Decimal | None


@dataclass(frozen=True, slots=True)
class ChargeCode:
    """One version of one CDM entry; `facility` "" stands for all of them."""

    facility: str
    code: str
    name: str
    dates: Dates
    revenue_code: str
    price: Decimal | None
    unit_cost: Decimal | None
    quantity_max: Decimal | None
    expense_account: Dimension | None
    service_line: Dimension | None


_FACILITIES = """
    SELECT f.code, f.name, f.active, f.valid_from, f.valid_to, f.time_zone, f.currency,
           g.code, g.active, g.valid_from, g.valid_to, g.postable
      FROM mappings_facility f LEFT JOIN mappings_glaccount g ON g.id = f.clearing_account_id
     WHERE f.code = ANY(%s)
"""
_DEPARTMENTS = """
    SELECT f.code, d.code, d.name, d.active, d.valid_from, d.valid_to, d.cost_ratio,
           c.code, c.active, c.valid_from, c.valid_to, c.postable, c.facility,
           s.code, s.active, s.valid_from, s.valid_to, true,
           g.code, g.active, g.valid_from, g.valid_to, g.postable
      FROM unnest(%s::text[], %s::text[]) AS asked(facility, code)
      JOIN mappings_facility f ON f.code = asked.facility
      JOIN mappings_department d ON d.facility_id = f.id AND d.code = asked.code
      JOIN mappings_costcenter c ON c.id = d.cost_center_id
      LEFT JOIN mappings_serviceline s ON s.id = d.service_line_id
      LEFT JOIN mappings_glaccount g ON g.id = d.expense_account_id
"""
_CHARGE_CODES = """
    SELECT h.facility, h.code, h.name, h.active, h.valid_from, h.valid_to, h.revenue_code, h.price, h.unit_cost,
           h.quantity_max, s.code, s.active, s.valid_from, s.valid_to, true,
           g.code, g.active, g.valid_from, g.valid_to, g.postable
      FROM mappings_chargecode h
      LEFT JOIN mappings_serviceline s ON s.id = h.service_line_id
      LEFT JOIN mappings_glaccount g ON g.id = h.expense_account_id
     WHERE h.code = ANY(%s)
"""
_PERIODS = "SELECT facility, starts, ends, status FROM mappings_period WHERE facility = ANY(%s) ORDER BY starts"


def facilities(codes: Collection[str]) -> dict[str, Facility]:
    """Facilities by code. One query."""
    return {
        row[0]: Facility(row[0], row[1], Dates(*row[2:5]), row[5], row[6], _dimension(row[7:12]))
        for row in _fetch(_FACILITIES, [sorted(codes)], codes)
    }


def departments(pairs: Collection[tuple[str, str]]) -> dict[tuple[str, str], Department]:
    """Departments by (our facility, department code). One query."""
    columns = [[facility for facility, _ in pairs], [code for _, code in pairs]]
    found = {}
    for row in _fetch(_DEPARTMENTS, columns, pairs):
        cost_center = Dimension(row[7], Dates(*row[8:11]), row[11], row[12])
        found[row[0], row[1]] = Department(
            row[0],
            row[1],
            row[2],
            Dates(*row[3:6]),
            cost_center,
            _dimension(row[13:18]),
            _dimension(row[18:23]),
            row[6],
        )
    return found


class ChargeCodes:
    """CDM entries of a batch."""

    def __init__(self, entries: Iterable[ChargeCode]) -> None:
        self._by_code: dict[str, list[ChargeCode]] = {}
        # A facility's own before the general ones, the latest version first.
        for entry in sorted(entries, key=lambda e: (e.facility != "", e.dates.valid_from), reverse=True):
            self._by_code.setdefault(entry.code, []).append(entry)

    def find(self, code: str, facility: str, on: date) -> ChargeCode | str:
        """The version in force on that day, a facility's own before the general one; or the reason why there is none.

        `facility` "" means that nobody knows which: any facility's entry will do. Where versions overlap the one
        that begins last speaks: that is how a price list's next edition takes over.
        """
        reason = ""
        for entry in self._by_code.get(code, ()):
            if not facility or entry.facility in {facility, ""}:
                against = entry.dates.reason_against(on)
                if not against:
                    return entry
                reason = reason or against
        return reason or "unknown"


def charge_codes(codes: Collection[str]) -> ChargeCodes:
    """The CDM entries of these codes, of all facilities and versions. One query."""
    rows = _fetch(_CHARGE_CODES, [sorted(codes)], codes)
    return ChargeCodes(
        ChargeCode(
            row[0], row[1], row[2], Dates(*row[3:6]), row[6], row[7], row[8], row[9],
            _dimension(row[15:20]), _dimension(row[10:15]),
        )
        for row in rows
    )  # fmt: skip


class Calendar:
    """The posting periods of one facility, in order and without gaps that matter."""

    def __init__(self, periods: Collection[tuple[date, date, str]]) -> None:
        self._starts = [starts for starts, _, _ in periods]
        self._periods = list(periods)
        self._open = [starts for starts, _, status in periods if status == "open"]

    def status(self, day: date) -> str:
        """ "open", "closed" or "future"; days before the first period are closed, days after the last are future."""
        at = bisect_right(self._starts, day) - 1
        if at < 0:
            return "closed" if self._periods else "future"
        _, ends, status = self._periods[at]
        return status if day <= ends else "future"

    def posting_date(self, day: date) -> date | None:
        """The day itself in an open period, else the first day of the next open one; None where there is none."""
        if self.status(day) == "open":
            return day
        at = bisect_left(self._open, day)
        return self._open[at] if at < len(self._open) else None


def periods(codes: Collection[str]) -> dict[str, Calendar]:
    """The calendars of these facilities. One query; every facility asked for has one, be it empty."""
    rows: dict[str, list[tuple[date, date, str]]] = {code: [] for code in codes}
    for facility, *period in _fetch(_PERIODS, [sorted(codes)], codes):
        rows[facility].append((period[0], period[1], period[2]))
    return {code: Calendar(found) for code, found in rows.items()}


def _dimension(row: tuple[Any, ...]) -> Dimension | None:
    code, active, valid_from, valid_to, postable = row
    return None if code is None else Dimension(code, Dates(active, valid_from, valid_to), postable)


def _fetch(statement: str, params: list[Any], asked: Collection[Any]) -> list[Any]:
    if not asked:
        return []
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return cursor.fetchall()
