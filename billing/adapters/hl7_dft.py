"""Charges: DFT^P03 and P11 to `canonical.Charge`, one for each FT1 that is a charge or a credit (HL7 v2.5.1 ch. 6)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from billing.adapters import hl7_places as places
from billing.adapters.hl7_line import Line
from billing.adapters.hl7_settings import ChargeSettings, read_settings
from billing.adapters.hl7_sums import read_sums
from billing.adapters.hl7_supplies import read_supplies, supply_groups
from billing.adapters.hl7_values import day, ndc, span
from billing.adapters.notes import Notes
from hub.errors import ParseError
from hub.formats import hl7
from hub.routing import Read
from mappings.canonical import Charge

# Table 0017. An empty FT1-6 is a charge: old feeds send nothing else.
KINDS: Final = {"CG": "charge", "CD": "credit", "": "charge"}
OTHERS: Final = {"PY": "payment", "AJ": "adjustment", "CO": "co-payment"}
# Coding systems whose codes in FT1-7 are procedures themselves (table 0396 and what senders make of it).
PROCEDURE_SYSTEMS: Final = frozenset({"CPT", "CPT4", "C4", "C5", "HCPCS", "HCPT", "HPC"})
# Longest values that `billing.models.Charge` keeps; a transaction id also becomes part of the line's key.
TRANSACTION, CODE, DEPARTMENT, DESCRIPTION, PROCEDURE, MODIFIERS, ORDER = 150, 120, 120, 200, 20, 40, 60


@dataclass(frozen=True, slots=True)
class _Visit:
    """What all lines of a message share."""

    account: str
    visit: str
    facility: str
    department: str  # where the patient lies: stands in for lines without one
    patient_class: str
    service: str
    days: tuple[tuple[str, str], ...]  # days that may stand in for a missing service date, and where they were found


def read_dft(message: hl7.Message, settings: Mapping[str, Any]) -> Read:
    """Every charge and credit of a DFT^P03 or P11, in order; payments and the like are passed over with a note.

    `settings` are the endpoint's: `facility_from`, `negative_charge`, `currency`, `paths` (see `hl7_settings`).
    Raises `ParseError` naming the place, `Permanent` IF_SETTINGS for a setting that cannot be used.
    """
    places.only_one_message(message)
    places.only_one_patient(message)
    options = read_settings(settings)
    notes = Notes()
    wanted = []
    for position, segment in enumerate(message.all("FT1"), start=1):
        line = Line(position, segment)
        kind = _kind(line, notes)
        if kind:
            wanted.append((line, kind))
    charges: Sequence[Charge] = ()
    if wanted:
        visit = _visit(message, options, notes)
        groups = supply_groups(message, options)
        charges = [_charge(line, kind, visit, options, notes, groups) for line, kind in wanted]
    else:
        notes.add("no charge in the message")
    return Read(charges, (*message.notes, *notes.told()))


def _kind(line: Line, notes: Notes) -> str:
    """Charge or credit by FT1-6; "" for a transaction that is neither."""
    code = line.code(6).upper()
    kind = KINDS.get(code)
    if kind is not None:
        if not code:
            notes.add("FT1-6 is empty, read as a charge", line.at)
        return kind
    other = OTHERS.get(code)
    if other is None:
        problem = f"this is no transaction type; send one of {', '.join(filter(None, (*KINDS, *OTHERS)))}"
        raise ParseError("CHG_TYPE", problem, where=line.where(6))
    notes.add(f"{other} line is not a charge", line.at, many=f"{other} lines are not charges")
    return ""


def _visit(message: hl7.Message, options: ChargeSettings, notes: Notes) -> _Visit:
    pid = message.first("PID") or places.EMPTY
    pv1 = message.first("PV1") or places.EMPTY
    evn = message.first("EVN") or places.EMPTY
    return _Visit(
        places.account(pid, pv1, notes),
        places.fit(pv1.text(19).strip(), places.VISIT, "PV1-19"),
        places.facility(message, pv1, options.facility_from, notes),
        places.fit(pv1.text(3).strip(), DEPARTMENT, "PV1-3"),
        places.fit(pv1.text(2).strip(), places.PATIENT_CLASS, "PV1-2"),
        places.fit(pv1.text(10).strip(), places.SERVICE, "PV1-10"),
        (
            ("EVN-6", evn.text(6).strip()),
            ("EVN-2", evn.text(2).strip()),
            ("PV1-44", pv1.text(44).strip()),
            ("MSH-7", message.segments[0].text(7).strip()),
        ),
    )


def _charge(
    line: Line,
    kind: str,
    visit: _Visit,
    options: ChargeSettings,
    notes: Notes,
    groups: Mapping[int, list[hl7.Segment]],
) -> Charge:
    """One line; its fields are named in the order of `canonical.Charge`."""
    code = line.code
    sums = read_sums(line, kind, options, notes)
    charge_code, code_system, procedure = _codes(line, notes)
    # Nothing follows most lines, and few name an item themselves.
    used = read_supplies(line, groups.get(line.position, ()), options, notes) if groups or line.fields[34] else {}
    return Charge(
        kind=sums.kind, transaction_id=code(2, TRANSACTION), account=visit.account, visit=visit.visit,
        facility=_facility(line, visit, options), department=_department(line, visit, notes), location=code(16),
        charge_code=charge_code, code_system=code_system, description=_description(line, notes),
        quantity=sums.quantity, unit_amount=sums.unit_amount, amount=sums.amount, currency=sums.currency,
        unit_cost=sums.unit_cost,
        service_date=_service_date(line, visit, notes),
        posting_date=_posting_date(line),
        patient_class=visit.patient_class or code(18, places.PATIENT_CLASS),
        service=visit.service,
        procedure_code=procedure, modifiers=_modifiers(line), performer=_performer(line),
        filler_order=code(23, ORDER),
        original=code(31, TRANSACTION) or code(30, TRANSACTION),
        repeat_reason=code(28) or line.part(28, 2),
        batch=code(3),
        ndc=_ndc(line, notes),
        flags=sums.flags,
        **used,
    )  # fmt: skip


def _codes(line: Line, notes: Notes) -> tuple[str, str, str]:
    """Charge code, its coding system, and procedure code: FT1-7 and FT1-25, each standing in for the other."""
    procedure = line.code(25, PROCEDURE)
    code = line.code(7, CODE)
    if code:
        system = line.part(7, 3)
        if not procedure and system.upper() in PROCEDURE_SYSTEMS:
            procedure = line.code(7, PROCEDURE)
        return code, system, procedure
    if not procedure:
        raise ParseError("CHG_CODE", "there is no charge code; send one in FT1-7 or FT1-25", where=line.where(7))
    notes.add("no charge code in FT1-7, the procedure code in FT1-25 is taken", line.at)
    return procedure, line.part(25, 3), procedure


def _facility(line: Line, visit: _Visit, options: ChargeSettings) -> str:
    if options.facility_from == "location":
        return line.part(16, 4, limit=places.FACILITY) or visit.facility
    return visit.facility


def _department(line: Line, visit: _Visit, notes: Notes) -> str:
    """FT1-13, else where the line (FT1-16) or the patient (PV1-3) was."""
    found = line.code(13, DEPARTMENT)
    if found:
        return found
    found = line.code(16, DEPARTMENT)
    if found:
        notes.add("no department in FT1-13, the location in FT1-16 is taken", line.at)
        return found
    notes.add("no department in FT1-13" + (", the location in PV1-3 is taken" if visit.department else ""), line.at)
    return visit.department


def _description(line: Line, notes: Notes) -> str:
    """FT1-8 (whole: some senders write `&` unescaped), else FT1-9, else the name beside the code in FT1-7."""
    found = line.whole(8) or line.whole(9) or line.part(7, 2)
    if len(found) > DESCRIPTION:
        notes.add(f"description cut to {DESCRIPTION} characters", line.at)
        return found[:DESCRIPTION]
    return found


def _service_date(line: Line, visit: _Visit, notes: Notes) -> date:
    """FT1-4, from `start^end` the start. Where it is empty or stops at a month, another day that agrees with it."""
    text = line.code(4)
    found = day(text)
    if found is not None:
        return found
    stated = span(text)
    if text and not stated:
        raise ParseError("CHG_DATE", "this is no day; send it as YYYYMMDD", where=line.where(4))
    for place, candidate in visit.days:
        found = day(candidate)
        if found is not None and f"{found:%Y%m%d}".startswith(stated):
            notes.add(f"no day in FT1-4, the one in {place} is taken", line.at)
            return found
    raise ParseError("CHG_DATE", "there is no service date; send the day as YYYYMMDD", where=line.where(4))


def _posting_date(line: Line) -> date | None:
    text = line.code(5)
    if not text:
        return None
    found = day(text)
    if found is None:
        raise ParseError("CHG_DATE", "this is no day; send it as YYYYMMDD, or nothing", where=line.where(5))
    return found


def _modifiers(line: Line) -> tuple[str, ...]:
    """FT1-26 in the sender's order, which payers read meaning into."""
    if not line.fields[26]:
        return ()
    found = line.each(26)
    if len(" ".join(found)) > MODIFIERS:
        raise line.too_long(MODIFIERS, 26)
    return tuple(found)


def _performer(line: Line) -> str:
    """The first identifier in FT1-20; a name without one is left where it is."""
    if not line.fields[20]:
        return ""
    return line.code(20) or next(iter(line.each(20)), "")


def _ndc(line: Line, notes: Notes) -> str:
    text = line.code(29)
    if not text:
        return ""
    normal = ndc(text)
    if not normal:
        notes.add("drug code in FT1-29 kept as sent, it does not make 11 digits", line.at)
    return normal or text
