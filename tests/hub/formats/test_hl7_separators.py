"""Separators are read from the message, by position, in every shape that senders were seen to write them in."""

import pytest

from hub.errors import ParseError
from hub.formats.hl7_separators import STANDARD, Separators, read_separators


@pytest.mark.parametrize(
    ("field", "encoding", "expected", "notes"),
    [
        ("|", "^~\\&", STANDARD, ()),
        ("|", "^~\\&#", Separators("|", "^", "~", "\\", "&", "#"), ()),
        ("|", "^~\\}", Separators("|", "^", "~", "\\", "}"), ()),
        ("|", "^~}", Separators("|", "^", "~", "}", ""), ("separators_short",)),
        ("|", "^~", Separators("|", "^", "~", "", ""), ("separators_short",)),
        ("|", "^", Separators("|", "^", "", "", ""), ("separators_short",)),
        ("|", "^~\\\\&", STANDARD, ("separators_odd",)),
        ("|", "^~\\&#$%", Separators("|", "^", "~", "\\", "&", "#"), ("separators_odd",)),
        ("|", "^~\\& ", STANDARD, ("separators_odd",)),
        ("|", "", STANDARD, ("separators_missing",)),
        ("|", "  ", STANDARD, ("separators_missing", "separators_odd")),
        ("^", "~|\\&", Separators("^", "~", "|", "\\", "&"), ()),
        ("@", "~&#\\", Separators("@", "~", "&", "#", "\\"), ()),
        ("#", "!@%*", Separators("#", "!", "@", "%", "*"), ()),
    ],
)
def test_separators_are_read_by_position(field, encoding, expected, notes):
    """Every set of separators seen in the wild is read as its sender meant it, and what was tolerated is noted."""
    assert read_separators(field, encoding) == (expected, notes)


@pytest.mark.parametrize("field", ["A", "7", " ", "\t", "\x1c", '"', "é", ""])
def test_a_field_separator_that_would_cut_values_is_refused(field):
    """A letter, digit, blank, control or quotation mark as MSH-1 is a parse error that names MSH-1."""
    with pytest.raises(ParseError) as refusal:
        read_separators(field, "^~\\&")
    assert (refusal.value.code, refusal.value.where) == ("IF_PARSE", "MSH-1")


@pytest.mark.parametrize("encoding", ["ABCD", "^~\\&BILLING", '^~\\"', "^ ~", "^~\\é", "^~\\\x07", "^|", "x" * 17])
def test_encoding_characters_that_cannot_separate_are_refused(encoding):
    """Letters, blanks, quotation marks, the field separator itself or a whole sentence in MSH-2 is a parse error."""
    with pytest.raises(ParseError) as refusal:
        read_separators("|", encoding)
    assert (refusal.value.code, refusal.value.where) == ("IF_PARSE", "MSH-2")


def test_missing_separators_cannot_be_the_standard_ones_when_they_collide():
    """An empty MSH-2 is filled in with ^~\\& only where the field separator is none of these."""
    with pytest.raises(ParseError):
        read_separators("^", "")


def test_separators_know_how_they_are_written_and_whether_they_suffice():
    """MSH-2 is given back as it was, and only a set with all four can write any value."""
    assert STANDARD.encoding == "^~\\&"
    assert Separators("|", "^", "~", "\\", "&", "#").encoding == "^~\\&#"
    assert STANDARD.complete
    assert not Separators("|", "^", "~", "\\", "").complete
    assert not Separators("|", "^", "", "", "").complete
