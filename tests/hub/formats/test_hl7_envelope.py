"""The quick look at the door finds what the whole reading finds, and decides nothing."""

import dataclasses
from pathlib import Path

import pytest

from hub.errors import ParseError
from hub.formats import hl7

FIXTURES = Path(__file__).parents[2] / "fixtures" / "hl7"


def fixture(name: str) -> bytes:
    """The bytes of one of our own messages."""
    return (FIXTURES / f"{name}.hl7").read_bytes()


def msh(fields: str) -> bytes:
    """A message whose MSH has these fields from MSH-3 on."""
    return rf"MSH|^~\&|{fields}".encode() + b"\r"


def test_the_envelope_of_a_clean_charge():
    """Every field that a door decides by is there, unescaped."""
    envelope = hl7.peek(fixture("dft_p03_v251"))
    assert dataclasses.asdict(envelope) | {"separators": None, "header": None} == {
        "separators": None,
        "sending_app": "BILLING",
        "sending_facility": "NORTHSIDE",
        "receiving_app": "THROUGHLINE",
        "receiving_facility": "NETWORK",
        "message_time": "20261120101700",
        "message_type": "DFT",
        "trigger": "P03",
        "structure": "DFT_P03",
        "control_id": "TL0001",
        "processing_id": "P",
        "version": "2.5.1",
        "accept_ack": "AL",
        "application_ack": "NE",
        "charset": "",
        "account": "ACCT0012345",
        "patient_id": "MRN00012345",
        "codec": "ascii",
        "header": None,
    }
    assert envelope.separators == hl7.STANDARD


def test_an_envelope_cannot_be_changed():
    """What the door saw is what everybody after it sees."""
    envelope = hl7.peek(fixture("dft_p03_v251"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        envelope.account = "OTHER"


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*.hl7")), ids=lambda path: path.stem)
def test_the_quick_look_agrees_with_the_whole_reading(path):
    """For each of our files the envelope says what parse() finds at the same places."""
    for raw in hl7.split(path.read_bytes()).messages:
        try:
            message = hl7.parse(raw)
        except ParseError:
            with pytest.raises(ParseError):
                hl7.peek(raw)
            continue
        envelope = hl7.peek(raw)
        assert envelope.separators == message.separators
        assert envelope.codec == message.charset_used
        found = {
            "sending_app": message.get("MSH-3"),
            "sending_facility": message.get("MSH-4"),
            "receiving_app": message.get("MSH-5"),
            "receiving_facility": message.get("MSH-6"),
            "message_time": message.get("MSH-7"),
            "message_type": message.get("MSH-9"),
            "trigger": message.get("MSH-9.2") or message.get("EVN-1"),
            "structure": message.get("MSH-9.3"),
            "control_id": message.get("MSH-10"),
            "processing_id": message.get("MSH-11"),
            "version": message.get("MSH-12"),
            "accept_ack": message.get("MSH-15"),
            "application_ack": message.get("MSH-16"),
            "account": message.get("PID-18") or message.get("PV1-19"),
            "patient_id": message.get("PID-3"),
        }
        assert {name: getattr(envelope, name) for name in found} == found
        assert list(envelope.header) == message.segments[0].fields + [""] * (19 - len(message.segments[0].fields))


def test_the_trigger_of_old_versions_stands_in_evn():
    """v2.1 sends the type alone in MSH-9."""
    envelope = hl7.peek(fixture("dft_v21"))
    assert (envelope.message_type, envelope.trigger, envelope.structure) == ("DFT", "P03", "")


def test_a_sender_may_name_itself_by_its_universal_id_alone():
    """HD.2 stands in for an empty HD.1, in each of the four parties."""
    envelope = hl7.peek(msh("^1.2.3^ISO|^4.5^ISO|^6.7^ISO|^8.9^ISO|"))
    parties = (envelope.sending_app, envelope.sending_facility, envelope.receiving_app, envelope.receiving_facility)
    assert parties == ("1.2.3", "4.5", "6.7", "8.9")


def test_escapes_and_nulls_are_resolved():
    """An escaped facility reads as text, a null one as nothing."""
    envelope = hl7.peek(msh(r'A\T\B|""|X|""|||DFT^P\T\03|ID\F\1|P|2.5'))
    assert (envelope.sending_app, envelope.sending_facility, envelope.receiving_facility) == ("A&B", "", "")
    assert (envelope.trigger, envelope.control_id) == ("P&03", "ID|1")


@pytest.mark.parametrize(
    ("pid", "account", "patient"),
    [
        ("PID|1||M1^^^H^MR~S1^^^X^SS|||||||||||||||A1^^^H^AN", "A1", "M1"),
        ("PID|1||S1^^^X^SS~M1^^^H^MR", "V1", "M1"),
        ("PID|1||S1^^^X^SS~P1^^^H^PI", "V1", "S1"),
        ('PID|1||""~~P1|||||||||||||||""', "V1", "P1"),
        ("PID|1||~", "V1", ""),
        ("PID|1||M1^^^H^MR&x~Q1", "V1", "M1"),
        ("PID|1", "V1", ""),
        ("  PID|1||M1|||||||||||||||A1", "A1", "M1"),
        ("PID|1||M1|||||||||||\n||||A1", "A1", "M1"),
        ("NTE|1||the PID| is missing", "V1", ""),
        ("NTE|1", "V1", ""),
    ],
)
def test_whose_message_it_is(pid, account, patient):
    """PID-18, else the visit number; the medical record number, else the first identifier that says anything."""
    raw = msh("A|B|C|D|||DFT^P03|ID1|P|2.5") + pid.encode() + b"\rPV1|1|O|||||||||||||||||V1\r"
    envelope = hl7.peek(raw)
    assert (envelope.account, envelope.patient_id) == (account, patient)


@pytest.mark.parametrize(
    ("account", "patient", "control", "key"),
    [("A1", "M1", "C1", "A1"), ("", "M1", "C1", "M1"), ("", "", "C1", "C1"), ("", "", "", "")],
)
def test_the_key_is_the_account_else_the_patient_else_the_message(account, patient, control, key):
    """What keeps one account's messages in order."""
    raw = msh(f"A|B|C|D|||DFT^P03|{control}|P|2.5") + f"PID|1||{patient}{'|' * 15}{account}\r".encode()
    assert hl7.peek(raw).key == key


def test_the_character_set_is_told_as_sent():
    """MSH-18 with all its repetitions, and beside it the codec that was used."""
    envelope = hl7.peek(fixture("charset_repeated"))
    assert (envelope.charset, envelope.codec) == ("ASCII~8859/15", "iso8859-15")


def test_a_short_header_is_an_envelope_with_gaps():
    """An MSH that ends early is refused by the door for what is missing, not by the grammar."""
    envelope = hl7.peek(fixture("truncated_in_msh"))
    assert (envelope.sending_app, envelope.control_id, envelope.version, envelope.key) == ("BILLING", "", "", "")


def test_a_hostile_header_costs_no_more_than_its_bytes():
    """A million separators are not made into a million fields, and a giant MSH-9 is not kept."""
    envelope = hl7.peek(msh("A|B|C|D|||" + "x" * 100_000 + "^P03|ID1" + "|" * 1_000_000))
    assert (envelope.control_id, len(envelope.message_type), envelope.trigger) == ("ID1", 100_000, "P03")
    assert len(envelope.header) == 21
