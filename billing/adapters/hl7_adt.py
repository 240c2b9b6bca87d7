"""Visits: ADT messages to `canonical.VisitEvent` (HL7 v2.5.1 ch. 3)."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from billing.adapters import hl7_places as places
from billing.adapters.hl7_settings import VisitSettings, read_visit_settings
from billing.adapters.hl7_values import day
from billing.adapters.notes import Notes
from hub.errors import ParseError
from hub.formats import hl7
from hub.routing import Read
from mappings.canonical import VisitEvent

# Trigger events that change what billing knows of an account. A41 merges accounts; A40 merges patients and may name
# the accounts that go with them; A35 and A36 are what both were called before v2.3.1.
KINDS: Final = {
    "A01": "admit",
    "A03": "discharge",
    "A04": "admit",
    "A06": "update",
    "A07": "update",
    "A08": "update",
    "A11": "cancel",
    "A13": "reopen",
    "A35": "merge",
    "A36": "merge",
    "A40": "merge",
    "A41": "merge",
}


def read_adt(message: hl7.Message, settings: Mapping[str, Any]) -> Read:
    """The event of an ADT; a merge gives one for each pair of accounts it names, none where it names patients only.

    `settings` are the endpoint's: `facility_from`, and `merge_by` = "patient" where accounts are PID-3's identifiers.
    Raises `ParseError` naming the place.
    """
    notes = Notes()
    options = read_visit_settings(settings)
    places.only_one_message(message)
    kind = KINDS.get(_trigger(message), "")
    if not kind:
        problem = f"this event is not read; send one of {', '.join(KINDS)}"
        raise ParseError("VISIT_EVENT", problem, where="MSH-9")
    if kind == "merge":
        events = _merges(message, options, notes)
    else:
        places.only_one_patient(message)
        pid = message.first("PID") or places.EMPTY
        pv1 = message.first("PV1") or places.EMPTY
        events = [_event(message, pid, pv1, kind, options, notes)]
    return Read(events, (*message.notes, *notes.told()))


def _trigger(message: hl7.Message) -> str:
    """MSH-9.2, else EVN-1, where senders of v2.1 say it."""
    return (message.segments[0].text(9, 2).strip() or message.get("EVN-1").strip()).upper()


def _event(
    message: hl7.Message, pid: hl7.Segment, pv1: hl7.Segment, kind: str, options: VisitSettings, notes: Notes
) -> VisitEvent:
    account = places.account(pid, pv1, notes)
    admitted = _optional_day(pv1, 44, "PV1-44", notes)
    discharged = _optional_day(pv1, 45, "PV1-45", notes)
    return VisitEvent(
        kind=kind,
        account=account,
        visit=places.fit(pv1.text(19).strip(), places.VISIT, "PV1-19"),
        facility=places.facility(message, pv1, options.facility_from, notes),
        patient_class=places.fit(pv1.text(2).strip(), places.PATIENT_CLASS, "PV1-2"),
        service=places.fit(pv1.text(10).strip(), places.SERVICE, "PV1-10"),
        happened_on=_happened_on(message, {"admit": admitted, "discharge": discharged}.get(kind)),
        admitted_on=admitted,
        discharged_on=discharged,
    )


def _merges(message: hl7.Message, options: VisitSettings, notes: Notes) -> list[VisitEvent]:
    """Each PID's group with an MRG: PID-18 takes over MRG-3, else PV1-19 takes over MRG-5."""
    events = []
    for group in message.groups("PID"):
        by_name = {segment.name: segment for segment in reversed(group)}
        mrg = by_name.get("MRG")
        if mrg is None:
            raise ParseError("VISIT_MERGE", "a merge needs an MRG after each PID; send what is merged", where="MRG")
        pid, pv1 = by_name["PID"], by_name.get("PV1", places.EMPTY)
        survivor, prior = _pair(pid, pv1, mrg, options)
        if not prior:
            notes.add("patients are merged, no account is")  # what is subordinate to a patient need not be named
        elif not survivor:
            raise ParseError("VISIT_MERGE", "the surviving account is missing; send it in PID-18", where="PID-18")
        elif survivor != prior:
            events.append(
                VisitEvent(
                    kind="merge",
                    account=survivor,
                    facility=places.facility(message, pv1, options.facility_from, notes),
                    happened_on=_happened_on(message, None),
                    merged_account=prior,
                )
            )
    if not message.all("PID"):
        raise ParseError("VISIT_MERGE", "a merge needs a PID that says who survives; send one", where="PID")
    return events


def _pair(pid: hl7.Segment, pv1: hl7.Segment, mrg: hl7.Segment, options: VisitSettings) -> tuple[str, str]:
    """The surviving account and the one that goes; a medical record number is an account only where a setting says so.

    Elsewhere one patient's record number may be another patient's account number.
    """
    limit = places.ACCOUNT
    for survivor, prior, place in (
        (pid.text(18), mrg.text(3), "MRG-3"),
        (pv1.text(19), mrg.text(5), "MRG-5"),
    ):
        if prior.strip():
            return places.fit(survivor.strip(), limit, "PID-18"), places.fit(prior.strip(), limit, place)
    if options.merge_by == "patient":
        prior = places.fit(mrg.text(1).strip(), limit, "MRG-1")
        return places.fit(places.patient_identifier(pid), limit, "PID-3"), prior
    return "", ""


def _optional_day(segment: hl7.Segment, field: int, where: str, notes: Notes) -> date | None:
    text = segment.text(field).strip()
    if not text:
        return None
    found = day(text)
    if found is None:
        notes.add("no day, left out", where)
    return found


def _happened_on(message: hl7.Message, stated: date | None) -> date:
    """PV1-44 or 45 where the event is about it, else EVN-6, EVN-2, MSH-7; `ParseError` VISIT_DATE when none is one."""
    if stated is not None:
        return stated
    evn = message.first("EVN") or places.EMPTY
    for text in (evn.text(6), evn.text(2), message.segments[0].text(7)):
        found = day(text.strip())
        if found is not None:
            return found
    raise ParseError("VISIT_DATE", "there is no date of the event; send it in EVN-2 as YYYYMMDD", where="EVN-2")
