"""A charge in our words: whose cost centre, which CDM entry, what it costs, on which day it is posted.

`translate_charges` is the `translate` of every route that reads charges. It asks five questions for a whole batch
(crosswalk, facilities, departments, CDM, periods: one query each) and then decides line by line without a database.
Codes are understood as they were meant on the service date; dimensions have to hold on the posting date (domain
catalogue, charge-to-cost posting, rules 3, 4, 6 and 11).
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from django.utils import timezone

from hub.routing import MissingCode, Part
from mappings import crosswalk, masters
from mappings.canonical import Charge

STORED = Decimal("0.0001")  # four decimals, as money is stored
# What a reason against a master record means for whoever has to act.
WHY = {
    "inactive": "is inactive",
    "not_yet_valid": "is not valid yet",
    "expired": "is no longer valid",
    "not_postable": "is a group, and nothing can be posted to a group",
}
Record = TypeVar("Record")
Problem = tuple[str, str]  # a reason in a word, and a sentence
FINE: Problem = ("", "")


class ChargeWords(msgspec.Struct, frozen=True):
    """What the hub's own books say about a charge line. Money is per unit, in `currency`."""

    facility: str
    department: str
    cost_center: str
    service_line: str
    charge_code: str
    revenue_code: str
    expense_account: str  # "" where neither the CDM nor the department names one: the ledger decides
    unit_cost: Decimal | None
    cost_basis: str  # "message" | "standard" | "ratio" (an estimate) | "" where nobody knows
    price: Decimal | None  # from the CDM, for lines that come without an amount
    currency: str
    posting_date: date
    late: bool  # the service date's period was closed already
    by_default: bool  # a default row of the crosswalk answered for one of the codes


def translate_charges(parts: Sequence[Part]) -> None:
    """Fill `words`, or `missing` with every code that keeps the line from being booked, of each part. Five queries."""
    batch = _Batch(parts)
    for part in parts:
        found = batch.words(part)
        if isinstance(found, ChargeWords):
            part.words, part.missing = found, ()
        else:
            part.words, part.missing = None, found


@dataclass(frozen=True, slots=True)
class _Place:
    """Where and when a line is booked; the same for many lines of a batch."""

    facility: masters.Facility
    department: masters.Department
    posting_date: date
    late: bool
    by_default: bool


class _Batch:
    """The master data that one batch of charges needs, and what was decided so far."""

    def __init__(self, parts: Sequence[Part]) -> None:
        places: set[tuple[str, str, str, date]] = set()
        lines: set[tuple[str, str, str, date]] = set()
        for part in parts:
            document: Charge = part.document
            partner, facility, on = part.source.partner, document.facility, document.service_date
            places.add((partner, facility, document.department, on))
            lines.add((partner, facility, document.charge_code, on))
        self._meaning = crosswalk.load(_codes(places, lines)).meaning
        homes: set[str] = set()
        pairs: set[tuple[str, str]] = set()
        for partner, facility, department, on in places:
            here = _targets(self._meaning(partner, "facility", "", facility, on))
            there = _targets(self._meaning(partner, "department", facility, department, on))
            homes.update(here)
            pairs.update((home, target) for home in here for target in there)
        entries = {
            target
            for partner, facility, charge_code, on in lines
            for target in _targets(self._meaning(partner, "charge_code", facility, charge_code, on))
        }
        self._facilities = masters.facilities(homes)
        self._departments = masters.departments(pairs)
        self._charge_codes = masters.charge_codes(entries)
        self._calendars = masters.periods(self._facilities.keys())
        self._now = timezone.now()
        self._places: dict[tuple[str, str, str, date, date | None, str], _Place | tuple[MissingCode, ...]] = {}
        self._entries: dict[tuple[str, str, str, str, date], tuple[masters.ChargeCode, bool] | MissingCode] = {}

    def words(self, part: Part) -> ChargeWords | tuple[MissingCode, ...]:
        """The line in our words, or all that keeps it from being booked."""
        document: Charge = part.document
        partner = part.source.partner
        key = (partner, document.facility, document.department, document.service_date, document.posting_date,
               document.currency)  # fmt: skip
        place = self._places.get(key)
        if place is None:
            place = self._places[key] = self._place(partner, document)
        if not isinstance(place, _Place):
            entry = self._entry(partner, document, "")
            return (*place, entry) if isinstance(entry, MissingCode) else place
        entry = self._entry(partner, document, place.facility.code)
        if isinstance(entry, MissingCode):
            return (entry,)
        problem = _usable(entry[0].expense_account, place.posting_date, "account")
        if problem != FINE:
            return (_invalid("charge_code", document, problem),)
        return _words(document, place, *entry)

    def _place(self, partner: str, document: Charge) -> _Place | tuple[MissingCode, ...]:
        on = document.service_date
        meant = self._meaning(partner, "department", document.facility, document.department, on)
        there = self._meaning(partner, "facility", "", document.facility, on)
        home = _record("facility", document, there, self._facilities.get)
        if isinstance(home, MissingCode):
            # Where a department stands cannot be said before its facility is known; whether it is mapped can.
            return (home, _missing("department", document, meant)) if isinstance(meant, str) else (home,)
        facility = home[0]
        department = _record("department", document, meant, lambda code: self._departments.get((facility.code, code)))
        if isinstance(department, MissingCode):
            return (department,)
        calendar = self._calendars[facility.code]
        posting_date = calendar.posting_date(document.posting_date or _today(facility, self._now))
        if posting_date is None:
            text = f"No period of {facility.code} is open for it. Open one in the ERP and synchronise."
            return (_invalid("facility", document, ("no_open_period", text)),)
        problem = _facility_problem(facility, document, posting_date)
        if problem != FINE:
            return (_invalid("facility", document, problem),)
        problem = _department_problem(department[0], posting_date)
        if problem != FINE:
            return (_invalid("department", document, problem),)
        late = calendar.status(on) == "closed"
        return _Place(facility, department[0], posting_date, late, home[1] or department[1])

    def _entry(self, partner: str, document: Charge, home: str) -> tuple[masters.ChargeCode, bool] | MissingCode:
        on = document.service_date
        key = (partner, document.facility, home, document.charge_code, on)
        found = self._entries.get(key)
        if found is None:
            meant = self._meaning(partner, "charge_code", document.facility, document.charge_code, on)
            found = _record("charge_code", document, meant, lambda code: self._charge_codes.find(code, home, on))
            self._entries[key] = found
        return found


def _codes(
    places: Collection[tuple[str, str, str, date]], lines: Collection[tuple[str, str, str, date]]
) -> set[tuple[str, str, str]]:
    """Every (partner, domain, code) that occurs."""
    return (
        {(partner, "facility", facility) for partner, facility, _, _ in places}
        | {(partner, "department", department) for partner, _, department, _ in places}
        | {(partner, "charge_code", charge_code) for partner, _, charge_code, _ in lines}
    )


def _targets(meant: crosswalk.Meaning | str) -> tuple[str, ...]:
    """The codes of ours that may be what was meant."""
    if isinstance(meant, str):
        return ()
    return (meant.code, meant.otherwise) if meant.otherwise else (meant.code,)


def _record(
    domain: str,
    document: Charge,
    meant: crosswalk.Meaning | str,
    find: Callable[[str], Record | str | None],
) -> tuple[Record, bool] | MissingCode:
    """The master record that was meant, and whether a default answered; or what is missing.

    `find` gives the record, None where there is none, or the reason why it may not be used.
    """
    if isinstance(meant, str):
        return _missing(domain, document, meant)
    found = find(meant.code)
    by_default = meant.by_default
    if meant.otherwise and (found is None or isinstance(found, str)):
        found, by_default = find(meant.otherwise), True
    if found is None or isinstance(found, str):
        return _missing(domain, document, found or "unknown", "" if meant.shared else meant.code)
    return found, by_default


def _missing(domain: str, document: Charge, reason: str, mapped_to: str = "") -> MissingCode:
    text = document.description if domain == "charge_code" else ""
    if mapped_to:
        text = f"It is mapped to {mapped_to}, which {WHY.get(reason, 'does not exist')}."
    code, facility = _named(domain, document)
    return crosswalk.missing(domain, code, reason, facility=facility, text=text, on=document.service_date)


def _invalid(domain: str, document: Charge, problem: Problem) -> MissingCode:
    """The code is understood, but what it leads to cannot be posted to: finance puts that right in the ERP."""
    code, facility = _named(domain, document)
    return MissingCode(
        domain, code, facility, problem[0], problem[1], document.service_date, "finance", "CHG_DIM_INVALID"
    )


def _named(domain: str, document: Charge) -> tuple[str, str]:
    """The partner's code, and the partner's facility code where the meaning depends on it.

    A charge code is one for the whole network, so one case tells of it whichever hospital sent it first.
    """
    if domain == "department":
        return document.department, document.facility
    return (document.facility if domain == "facility" else document.charge_code), ""


def _today(facility: masters.Facility, now: datetime) -> date:
    """The facility's own date."""
    try:
        return now.astimezone(ZoneInfo(facility.time_zone)).date()
    except (ZoneInfoNotFoundError, ValueError):
        # A wrong time zone moves a posting by a day at most; holding all of the hospital's charges would cost more.
        return timezone.localdate(now)


def _usable(dimension: masters.Dimension | None, day: date, noun: str) -> Problem:
    reason = dimension.reason_against(day) if dimension else ""
    if not reason or dimension is None:
        return FINE
    return reason, f"On {day} {noun} {dimension.code} {WHY[reason]}. Correct it in the ERP, or map to another one."


def _facility_problem(facility: masters.Facility, document: Charge, day: date) -> Problem:
    reason = facility.dates.reason_against(day)
    if reason:
        return reason, f"On {day} facility {facility.code} {WHY[reason]}. Correct it in the ERP, or map to another one."
    if document.currency != facility.currency:
        return "currency", (
            f"The charge is in {document.currency}, the books of {facility.code} are in {facility.currency}. "
            "The sender has to send the facility's currency."
        )
    return FINE


def _department_problem(department: masters.Department, day: date) -> Problem:
    """The first of the department's dimensions that nothing can be posted to on that day."""
    center = department.cost_center
    itself = masters.Dimension(department.code, department.dates)
    for dimension, noun in (
        (itself, "department"),
        (center, "cost centre"),
        (department.expense_account, "account"),
        (department.service_line, "service line"),
    ):
        problem = _usable(dimension, day, noun)
        if problem != FINE:
            return problem
    if center.facility != department.facility:
        return "other_facility", (
            f"Cost centre {center.code} belongs to {center.facility}, department {department.code} to "
            f"{department.facility}. Correct the department in the ERP."
        )
    return FINE


def _words(document: Charge, place: _Place, entry: masters.ChargeCode, by_default: bool) -> ChargeWords:
    department = place.department
    line = entry.service_line or department.service_line
    account = entry.expense_account or department.expense_account
    unit_cost, cost_basis = _cost(document, entry, department)
    return ChargeWords(
        place.facility.code,
        department.code,
        department.cost_center.code,
        line.code if line else "",
        entry.code,
        entry.revenue_code,
        account.code if account else "",
        unit_cost,
        cost_basis,
        entry.price,
        document.currency,
        place.posting_date,
        place.late,
        place.by_default or by_default,
    )


def _cost(document: Charge, entry: masters.ChargeCode, department: masters.Department) -> tuple[Decimal | None, str]:
    """Cost per unit and where it comes from (rule 6). Senders put 0 in FT1-22 for "not known": it says nothing."""
    if document.unit_cost is not None and document.unit_cost > 0:
        return document.unit_cost, "message"
    if entry.unit_cost is not None:
        return entry.unit_cost, "standard"
    price = _unit_price(document, entry)
    if department.cost_ratio is None or price is None:
        return None, ""
    return (price * department.cost_ratio).quantize(STORED, ROUND_HALF_UP), "ratio"


def _unit_price(document: Charge, entry: masters.ChargeCode) -> Decimal | None:
    """What one unit was charged at: as sent, else from the CDM. Never negative: the sign belongs to the quantity."""
    if document.unit_amount is not None:
        return abs(document.unit_amount)
    if document.amount is not None and document.quantity:
        return abs(document.amount / document.quantity)
    return entry.price
