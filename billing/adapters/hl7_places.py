"""Who and where, as PID, PV1 and MSH say it: account, visit, facility, class and service. No name, no birth date."""

from typing import Final

from billing.adapters.notes import Notes
from hub.errors import ParseError
from hub.formats import hl7

EMPTY: Final = hl7.Segment("", "", hl7.STANDARD)  # stands for a segment that was not sent
# Longest values that billing's tables keep.
ACCOUNT: Final = 60
VISIT: Final = 60
FACILITY: Final = 60
PATIENT_CLASS: Final = 10
SERVICE: Final = 40


def fit(value: str, limit: int, where: str) -> str:
    """The value, or `ParseError` CHG_TOO_LONG: a code that is cut is another code."""
    if len(value) > limit:
        problem = f"the value has more than {limit} characters; shorten it at its source"
        raise ParseError("CHG_TOO_LONG", problem, where=where)
    return value


def only_one_message(message: hl7.Message) -> None:
    """`ParseError` when a body holds several messages: the account of one must not pay for the other."""
    if len(message.all("MSH")) > 1:
        problem = "the body holds several messages; send them one by one or as a batch"
        raise ParseError("IF_PARSE", problem, where="MSH[2]")


def only_one_patient(message: hl7.Message) -> None:
    """`ParseError` when a message names several patients, for the same reason."""
    if len(message.all("PID")) > 1:
        raise ParseError("CHG_ACCOUNT", "the message names several patients; send one message each", where="PID[2]")


def account(pid: hl7.Segment, pv1: hl7.Segment, notes: Notes) -> str:
    """The posting key: PID-18, else the visit number PV1-19, else the medical record number (noted).

    The door keeps messages in order by the first two of these. `ParseError` CHG_ACCOUNT when there is none.
    """
    found = pid.text(18).strip()
    if found:
        return fit(found, ACCOUNT, "PID-18")
    found = pv1.text(19).strip()
    if found:
        notes.add("no account in PID-18, the visit number in PV1-19 is taken")
        return fit(found, ACCOUNT, "PV1-19")
    found = patient_identifier(pid)
    if found:
        notes.add("no account in PID-18 or PV1-19, the patient identifier in PID-3 is taken")
        return fit(found, ACCOUNT, "PID-3")
    raise ParseError("CHG_ACCOUNT", "there is no account; send one in PID-18 or PV1-19", where="PID-18")


def facility(message: hl7.Message, pv1: hl7.Segment, source: str, notes: Notes) -> str:
    """The partner's facility code: MSH-4, or PV1-3.4 first when `source` is "location"; "" is noted."""
    found = pv1.text(3, 4).strip() if source == "location" else ""
    if found:
        return fit(found, FACILITY, "PV1-3.4")
    msh = message.segments[0]
    found = msh.text(4).strip() or msh.text(4, 2).strip()  # HD.2 for those who name themselves by nothing else
    if not found:
        notes.add("no facility in MSH-4")
    return fit(found, FACILITY, "MSH-4")


def patient_identifier(pid: hl7.Segment) -> str:
    """PID-3: the account number (CX-5 AN) or record number (MR), else the first identifier of any kind."""
    by_kind: dict[str, str] = {}
    first = ""
    for position in range(1, len(pid.repetitions(3)) + 1):
        found = pid.text(3, 1, position).strip()
        if found:
            first = first or found
            by_kind.setdefault(pid.text(3, 5, position).strip(), found)
    return by_kind.get("AN") or by_kind.get("MR") or first
