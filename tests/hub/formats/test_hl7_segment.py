"""Fields are found by the standard's numbers, and what a sender left out reads as empty text."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.formats import hl7
from hub.formats.hl7_segment import Segment, place

# A slow machine is no finding: speed lives in benchmarks.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def segment(line: str, separators: hl7.Separators = hl7.STANDARD) -> Segment:
    """A segment as the parser makes it."""
    return Segment(line[:3], line, separators)


FT1 = segment(r'FT1|1|TX1|""|20261120^20261121||CG|99213^Visit\T\talk^C4&CPT~ALT^Other|A & B||-2.50||OR01|I|A&B&C^^X')


@pytest.mark.parametrize(
    ("number", "raw"),
    [(0, "FT1"), (1, "1"), (2, "TX1"), (3, '""'), (5, ""), (11, ""), (14, "A&B&C^^X"), (15, ""), (99, ""), (-1, "")],
)
def test_a_field_is_its_text_as_sent(number, raw):
    """segment[n] is field n by HL7's numbers, and empty beyond the segment's end."""
    assert FT1[number] == raw


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ((2,), "TX1"),
        ((3,), ""),
        ((4,), "20261120"),
        ((4, 2), "20261121"),
        ((4, 3), ""),
        ((5,), ""),
        ((6,), "CG"),
        ((6, 2), ""),
        ((6, 1, 2), ""),
        ((6, 1, 1, 2), ""),
        ((7,), "99213"),
        ((7, 2), "Visit&talk"),
        ((7, 3), "C4"),
        ((7, 3, 1, 2), "CPT"),
        ((7, 3, 1, 3), ""),
        ((7, 1, 2), "ALT"),
        ((7, 2, 2), "Other"),
        ((7, 3, 2), ""),
        ((7, 1, 3), ""),
        ((10,), "-2.50"),
        ((10, 2), ""),
        ((14,), "A"),
        ((14, 1, 1, 3), "C"),
        ((14, 1, 1, 4), ""),
        ((14, 2), ""),
        ((14, 3), "X"),
        ((40,), ""),
        ((-1,), ""),
    ],
)
def test_text_is_one_place_unescaped(where, text):
    """text(field, component, repetition, subcomponent) counts from 1 and is "" for what is absent or null."""
    assert FT1.text(*where) == text


def test_zero_reads_all_of_a_level_as_it_stands():
    """A description whose sender forgot to escape & can be read whole, instead of up to the &."""
    assert FT1.text(8) == "A "
    assert FT1.text(8, component=0, sub=0) == "A & B"
    assert FT1.text(7, component=0, sub=0) == "99213^Visit&talk^C4&CPT"
    assert FT1.text(7, component=0, repetition=0, sub=0) == "99213^Visit&talk^C4&CPT~ALT^Other"
    assert FT1.text(6, component=0, repetition=0, sub=0) == "CG"


def test_repetitions_are_given_as_sent():
    """Each repetition is raw text; an empty field has none."""
    assert FT1.repetitions(7) == [r"99213^Visit\T\talk^C4&CPT", "ALT^Other"]
    assert FT1.repetitions(6) == ["CG"]
    assert FT1.repetitions(5) == []
    assert FT1.repetitions(50) == []


@pytest.mark.parametrize(
    ("number", "null", "present"), [(3, True, False), (5, False, False), (6, False, True), (9, False, False)]
)
def test_null_is_not_empty_and_not_a_value(number, null, present):
    """Two quotation marks mean "delete what you have": neither absent nor a text."""
    assert FT1.is_null(number) is null
    assert FT1.present(number) is present


def test_a_null_component_reads_as_empty():
    """Nulls inside a field are no quotation marks for staff to look at."""
    address = segment('PID|1|||||||||""^""^Springfield')
    assert [address.text(11 - 1, n) for n in (1, 2, 3)] == ["", "", "Springfield"]


@pytest.mark.parametrize("name", ["MSH", "FHS", "BHS"])
def test_header_segments_count_their_separators(name):
    """Field 1 of a header is the separator and field 2 the encoding characters, so that field 3 is the application."""
    header = segment(rf"{name}|^~\&|APP^ID^ISO|FAC")
    assert header.fields[:5] == [name, "|", "^~\\&", "APP^ID^ISO", "FAC"]
    assert (header[1], header[2], header[3], header[4], header[5]) == ("|", "^~\\&", "APP^ID^ISO", "FAC", "")
    assert (header.text(1), header.text(2), header.text(3), header.text(3, 2)) == ("|", "^~\\&", "APP", "ID")
    assert header.repetitions(2) == ["^~\\&"]
    assert header.repetitions(1) == ["|"]


def test_the_senders_separators_are_used_on_every_level():
    """Another set of separators cuts at its own characters and leaves the usual ones alone."""
    odd = segment("FT1#1#a!b*c@d#x|^~\\&#%F%", hl7.Separators("#", "!", "@", "%", "*"))
    assert (odd.text(2), odd.text(2, 2), odd.text(2, 2, 1, 2), odd.text(2, 1, 2)) == ("a", "b", "c", "d")
    assert (odd.text(3), odd.text(4)) == ("x|^~\\&", "#")


def test_levels_that_were_not_declared_are_not_cut():
    """With only | and ^ declared, ~ \\ and & are text, and there is one repetition and one subcomponent."""
    short = segment(r"FT1|a^b~c&d\F\e", hl7.Separators("|", "^", "", "", ""))
    assert (short.text(1), short.text(1, 2), short.repetitions(1)) == ("a", r"b~c&d\F\e", [r"a^b~c&d\F\e"])
    assert (short.text(1, 1, 2), short.text(1, 2, 1, 2)) == ("", "")
    assert short.text(1, 2, 0, 0) == r"b~c&d\F\e"


def test_a_segment_says_its_name_and_nothing_of_its_patient():
    """repr ends up in logs."""
    assert repr(segment("PID|1||MRN1||DOE^JANE")) == "<Segment PID>"


@UNHURRIED
@given(st.text('ab|^~&\\"F', max_size=30), st.integers(0, 4), st.integers(0, 4), st.integers(0, 4))
def test_the_short_way_and_the_long_way_read_the_same(value, component, repetition, sub):
    """What text() returns early is what the full search finds."""
    line = segment("ZZ1|" + value.replace("|", ""))
    expected = place(value.replace("|", ""), hl7.STANDARD, component, repetition, sub)
    assert line.text(1, component, repetition, sub) == expected


@UNHURRIED
@given(
    st.lists(
        st.lists(st.lists(st.text("abc ", max_size=3), min_size=1, max_size=3), min_size=1, max_size=3), min_size=1
    )
)
def test_every_place_can_be_read_back(repetitions):
    """Joined by the separators, each subcomponent is found again at its own numbers."""
    field = "~".join("^".join("&".join(component) for component in repetition) for repetition in repetitions)
    line = segment("ZZ1|" + field)
    for r, components in enumerate(repetitions, start=1):
        for c, subs in enumerate(components, start=1):
            for s, value in enumerate(subs, start=1):
                assert line.text(1, c, r, s) == value
