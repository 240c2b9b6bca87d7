"""What is written is read back the same, and no value can become a segment, a field or a component."""

import pytest
from hl7apy.parser import parse_message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.errors import Permanent
from hub.formats import hl7

# A slow machine is no finding: speed lives in benchmarks.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
HEADER = [
    "MSH",
    None,
    None,
    "HUB",
    "NET",
    "ERP",
    "CENTRAL",
    "20261122",
    None,
    ("DFT", "P03", "DFT_P03"),
    "C1",
    "P",
    "2.5.1",
]
TEXT = st.text(
    st.one_of(
        st.sampled_from('|^~\\&#!@%*\r\n"XF.FT1'),
        st.characters(exclude_categories=["Cs", "Cc"]),
    ),
    max_size=12,
)
VALUE = st.one_of(st.none(), st.just(hl7.NULL), TEXT)
COMPONENT = st.one_of(VALUE, st.lists(VALUE, min_size=1, max_size=3).map(tuple))
REPETITION = st.one_of(VALUE, st.lists(COMPONENT, min_size=1, max_size=3).map(tuple))
FIELD = st.one_of(REPETITION, st.lists(REPETITION, max_size=3))
NAME = st.sampled_from(["PID", "PV1", "FT1", "OBX", "ZPM", "NTE", "A11"])
SEGMENT = st.tuples(NAME, st.lists(FIELD, max_size=6)).map(lambda found: [found[0], *found[1]])
SEPARATORS = st.permutations("|^~\\&#!@%*$-.]").map(lambda marks: hl7.Separators(*marks[:6]))


def written(*segments: list[hl7.Field]) -> list[bytes]:
    """The lines of a message with our header before these segments."""
    return hl7.build([HEADER, *segments]).split(b"\r")


def as_lists(field: hl7.Field) -> list[list[list[object]]]:
    """A field as repetitions of components of subcomponents, whatever short form it was given in."""
    repetitions = field if isinstance(field, list) else [field]
    components = [one if isinstance(one, tuple | list) else (one,) for one in repetitions]
    return [[[*one] if isinstance(one, tuple | list) else [one] for one in repetition] for repetition in components]


def read_as(value: object) -> str:
    """What text() gives for a value that was written: nothing for None and NULL."""
    return value if isinstance(value, str) else ""


def test_a_message_to_the_byte():
    """Repetitions, components, subcomponents, nulls and escapes in one segment; trailing empty fields are left out."""
    assert written(
        ["PID", "1", None, [("M1", None, None, "H", "MR"), "S1"], None, ("O'Neil & Söhne", "A|B"), hl7.NULL, None],
        ["FT1", "1", ("a", ("b", "c^d")), "two\r\nlines", '""'],
    ) == [
        rb"MSH|^~\&|HUB|NET|ERP|CENTRAL|20261122||DFT^P03^DFT_P03|C1|P|2.5.1||||||UNICODE UTF-8",
        'PID|1||M1^^^H^MR~S1||O\'Neil \\T\\ Söhne^A\\F\\B|""'.encode(),
        rb"FT1|1|a^b&c\S\d|two\X0D\\X0A\lines|\X2222" + b"\\",
        b"",
    ]


def test_lists_inside_repetitions_are_components_too():
    """A repetition may be given as a list where it stands in a list of repetitions."""
    assert written(["FT1", [["a", "b"], ["c", ["d", "e"]]]])[1] == b"FT1|a^b~c^d&e"


def test_empty_segments_and_headers_stay_readable():
    """A segment without fields keeps its separator, and so does a header that has nothing but its separators."""
    assert hl7.build([["MSH"], ["EVN"], ["ZZ1", None, ""]]) == b"MSH|^~\\&|\rEVN|\rZZ1|\r"
    assert [segment.name for segment in hl7.parse(hl7.build([["MSH"], ["EVN"]]))] == ["MSH", "EVN"]


def test_nulls_and_quotation_marks_are_not_confused():
    """NULL is read as null; a text of two quotation marks is read as that text."""
    message = hl7.parse(hl7.build([HEADER, ["PID", hl7.NULL, '""', ("a", hl7.NULL)]]))
    pid = message.first("PID")
    assert (pid.is_null(1), pid.is_null(2), pid.text(2), pid.text(3), pid.text(3, 2)) == (True, False, '""', "a", "")


def test_other_separators_are_written_and_escaped():
    """The header tells the separators that the rest is written with."""
    marks = hl7.Separators("#", "!", "@", "%", "*")
    assert hl7.build([["MSH", None, None, "A#B"], ["FT1", ("x!", "|y")]], marks) == b"MSH#!@%*#A%F%B\rFT1#x%S%!|y\r"


@pytest.mark.parametrize(
    ("segments", "code", "where"),
    [
        ([], "IF_EMIT", "segment 1"),
        ([[]], "IF_EMIT", "segment 1"),
        ([["PID", "1"]], "IF_EMIT", "segment 1"),
        ([HEADER, []], "IF_EMIT", "segment 2"),
        ([HEADER, ["PID"], HEADER], "IF_EMIT", "segment 3"),
        ([HEADER, ["BTS", "1"]], "IF_EMIT", "segment 2"),
        ([HEADER, ["pid", "1"]], "IF_EMIT", "segment 2"),
        ([HEADER, ["PID\rOBX", "1"]], "IF_EMIT", "segment 2"),
        ([HEADER, ["PI|", "1"]], "IF_EMIT", "segment 2"),
        ([HEADER, [None, "1"]], "IF_EMIT", "segment 2"),
        ([["MSH", "|", "^~\\&", "HUB"]], "IF_EMIT", "MSH-1"),
        ([["MSH", "HUB"]], "IF_EMIT", "MSH-1"),
        ([HEADER, ["FT1", "ok", "bell \x07"]], "IF_EMIT", "FT1-2"),
        ([HEADER, ["FT1", [("ok", ("ok", "tab\t"))]]], "IF_EMIT", "FT1-1"),
        ([[*HEADER, *[None] * 5, "8859/1"], ["PID", "Łucja"]], "IF_CHARSET", "MSH-18"),
        ([[*HEADER, *[None] * 5, "ISO IR 999"], ["PID", "Zoe"]], "IF_CHARSET", "MSH-18"),
        ([[*HEADER, *[None] * 5, ["ASCII", "8859/1"]], ["PID", "Zoe"]], "IF_EMIT", "MSH-18"),
        ([HEADER, ["PID", "\ud800"]], "IF_CHARSET", "MSH-18"),
    ],
)
def test_what_cannot_be_written_is_refused_with_its_place(segments, code, where):
    """The error names the field, so that a person can mend it at its source."""
    with pytest.raises(Permanent) as refusal:
        hl7.build(segments)
    assert (refusal.value.code, refusal.value.where) == (code, where)


def test_incomplete_separators_are_refused():
    """Without an escape character there are values that could not be written."""
    with pytest.raises(Permanent) as refusal:
        hl7.build([HEADER], hl7.Separators("|", "^", "~", "", ""))
    assert (refusal.value.code, refusal.value.where) == ("IF_EMIT", "MSH-2")


def test_a_refusal_never_shows_the_value():
    """Error texts are logged and shown; the value may be a patient's name."""
    with pytest.raises(Permanent) as refusal:
        hl7.build([HEADER, ["PID", "SECRET NAME\x00"]])
    assert "SECRET" not in str(refusal.value)


@pytest.mark.parametrize(
    ("charset", "raw"),
    [
        ("8859/1", b"Z\xfcrich"),
        ("UNICODE UTF-8", "Zürich".encode()),
        ("8859/15", b"Z\xfcrich"),
        (None, "Zürich".encode()),
    ],
)
def test_the_declared_character_set_is_written(charset, raw):
    """MSH-18 decides the bytes; without it, text beyond ASCII declares UTF-8 by itself."""
    body = hl7.build([[*HEADER, *[None] * 5, charset], ["PID", "Zürich"]])
    assert body.split(b"\r")[1] == b"PID|" + raw
    message = hl7.parse(body)
    assert (message.get("PID-1"), message.get("MSH-18"), message.notes) == ("Zürich", charset or "UNICODE UTF-8", [])


def test_ascii_needs_no_declaration():
    """A plain message is not burdened with a character set."""
    assert hl7.parse(hl7.build([HEADER, ["PID", "Zoe"]])).get("MSH-18") == ""


@UNHURRIED
@given(st.lists(SEGMENT, max_size=5), SEPARATORS)
def test_what_is_written_is_read_back(segments, separators):
    """parse(build(x)) has the same segments, and at each place the same text, null or nothing; and no dirt."""
    message = hl7.parse(hl7.build([HEADER, *segments], separators))
    assert [segment.name for segment in message] == ["MSH", *[fields[0] for fields in segments]]
    assert message.notes == []
    for fields, segment in zip(segments, message.segments[1:], strict=True):
        assert len(segment.fields) <= max(len(fields), 2)
        for number, field in enumerate(fields[1:], start=1):
            repetitions = as_lists(field)
            assert len(segment.repetitions(number)) <= len(repetitions)
            for r, components in enumerate(repetitions, start=1):
                for c, subs in enumerate(components, start=1):
                    for s, value in enumerate(subs, start=1):
                        assert segment.text(number, c, r, s) == read_as(value)
                    assert segment.text(number, c, r, len(subs) + 1) == ""
                assert segment.text(number, len(components) + 1, r) == ""


@UNHURRIED
@given(st.lists(TEXT, min_size=1, max_size=8), SEPARATORS)
def test_a_value_is_one_value_whatever_it_holds(values, separators):
    """Each text stays in its own field, with one repetition, one component and one subcomponent."""
    segment = hl7.parse(hl7.build([HEADER, ["ZZ1", *values, "end"]], separators)).segments[1]
    assert len(segment.fields) == len(values) + 2
    for number, value in enumerate(values, start=1):
        assert segment.text(number) == segment.text(number, 0, 0, 0) == value
        assert (segment.text(number, 2), segment.text(number, 1, 2), segment.text(number, 1, 1, 2)) == ("", "", "")


@UNHURRIED
@given(TEXT)
def test_what_was_unescaped_can_be_written_again(text):
    r"""A text that came in as `\X0D4F4258\` and the like goes out as text again: no round makes a segment of it."""
    sent = f"MSH|^~\\&|A|B\rNTE|1||{hl7.escape(text)}\\X0D4F4258\\\r".encode()
    first = hl7.parse(sent).get("NTE-3")
    assert first.endswith("\rOBX")
    again = hl7.parse(hl7.build([HEADER, ["NTE", "1", None, first]]))
    assert [segment.name for segment in again] == ["MSH", "NTE"]
    assert again.get("NTE-3") == first


# hl7apy drops blank fields and does not know \X..\, so that only the structure is compared where a line break was.
ORACLE_TEXT = st.text(st.sampled_from("ab |^~&#\r\n'éŁ1.-"), max_size=10).map(lambda text: f"x{text}x")


@UNHURRIED
@given(st.lists(ORACLE_TEXT, min_size=1, max_size=6))
def test_another_parser_sees_the_same_structure(values):
    """hl7apy, which nobody here wrote, finds as many segments and fields, and the same text once it is unescaped."""
    body = hl7.build([[*HEADER, *[None] * 5, "UNICODE UTF-8"], ["ZZ1", *values, "end"], ["EVN", "P03", "20261122"]])
    read = parse_message(body.decode(), find_groups=False, validation_level=2)
    assert [child.name for child in read.children] == ["MSH", "ZZ1", "EVN"]
    assert len(read.zz1.children) == len(values) + 1
    for number, value in enumerate(values, start=1):
        if value.isprintable():
            assert hl7.unescape(getattr(read.zz1, f"zz1_{number}").to_er7()) == value
