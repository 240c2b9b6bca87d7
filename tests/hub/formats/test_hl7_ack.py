"""Acknowledgements speak the sender's own terms, are the same each time, and cannot be broken out of."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hl7apy.parser import parse_message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.errors import ParseError
from hub.formats import hl7

# A slow machine is no finding: speed lives in benchmarks.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
FIXTURES = Path(__file__).parents[2] / "fixtures" / "hl7"
NOW = datetime(2026, 11, 22, 10, 30, 5, tzinfo=UTC)


def fixture(name: str) -> bytes:
    """The bytes of one of our own messages."""
    return (FIXTURES / f"{name}.hl7").read_bytes()


def ack(name: str, code: hl7.AckCode = "AA", *errors: hl7.AckError) -> bytes:
    """The acknowledgement of one of our fixtures."""
    return hl7.ack(hl7.peek(fixture(name)), code, control_id="ACK0001", now=NOW, errors=errors)


def of(msh: str, code: hl7.AckCode = "AA", *errors: hl7.AckError) -> bytes:
    """The acknowledgement of a message that is only this MSH."""
    return hl7.ack(hl7.peek(msh.encode()), code, control_id="ACK0001", now=NOW, errors=errors)


def test_an_acceptance_to_the_byte():
    """Parties swap with their whole identifiers, MSH-10 is ours, MSA-2 is theirs."""
    assert ack("dft_p03_v251") == (
        rb"MSH|^~\&|THROUGHLINE|NETWORK|BILLING^2.16.840.1.113883.3.9999.1^ISO|NORTHSIDE|20261122103005+0000||"
        b"ACK^P03^ACK|ACK0001|P|2.5.1\rMSA|AA|TL0001\r"
    )


@pytest.mark.parametrize("code", ["AA", "AE", "AR", "CA", "CE", "CR"])
def test_each_code_is_told(code):
    """Original and enhanced mode differ in MSA-1 alone."""
    assert hl7.parse(ack("dft_p03_v251", code)).get("MSA-1") == code


def test_the_same_arguments_give_the_same_bytes():
    """A message that is sent again gets the same acknowledgement."""
    assert ack("dft_p03_v251") == ack("dft_p03_v251")


@pytest.mark.parametrize(
    ("offset", "written"),
    [(UTC, "20261122103005+0000"), (timezone(timedelta(hours=-5)), "20261122103005-0500"), (None, "20261122103005")],
)
def test_the_time_carries_its_offset(offset, written):
    """MSH-7 is the moment that the caller gives."""
    envelope = hl7.peek(fixture("dft_p03_v251"))
    answer = hl7.ack(envelope, "AA", control_id="A1", now=NOW.replace(tzinfo=offset))
    assert hl7.parse(answer).get("MSH-7") == written


@pytest.mark.parametrize(
    ("name", "kind", "version"),
    [
        ("dft_v21", "ACK", "2.1"),
        ("dft_v22", "ACK", "2.2"),
        ("dft_v23", "ACK", "2.3"),
        ("dft_v231", "ACK^P03^ACK", "2.3.1"),
        ("dft_v24", "ACK^P03^ACK", "2.4"),
        ("dft_v25", "ACK^P03^ACK", "2.5"),
        ("dft_p11_v251", "ACK^P11^ACK", "2.5.1"),
        ("dft_v28", "ACK^P03^ACK", "2.8"),
        ("adt_a40", "ACK^A40^ACK", "2.5.1"),
    ],
)
def test_the_message_type_follows_the_version(name, kind, version):
    """Before v2.3.1 the type is a bare ACK; the version is the sender's."""
    answer = hl7.parse(ack(name))
    assert (answer.first("MSH")[9], answer.get("MSH-12")) == (kind, version)


def test_what_the_sender_left_out_is_filled_in():
    """No trigger, processing id or version: the answer is valid all the same."""
    answer = hl7.parse(of("MSH|^~\\&|A|B|C|D|\r"))
    assert (answer.first("MSH")[9], answer.get("MSH-11"), answer.get("MSH-12")) == ("ACK", "P", "2.5.1")
    assert (answer.get("MSA-1"), answer.get("MSA-2")) == ("AA", "")


ERRORS = (
    hl7.AckError("FT1^2^7^1", "103", user_message="Charge code is not known here"),
    hl7.AckError("PID^1^18", "101", "Account missing", "W"),
)


def test_errors_since_v25_are_one_segment_each():
    """ERR-2 location, ERR-3 code and text of table 0357, ERR-4 severity, ERR-8 what a person reads."""
    lines = ack("dft_v25", "AE", *ERRORS).split(b"\r")
    assert lines[1:] == [
        b"MSA|AE|TL0025",
        b"ERR||FT1^2^7^1|103^Table value not found^HL70357|E||||Charge code is not known here",
        b"ERR||PID^1^18|101^Account missing^HL70357|W",
        b"",
    ]


@pytest.mark.parametrize("name", ["dft_v21", "dft_v23", "dft_v231", "dft_v24"])
def test_errors_before_v25_repeat_in_one_field(name):
    """ERR-1 holds segment, sequence, field and code; MSA-3 says it in words."""
    lines = ack(name, "AE", *ERRORS).split(b"\r")
    assert lines[1].endswith(b"|Charge code is not known here")
    assert lines[2:] == [
        b"ERR|FT1^2^7^103&Table value not found&HL70357~PID^1^18^101&Account missing&HL70357",
        b"",
    ]


def test_an_old_error_without_place_keeps_its_columns():
    """Empty location components stay in place before the code; MSA-3 falls back to the table's words."""
    lines = ack("dft_v24", "AR", hl7.AckError("", "200")).split(b"\r")
    assert lines[1:3] == [b"MSA|AR|TL0024|Unsupported message type", b"ERR|^^^200&Unsupported message type&HL70357"]


@pytest.mark.parametrize("code", sorted(hl7.TABLE_0357))
def test_every_code_of_the_table_has_its_words(code):
    """A caller need not know the standard's text."""
    assert hl7.parse(ack("dft_v25", "AE", hl7.AckError("MSH^1^9", code))).get("ERR-3.2") == hl7.TABLE_0357[code]


def test_a_code_outside_the_table_is_sent_with_the_callers_words():
    """Neither an unknown code nor an empty text stops an acknowledgement."""
    answer = hl7.parse(ack("dft_v25", "AE", hl7.AckError("MSH^1^9", "999")))
    assert (answer.get("ERR-3"), answer.get("ERR-3.2")) == ("999", "")


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("dirty_separators_punctuation", b"MSH#!@%*#THROUGHLINE#NETWORK#BILLING!2.16"),
        ("dirty_separators_swapped", b"MSH^~|\\&^THROUGHLINE^NETWORK^BILLING~2.16"),
        ("dirty_separators_rotated", b"MSH@~&#\\@THROUGHLINE@NETWORK@BILLING~2.16"),
        ("dirty_separators_doubled", b"MSH|^~\\&|THROUGHLINE|NETWORK|BILLING^2.16"),
        ("dft_v27", b"MSH|^~\\&#|THROUGHLINE|NETWORK|BILLING^2.16"),
    ],
)
def test_the_senders_separators_are_answered_in(name, start):
    """A complete set of separators comes back as it was sent."""
    answer = ack(name, "AE", *ERRORS)
    assert answer.startswith(start)
    read = hl7.parse(answer)
    assert (read.get("ERR-2.3"), read.get("ERR-3.3"), read.get("MSH-9.2")) == ("7", "HL70357", "P03")


@pytest.mark.parametrize("name", ["dirty_separators_two", "dirty_separators_three"])
def test_separators_that_cannot_write_everything_are_replaced(name):
    """A sender without escape or subcomponent character is answered in the standard ones, its names intact."""
    answer = ack(name)
    assert answer.startswith(rb"MSH|^~\&|THROUGHLINE|NETWORK|BILLING^2.16.840.1.113883.3.9999.1^ISO|")
    assert hl7.parse(answer).get("MSA-2") == hl7.peek(fixture(name)).control_id


def test_names_are_rewritten_when_the_separators_change():
    r"""With only | and ^ declared, & and \ and ~ in a name are text, and are escaped in the answer."""
    answer = of("MSH|^|A&B\\C~D^1.2|F|R|G|||DFT^P03|ID~1|P|2.5\r")
    assert b"|A\\T\\B\\E\\C\\R\\D^1.2|F|" in answer
    assert hl7.parse(answer).get("MSA-2") == "ID~1"


@pytest.mark.parametrize(
    ("name", "encoded"),
    [
        ("charset_latin1_declared", b"8859/1"),
        ("charset_latin1_undeclared", b"8859/1"),
        ("charset_utf8_declared", b"UNICODE UTF-8"),
        ("charset_gb18030", b"GB 18030-2000"),
    ],
)
def test_names_come_back_in_the_bytes_they_came_in(name, encoded):
    """A facility beyond ASCII is echoed byte for byte, and MSH-18 says how to read it."""
    codec = hl7.peek(fixture(name)).codec
    town = {"gb18030": "东", "iso8859-1": "Zürich", "utf-8": "Zürich"}[codec].encode(codec)
    raw = fixture(name).replace(b"NORTHSIDE|THROUGHLINE", town + b"|THROUGHLINE", 1)
    answer = hl7.ack(hl7.peek(raw), "AA", control_id="A1", now=NOW)
    assert b"|" + town + b"|20261122" in answer
    header = answer.split(b"\r")[0]
    assert header.endswith(b"|||||" + encoded)
    assert hl7.parse(answer).charset_used == codec


def test_our_own_words_beyond_the_senders_set_do_not_stop_an_answer():
    """ASCII senders get UTF-8, declared; in Latin-1 a character that does not exist there is shown as ?."""
    error = hl7.AckError("FT1^1^7", "103", user_message="Łódź → unknown")
    in_ascii = hl7.ack(hl7.peek(fixture("dft_v25")), "AE", control_id="A1", now=NOW, errors=[error])
    assert (hl7.parse(in_ascii).get("ERR-8"), hl7.parse(in_ascii).get("MSH-18")) == ("Łódź → unknown", "UNICODE UTF-8")
    latin = hl7.peek(fixture("charset_latin1_declared"))
    in_latin = hl7.ack(latin, "AE", control_id="A1", now=NOW, errors=[error])
    assert hl7.parse(in_latin).get("ERR-8") == "?ód? ? unknown"


def test_a_hostile_control_id_stays_one_field_of_one_segment():
    """An escaped line break, a raw end-of-block and a second MSA in MSH-10 come back as text, inside the frame."""
    answer = ack("dirty_control_id_hostile")
    assert b"\x1c" not in answer
    assert answer.count(b"\r") == 2
    read = hl7.parse(answer)
    assert [segment.name for segment in read] == ["MSH", "MSA"]
    assert read.get("MSA-2") == hl7.peek(fixture("dirty_control_id_hostile")).control_id


def test_an_envelope_without_its_header_can_be_answered_too():
    """An envelope that was put together by hand has no raw MSH: its texts are escaped instead."""
    envelope = hl7.Envelope(
        hl7.STANDARD, "A|B", "F", "R", "G", "", "DFT", "P03", "", "C\r1", "T", "2.4", "", "", "", "ACCT", "MRN"
    )
    answer = hl7.ack(envelope, "AR", control_id="A1", now=NOW, errors=[hl7.AckError("MSH^1^11", "202")])
    assert answer == (
        rb"MSH|^~\&|R|G|A\F\B|F|20261122103005+0000||ACK^P03^ACK|A1|T|2.4" + b"\r"
        rb"MSA|AR|C\X0D\1|Unsupported processing id" + b"\r"
        b"ERR|MSH^1^11^202&Unsupported processing id&HL70357\r"
    )


@UNHURRIED
@given(
    st.text("ab|^~\\&#F\x1c\x0b\x00 \u00e9\u0141\r\n", max_size=12),
    st.text("ab|^~\\&#F\x1c\x0b \u00e9\u0141\r\n", max_size=12),
    st.sampled_from(["2.1", "2.4", "2.5.1", "", "9"]),
    st.sampled_from(["^~\\&", "^~\\&#", "^~", "#!@%", "^"]),
)
def test_no_message_and_no_error_breaks_out_of_its_answer(hostile, words, version, encoding):
    """Whatever stands in the MSH and in our words, the answer has exactly its own segments and no frame bytes."""
    raw = f"MSH|{encoding}|{hostile}|{hostile}|{hostile}||||DFT^{hostile}|{hostile}|P|{version}\r".encode()
    try:
        envelope = hl7.peek(raw)
    except ParseError:
        return
    errors = [hl7.AckError(words, words, words, "E", words), hl7.AckError("FT1^1^7", "103")]
    answer = hl7.ack(envelope, "AE", control_id=words, now=NOW, errors=errors)
    old = envelope.version in {"2.1", "2.4"}
    assert [segment.name for segment in hl7.parse(answer)] == ["MSH", "MSA", "ERR"] + ([] if old else ["ERR"])
    assert not {0x0B, 0x1C, 0x0A, 0} & set(answer)
    assert answer.count(b"\r") == (3 if old else 4)


@pytest.mark.parametrize("name", ["dft_v231", "dft_v24", "dft_v25", "dft_p03_v251", "dft_v26"])
def test_another_parser_reads_our_acknowledgement(name):
    """hl7apy, which nobody here wrote, finds the same code, control id and error."""
    read = parse_message(ack(name, "AE", ERRORS[0]).decode(), find_groups=False, validation_level=2)
    assert (read.msa.msa_1.value, read.msa.msa_2.value) == ("AE", hl7.peek(fixture(name)).control_id)
    assert read.msh.msh_9.value == "ACK^P03^ACK"
    assert len(read.err) == 1
