"""Characters arrive as they were sent: declared, undeclared or wrongly declared, and never replaced."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.errors import ParseError, Permanent
from hub.formats import hl7
from hub.formats.hl7_charsets import CODECS, DECLARATIONS, decode, encode

# A slow machine is no finding: speed lives in benchmarks.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
FIXTURES = Path(__file__).parents[2] / "fixtures" / "hl7"


@pytest.mark.parametrize(
    ("name", "family", "codec", "notes"),
    [
        ("charset_utf8_declared", "GRÜNWALD", "utf-8", []),
        ("charset_utf8_undeclared", "GRÜNWALD", "utf-8", ["charset_undeclared"]),
        ("charset_utf8_said_ascii", "GRÜNWALD", "utf-8", ["charset_fallback"]),
        ("charset_latin1_declared", "GRÜNWALD", "iso8859-1", []),
        ("charset_latin1_undeclared", "GRÜNWALD", "iso8859-1", ["charset_undeclared"]),
        ("charset_latin1_said_utf8", "GRÜNWALD", "iso8859-1", ["charset_fallback"]),
        ("charset_latin2", "ŁOŚ", "iso8859-2", []),
        ("charset_repeated", "GRÜNWALD", "iso8859-15", []),
        ("charset_unknown", "GRÜNWALD", "utf-8", ["charset_unknown", "charset_undeclared"]),
        ("charset_gb18030", "晐昢", "gb18030", []),
        ("dft_p03_v251", "SAMPLE", "ascii", []),
    ],
)
def test_a_message_is_read_in_the_character_set_that_fits(name, family, codec, notes):
    """Declared sets first, then UTF-8, then Latin-1; whatever was not as declared is noted."""
    raw = (FIXTURES / f"{name}.hl7").read_bytes()
    message = hl7.parse(raw)
    assert message.get("PID-5.1") == family
    assert (message.charset_used, message.notes) == (codec, notes)
    assert hl7.peek(raw).codec == codec


def test_separators_inside_double_byte_characters_are_not_separators():
    """A GB 18030 character whose second byte is | \\ or ^ does not shift the fields after it."""
    raw = (FIXTURES / "charset_gb18030.hl7").read_bytes()
    line = next(line for line in raw.split(b"\r") if line.startswith(b"PID"))
    assert line.count(b"|") == 19
    assert hl7.parse(raw).first("PID").fields[18] == "ACCT0012345^^^NORTHSIDE^AN"
    assert hl7.peek(raw).account == "ACCT0012345"


def test_a_byte_order_mark_counts_for_more_than_a_declaration():
    """Bytes that begin with UTF-8's mark are UTF-8, even where MSH-18 says Latin-1."""
    body = "MSH|^~\\&|Zoë" + "|" * 15 + "8859/1\r"
    message = hl7.parse(b"\xef\xbb\xbf" + body.encode())
    assert message.get("MSH-3") == "Zoë"
    assert message.notes == ["bom", "charset_fallback"]
    assert hl7.parse(body.encode("latin-1")).get("MSH-3") == "Zoë"


def test_utf_16_is_refused_with_what_to_do():
    """A UTF-16 file is a parse error that asks for UTF-8, not a heap of misread characters."""
    with pytest.raises(ParseError, match="send UTF-8"):
        hl7.parse((FIXTURES / "charset_utf16.hl7").read_bytes())


def test_a_million_declared_sets_are_tried_once_each():
    """A hostile MSH-18 that repeats one name for ever costs one attempt."""
    declared = ("UNICODE UTF-8", "ASCII", " unicode utf-8 ") * 10_000
    text, codec, notes = decode(b"\xff", declared, bom=False)
    assert (text, codec, notes) == ("ÿ", "iso8859-1", ["charset_fallback"])


@UNHURRIED
@given(st.binary(min_size=1), st.lists(st.sampled_from(sorted(CODECS)), max_size=3).map(tuple), st.booleans())
def test_decoding_is_reversible(body, declared, bom):
    """Whatever the bytes and the declaration, the text can be turned back into the same bytes; nothing was replaced."""
    text, codec, _ = decode(body, declared, bom=bom)
    again = text.encode(codec)
    # Some East Asian sets spell a character in two ways; then the text is what has to be the same.
    assert again == body or again.decode(codec) == text


@pytest.mark.parametrize(("name", "codec"), sorted(CODECS.items()))
def test_every_declared_name_has_a_codec_that_exists(name, codec):
    """No name of the table leads to a codec that Python does not have."""
    assert "A".encode(codec) == b"A"
    assert CODECS[DECLARATIONS[codec]] == codec


@pytest.mark.parametrize(
    ("text", "declared", "expected"),
    [
        ("Zoë", "UNICODE UTF-8", "Zoë".encode()),
        ("Zoë", "8859/1", b"Zo\xeb"),
        ("Zoe", "ASCII", b"Zoe"),
        ("Zoë", " 8859/15 ", b"Zo\xeb"),
    ],
)
def test_text_is_written_in_the_declared_set(text, declared, expected):
    """MSH-18 decides the bytes."""
    assert encode(text, declared) == expected


@pytest.mark.parametrize(
    ("text", "declared"),
    [
        ("Łucja", "8859/1"),
        ("Zoë", "ASCII"),
        ("Zoe", "ISO IR 999"),
        ("Zoe", ""),
        ("\ud800", "UNICODE UTF-8"),
        ("东", "GB 18030-2000"),
        ("東", "BIG-5"),
    ],
)
def test_text_that_does_not_fit_is_refused_and_not_replaced(text, declared):
    """A set that lacks a character, is unknown, or hides separators in its second bytes is an error to be mended."""
    with pytest.raises(Permanent) as refusal:
        encode(text, declared)
    assert (refusal.value.code, refusal.value.where) == ("IF_CHARSET", "MSH-18")
