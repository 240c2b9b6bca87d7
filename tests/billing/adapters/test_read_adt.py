"""Visit events from ADT messages."""

from datetime import date
from typing import Any

import pytest

from billing.adapters.hl7 import read_adt
from hub.errors import ParseError, Permanent
from hub.formats import hl7
from hub.routing import Read
from mappings.canonical import VisitEvent

PID = "PID|1||77^^^H^MR||DOE^JANE||19700101|F|||1 MAIN ST|||||||A1"


def segment(name: str, fields: dict[int, str]) -> str:
    """A segment from its fields by number."""
    return "|".join([name, *(fields.get(number, "") for number in range(1, max(fields) + 1))])


PV1 = segment("PV1", {2: "I", 3: "4N^401^A^NORTH", 10: "CAR", 19: "V1", 44: "202611180930", 45: "20261121"})


def read(trigger: str, *lines: str, settings: dict[str, Any] | None = None, evn: str = "EVN||20261120") -> Read:
    """What the adapter makes of an ADT of that event."""
    msh = rf"MSH|^~\&|REG|RIVER|HUB|TL|20261122||{trigger}|M1|P|2.5.1"
    return read_adt(hl7.parse("\r".join((msh, evn, *lines)).encode()), settings or {})


@pytest.mark.parametrize(
    ("trigger", "kind", "happened"),
    [
        ("A01", "admit", date(2026, 11, 18)), ("A04", "admit", date(2026, 11, 18)),
        ("A03", "discharge", date(2026, 11, 21)), ("A06", "update", date(2026, 11, 20)),
        ("A07", "update", date(2026, 11, 20)), ("A08", "update", date(2026, 11, 20)),
        ("A11", "cancel", date(2026, 11, 20)), ("A13", "reopen", date(2026, 11, 20)),
    ],
)  # fmt: skip
def test_each_trigger_is_an_event(trigger: str, kind: str, happened: date) -> None:
    """The event with everything that billing keeps of it, and nothing of the patient."""
    found = read(f"ADT^{trigger}^ADT_A01", PID, PV1)
    assert found.notes == ()
    assert found.documents == [
        VisitEvent(
            kind=kind, account="A1", visit="V1", facility="RIVER", patient_class="I", service="CAR",
            happened_on=happened, admitted_on=date(2026, 11, 18), discharged_on=date(2026, 11, 21),
        )
    ]  # fmt: skip
    assert not [secret for secret in ("DOE", "JANE", "1970", "MAIN") if secret in repr(found)]


def test_the_event_may_stand_in_evn() -> None:
    """Senders of v2.1 say the event in EVN-1 only."""
    assert read("ADT", PID, PV1, evn="EVN|A03|20261120").documents[0].kind == "discharge"


def test_an_event_without_a_visit_is_read() -> None:
    """No PV1: class, service and dates are empty, the day is the event's."""
    event = read("ADT^A08", PID, evn="EVN|A08|20261120|||x|20261119").documents[0]
    assert event == VisitEvent(kind="update", account="A1", facility="RIVER", happened_on=date(2026, 11, 19))


def test_a_date_that_is_none_is_left_out_and_noted() -> None:
    """An admission date that names no day is no reason to stop the feed; the event's own day stands in."""
    found = read("ADT^A01", PID, segment("PV1", {2: "I", 44: "2026"}))
    assert (found.documents[0].admitted_on, found.documents[0].happened_on) == (None, date(2026, 11, 20))
    assert found.notes == ("no day, left out: PV1-44",)


@pytest.mark.parametrize("trigger", ["A35", "A36", "A40", "A41"])
def test_a_merge_of_accounts(trigger: str) -> None:
    """PID-18 takes over MRG-3."""
    assert read(f"ADT^{trigger}", PID, "MRG|66||A0").documents == [
        VisitEvent(
            kind="merge", account="A1", facility="RIVER", happened_on=date(2026, 11, 20), merged_account="A0"
        )
    ]  # fmt: skip


def test_a_merge_of_visits() -> None:
    """PV1-19 takes over MRG-5 where no account is named."""
    event = read("ADT^A40", segment("PID", {3: "77"}), segment("MRG", {1: "66", 5: "V0"}), PV1).documents[0]
    assert (event.account, event.merged_account) == ("V1", "V0")


def test_a_merge_of_patients_touches_no_account() -> None:
    """Record numbers are no accounts: one patient's may be the account number of another."""
    found = read("ADT^A40", PID, "MRG|66")
    assert (found.documents, found.notes) == ([], ("patients are merged, no account is",))


def test_a_merge_of_patients_where_patients_are_accounts() -> None:
    """The endpoint says that this sender's accounts are the identifiers in PID-3."""
    event = read("ADT^A40", PID, "MRG|66", settings={"merge_by": "patient"}).documents[0]
    assert (event.account, event.merged_account) == ("77", "66")


def test_several_merges_in_one_message() -> None:
    """Each PID with its own MRG; an account that is merged into itself is none."""
    lines = [PID, "MRG|66||A0", segment("PID", {3: "9", 18: "B1"}), "MRG|8||B0", PID, "MRG|77||A1"]
    assert [(one.account, one.merged_account) for one in read("ADT^A40", *lines).documents] == [
        ("A1", "A0"), ("B1", "B0"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("trigger", "lines", "code", "where"),
    [
        ("ADT^A99", (PID,), "VISIT_EVENT", "MSH-9"),
        ("ADT^A01", (PV1.replace("V1", ""),), "CHG_ACCOUNT", "PID-18"),
        ("ADT^A01", (PID, PID), "CHG_ACCOUNT", "PID[2]"),
        ("ADT^A01", (PID, "MSH|^~\\&|X"), "IF_PARSE", "MSH[2]"),
        ("ADT^A40", (PID,), "VISIT_MERGE", "MRG"),
        ("ADT^A40", (), "VISIT_MERGE", "PID"),
        ("ADT^A40", (segment("PID", {3: "77"}), "MRG|66||A0"), "VISIT_MERGE", "PID-18"),
        ("ADT^A40", (PID, "MRG|66||" + "A" * 61), "CHG_TOO_LONG", "MRG-3"),
        ("ADT^A01", (PID, segment("PV1", {2: "C" * 11})), "CHG_TOO_LONG", "PV1-2"),
    ],
)
def test_what_cannot_be_read_is_refused(trigger: str, lines: tuple[str, ...], code: str, where: str) -> None:
    """The error names the place."""
    with pytest.raises(ParseError) as caught:
        read(trigger, *lines)
    assert (caught.value.code, caught.value.where) == (code, where)


def test_an_event_without_a_day_is_refused() -> None:
    """Neither EVN nor MSH says when."""
    raw = r"MSH|^~\&|REG|RIVER|HUB|TL|||ADT^A08|M1|P|2.5.1" + "\rEVN|A08\r" + PID
    with pytest.raises(ParseError) as caught:
        read_adt(hl7.parse(raw.encode()), {})
    assert (caught.value.code, caught.value.where) == ("VISIT_DATE", "EVN-2")


def test_a_bad_setting_is_named() -> None:
    """The error says which setting of the endpoint to correct."""
    with pytest.raises(Permanent) as caught:
        read("ADT^A01", PID, settings={"merge_by": "name"})
    assert (caught.value.code, caught.value.where) == ("IF_SETTINGS", "settings.merge_by")
