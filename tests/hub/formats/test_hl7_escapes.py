"""Escapes go both ways without loss, and nothing that was unescaped can become structure again."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.errors import Permanent
from hub.formats import hl7
from hub.formats.hl7_escapes import escape_any

# A slow machine is no finding: speed lives in benchmarks.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
TRUNCATING = hl7.Separators("|", "^", "~", "\\", "&", "#")
PUNCTUATION = hl7.Separators("#", "!", "@", "%", "*")
WITHOUT_ESCAPE = hl7.Separators("|", "^", "~", "", "")

SEPARATORS = st.permutations("|^~\\&#!@%*$+-.]").map(lambda marks: hl7.Separators(*marks[:6]))
WRITABLE = st.text(
    st.one_of(st.sampled_from("|^~\\&#!@%*\r\nXEFSTRHN.br0Dd"), st.characters(exclude_categories=["Cs", "Cc"]))
)


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("plain", "plain"),
        ("", ""),
        (r"a\F\b\S\c\T\d\R\e\E\f", "a|b^c&d~e\\f"),
        (r"\E\F\E\ ", r"\F\ "),
        (r"\X41\\X4243\ ", "ABC "),
        (r"\XC3A9\ is UTF-8", "é is UTF-8"),
        (r"\XE9\ is Latin-1", "é is Latin-1"),
        (r"one\.br\two", "one\ntwo"),
        (r"\H\bold\N\ not", "bold not"),
        (r"\X0D\ and \X0A\ ", "\r and \n "),
    ],
)
def test_known_sequences_become_what_they_mean(sent, meant):
    """The sequences of chapter 2.7 are read, highlighting is dropped."""
    assert hl7.unescape(sent) == meant


@pytest.mark.parametrize(
    "sent",
    [
        r"\Z99\ own",
        r"\.in\ indented",
        r"\.sp2\ ",
        r"\C2842\ charset",
        r"\M824041\ charset",
        r"\X4\ odd",
        r"\XZZ\ not hexadecimal",
        r"\X\ empty",
        r"\X00\ NUL",
        r"\X410042\ NUL inside",
        r"50 \ 60",
        r"ends with \ ".strip(),
        r"never closed \F",
        r"\f\ small",
        r"\\ empty",
        r"\P\ without truncation character",
    ],
)
def test_unknown_sequences_stay_as_they_were_sent(sent):
    """Nothing is guessed and nothing is lost: what is not known is text."""
    assert hl7.unescape(sent) == sent


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        (r"\Q\F\ ", r"\Q|" + " "),
        (r"100\ \T\ 200", r"100\ & 200"),
        (r"a\b\S\c", r"a\b^c"),
        (r"\T\T\T\ ", "&T& "),
        (r"\F\\F\ ", "|| "),
    ],
)
def test_a_stray_mark_does_not_hide_the_sequence_after_it(sent, meant):
    """The mark that closes nothing may open the next sequence."""
    assert hl7.unescape(sent) == meant


def test_the_senders_own_escape_character_is_used():
    """With % as escape character, backslashes are text."""
    assert hl7.unescape("a%F%b%T%c \\F\\", PUNCTUATION) == "a#b*c \\F\\"
    assert hl7.escape("a#b*c%", PUNCTUATION) == "a%F%b%T%c%E%"


def test_the_truncation_character_is_known_where_it_was_declared():
    r"""`\P\` means the fifth encoding character of v2.7, and is text where there is none."""
    assert hl7.unescape(r"cut\P\ ", TRUNCATING) == "cut# "
    assert hl7.escape("cut#", TRUNCATING) == r"cut\P\ ".strip()
    assert hl7.escape("cut#") == "cut#"


def test_a_message_without_escape_character_has_no_sequences():
    """Where MSH-2 names no escape character, a backslash is a backslash."""
    assert hl7.unescape(r"a\F\b", WITHOUT_ESCAPE) == r"a\F\b"
    with pytest.raises(Permanent) as refusal:
        hl7.escape("a|b", WITHOUT_ESCAPE, where="FT1-8")
    assert (refusal.value.code, refusal.value.where) == ("IF_EMIT", "FT1-8")
    assert hl7.escape("a\\b", WITHOUT_ESCAPE) == "a\\b"


def test_line_breaks_are_spelled_and_never_written():
    """CR and LF in a value leave as hexadecimal and come back as what they were."""
    assert hl7.escape("one\r\ntwo") == r"one\X0D\\X0A\two"
    assert hl7.unescape(hl7.escape("one\r\ntwo")) == "one\r\ntwo"


@pytest.mark.parametrize("control", ["\x00", "\x07", "\x0b", "\x1c", "\t", "\x7f"])
def test_other_control_characters_are_refused_by_name(control):
    """The refusal says which character and where, and never the value itself."""
    with pytest.raises(Permanent) as refusal:
        hl7.escape(f"SECRET{control}", where="PID-5")
    assert refusal.value.code == "IF_EMIT"
    assert refusal.value.where == "PID-5"
    assert f"U+{ord(control):04X}" in refusal.value.text
    assert "SECRET" not in str(refusal.value)


def test_an_acknowledgement_can_spell_any_control_character():
    """What is echoed is spelled where an ordinary value would be refused."""
    assert escape_any("a\x1c|\rb", hl7.STANDARD) == r"a\X1C\\F\\X0D\b"


@UNHURRIED
@given(WRITABLE, SEPARATORS)
def test_what_is_escaped_comes_back_the_same(text, separators):
    """unescape(escape(x)) is x for any text and any usable separators."""
    assert hl7.unescape(hl7.escape(text, separators), separators) == text


@UNHURRIED
@given(WRITABLE, SEPARATORS)
def test_an_escaped_value_holds_no_separator(text, separators):
    """Whatever the text, none of the five separators and no line break is left in it."""
    written = hl7.escape(text, separators)
    structure = {separators.field, separators.component, separators.repetition, separators.subcomponent, "\r", "\n"}
    assert not structure & set(written)


@UNHURRIED
@given(st.text(), SEPARATORS)
def test_unescape_never_raises_and_never_makes_a_nul(text, separators):
    """Any text can be unescaped, and what comes out can be kept by a database when what went in could."""
    assert hl7.unescape(text, separators).count("\x00") <= text.count("\x00")


@UNHURRIED
@given(st.lists(st.sampled_from(["\\", "F", "X0D", "X00", "XFF", "Z1", "|", " ", "H", ".br", "\\\\"])).map("".join))
def test_unescape_reads_any_heap_of_sequences(text):
    """Sequences that stand in each other's way are read without error and without a NUL."""
    assert "\x00" not in hl7.unescape(text)


@UNHURRIED
@given(st.text())
def test_escape_any_never_raises_and_leaves_no_control_character(text):
    """Everything that could end a segment or a frame is spelled."""
    written = escape_any(text, hl7.STANDARD)
    assert not any(ord(character) < 32 or ord(character) == 127 for character in written)
