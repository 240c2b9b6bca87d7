"""Whatever comes in from outside is read or refused with a parse error: nothing else, on any bytes."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.errors import ParseError
from hub.formats import hl7

ROOT = Path(__file__).parents[3]
OWN = sorted((ROOT / "tests" / "fixtures" / "hl7").glob("*.hl7"))
# Messages that nobody here wrote; they are not part of the project and may be absent.
SAMPLES = sorted(path for path in (ROOT.parent / "shared" / "samples" / "hl7v2").rglob("*") if path.is_file())
BODIES = [path.read_bytes() for path in OWN]
NOW = datetime(2026, 11, 22, tzinfo=UTC)
# A slow machine is no finding: speed lives in benchmarks.
FUZZ = settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])


def touch(raw: bytes) -> int:
    """Reads everything that can be read of one message, and answers it; gives the number of places that were read."""
    message, envelope = hl7.parse(raw), hl7.peek(raw)
    places = 0
    for segment in message:
        for number in range(len(segment.fields) + 1):
            read: list[Callable[[int], object]] = [segment.is_null, segment.present, segment.__getitem__]
            for look in read:
                look(number)
            for repetition in range(len(segment.repetitions(number)) + 2):
                for component in range(4):
                    for sub in range(3):
                        assert "\x00" not in segment.text(number, component, repetition, sub)
                        places += 1
    assert message.groups("FT1") or not message.all("FT1")
    answer = hl7.parse(hl7.ack(envelope, "AA", control_id="A1", now=NOW))
    # Control characters in a header are spelled, which may lose what stood around them; they never reach the frame.
    if "".join(envelope.header).isprintable() and "nul_bytes" not in message.notes:
        assert answer.get("MSA-2") == envelope.control_id
        assert answer.get("MSH-5") == message.get("MSH-3")
    assert envelope.key == (envelope.account or envelope.patient_id or envelope.control_id)
    return places


@pytest.mark.parametrize("path", [*OWN, *SAMPLES], ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_file_is_read_or_refused(path):
    """Split, peek, parse, every field, and an answer: nothing but a parse error comes of any file."""
    for raw in hl7.split(path.read_bytes()).messages:
        with suppress(ParseError):
            assert touch(raw) > 0


def test_only_what_has_no_header_is_refused():
    """Of our own files exactly these hold a member that cannot be read; every other member can."""
    refused = set()
    for path in OWN:
        for raw in hl7.split(path.read_bytes()).messages:
            try:
                hl7.parse(raw)
            except ParseError:
                refused.add(path.stem)
    assert refused == {
        "bad_msh_cut_in_separators",
        "bad_msh_joined",
        "bad_msh_letters",
        "bad_msh_no_separator",
        "bad_msh_only_name",
        "bad_no_msh",
        "bad_text",
        "batch_bad_member",
        "batch_without_msh",
        "charset_utf16",
    }


@pytest.mark.skipif(not SAMPLES, reason="the collection of other people's messages is not beside this checkout")
def test_every_charge_of_the_samples_is_seen():
    """Each line that begins with FT1 in a sample is an FT1 segment of one of its messages."""
    for path in SAMPLES:
        body = path.read_bytes()
        lines = body.replace(b"\n", b"\r").split(b"\r")
        expected = sum(line.startswith(b"FT1") for line in lines)
        found = 0
        for raw in hl7.split(body).messages:
            with suppress(ParseError):
                found += len(hl7.parse(raw).all("FT1"))
        assert (path.name, found) == (path.name, expected)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """One of our files with pieces cut out, doubled, overwritten or put in."""
    body = bytearray(draw(st.sampled_from(BODIES)))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(body)))
        length = draw(st.integers(0, 40))
        piece = draw(
            st.one_of(
                st.binary(max_size=6),
                st.sampled_from(
                    [b"\r", b"\n", b"\r\nMSH|^~\\&|", b"|", b"\\", b'""', b"\x1c\r", b"\x0b", b"PID|", b" "]
                ),
                st.just(bytes(body[start : start + length])),
            )
        )
        if draw(st.booleans()):
            body[start : start + length] = piece
        else:
            body[start:start] = piece
    return bytes(body)


@FUZZ
@given(mutated())
def test_spoiled_messages_are_read_or_refused(body):
    """Bytes that were a message once are read as far as possible or refused with a parse error."""
    for raw in [body, *hl7.split(body).messages]:
        with suppress(ParseError):
            message, envelope = hl7.parse(raw), hl7.peek(raw)
            assert envelope.separators == message.separators
            assert sum(len(segment.fields) for segment in message) > 0
            hl7.ack(envelope, "AE", control_id="A1", now=NOW, errors=[hl7.AckError("MSH^1", "207")])
            for segment in message:
                for number in range(len(segment.fields)):
                    segment.text(number)
                    segment.text(number, 0, 0, 0)


@FUZZ
@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"MSH", b"MSH|", b"MSH|^~\\&|", b"\x0bMSH|^~\\&|", b"\xef\xbb\xbfMSH"]),
)
def test_any_bytes_are_read_or_refused(noise, start):
    """Noise, alone or behind a header, raises a parse error or nothing."""
    body = start + noise
    hl7.split(body)
    with suppress(ParseError):
        touch(body)
    with suppress(ParseError):
        hl7.peek(body)


@FUZZ
@given(st.text("MSHPIDFT1|^~\\&\r\n \"'\x0b\x1c\x00\xe9", max_size=120))
def test_heaps_of_structure_are_read_or_refused(text):
    """Characters that mean something, in any order, raise a parse error or nothing."""
    body = b"MSH|^~\\&|A|B|C|D|||" + text.encode("utf-8")
    hl7.split(body)
    with suppress(ParseError):
        touch(body)


@pytest.mark.parametrize(
    "body",
    [
        b"MSH|^~\\&|" + b"|" * 300_000,
        b"MSH|^~\\&|A\rPID|" + b"~" * 300_000,
        b"MSH|^~\\&|A\rPID|" + b"\\" * 300_000,
        b"MSH|^~\\&|A\rPID|" + b"\\X" * 150_000 + b"\\",
        b"MSH|^~\\&|A\r" + b"x\r" * 99_000,
        b"MSH|^~\\&|A\r" + b" \r" * 99_000,
        b"\r\n " * 100_000 + b"MSH|^~\\&|A",
        b"MSH|^~\\&|A" + b"\x1c\r" * 150_000,
        b"MSH|^~\\&|A" + b"|" * 16 + b"UNICODE UTF-8~" * 20_000 + b"|\xff",
        b"MSH\r" * 50_000,
        b"BHS|\rMSH|^~\\&|A\r" * 20_000,
        b"\x00" * 300_000,
        b"\xef\xbb\xbf" * 100_000,
    ],
    ids=lambda body: repr(body[-8:]),
)
def test_hostile_lengths_are_no_trouble(body):
    """Hundreds of thousands of separators, marks, blanks or batches end like any other bytes: read or refused."""
    hl7.split(body)
    with suppress(ParseError):
        message = hl7.parse(body)
        assert message.get("PID-1") is not None
        assert hl7.peek(body).separators == message.separators
