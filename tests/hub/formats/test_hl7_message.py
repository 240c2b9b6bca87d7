"""Messages are read as their senders meant them, however they were written down, and what was tolerated is told."""

from pathlib import Path

import pytest

from hub.errors import ParseError, Permanent
from hub.formats import hl7
from hub.formats.hl7_message import MAX_SEGMENTS

FIXTURES = Path(__file__).parents[2] / "fixtures" / "hl7"
CLEAN = ["MSH", "EVN", "PID", "PV1", "FT1", "FT1"]


def fixture(name: str) -> bytes:
    """The bytes of one of our own messages."""
    return (FIXTURES / f"{name}.hl7").read_bytes()


@pytest.mark.parametrize(
    ("name", "notes"),
    [
        ("dirty_bom", ["bom", "line_ends_lf"]),
        ("dirty_line_ends_lf", ["line_ends_lf"]),
        ("dirty_line_ends_crlf", ["line_ends_crlf"]),
        ("dirty_line_ends_mixed", ["line_ends_mixed"]),
        ("dirty_indented", ["line_ends_crlf", "indented_segment"]),
        ("dirty_leading_blanks", ["leading_blanks"]),
        ("dirty_framed", ["framing"]),
        ("dirty_end_block_in_field", ["framing"]),
        ("dirty_no_last_line_end", []),
        ("dirty_nul_bytes", ["nul_bytes"]),
        ("dirty_broken_line", ["line_ends_mixed", "broken_line"]),
        ("dirty_broken_header", ["line_ends_mixed", "broken_line"]),
        ("dirty_separators_punctuation", []),
        ("dirty_separators_swapped", []),
        ("dirty_separators_rotated", []),
        ("dirty_separators_two", ["separators_short"]),
        ("dirty_separators_three", ["separators_short"]),
        ("dirty_separators_doubled", ["separators_odd"]),
        ("dirty_separators_missing", ["separators_missing"]),
        ("dirty_escapes", []),
    ],
)
def test_dirt_is_read_and_noted(name, notes):
    """The same two charges are read from every dirty form of one message, and the notes say what was dirty."""
    message = hl7.parse(fixture(name))
    assert [segment.name for segment in message] == CLEAN
    assert message.notes == notes
    assert [line.text(2) for line in message.all("FT1")] == ["TX2026000101", "TX2026000102"]
    assert [line.text(7) for line in message.all("FT1")] == ["SUP1002", "SUP2040"]
    assert [line.text(11) for line in message.all("FT1")] == ["248.50", "89.00"]
    assert message.get("PID-18") == "ACCT0012345"


@pytest.mark.parametrize(
    ("name", "where", "words"),
    [
        ("bad_empty", "byte 0", "empty"),
        ("bad_blank", "byte 6", "empty"),
        ("bad_no_msh", "byte 0", "no MSH"),
        ("bad_text", "byte 0", "no MSH"),
        ("bad_msh_only_name", "MSH-1", "no field separator"),
        ("bad_msh_no_separator", "MSH-1", "usable field separator"),
        ("bad_msh_cut_in_separators", "MSH-2", "cut off"),
        ("bad_msh_letters", "MSH-2", "cannot separate"),
        ("bad_msh_joined", "MSH-2", "cannot separate"),
        ("batch_file", "byte 0", "split it first"),
    ],
)
def test_what_has_no_usable_header_is_refused_with_a_reason(name, where, words):
    """The parse error says where it stopped and what to do; the quick look refuses the same bytes."""
    for read in (hl7.parse, hl7.peek):
        with pytest.raises(ParseError, match=words) as refusal:
            read(fixture(name))
        assert (refusal.value.code, refusal.value.where) == ("IF_PARSE", where)


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("truncated_in_msh", ["MSH"]),
        ("truncated_in_pid", ["MSH", "EVN", "PID"]),
        ("truncated_in_ft1", ["MSH", "EVN", "PID", "PV1", "FT1"]),
        ("truncated_in_utf8", ["MSH", "EVN", "PID"]),
    ],
)
def test_a_cut_off_message_is_read_as_far_as_it_goes(name, names):
    """What is missing reads as empty text."""
    message = hl7.parse(fixture(name))
    assert [segment.name for segment in message] == names
    assert message.get("FT1-31") == ""


def test_every_version_keeps_its_fields_where_they_are():
    """From 2.1 to 2.8 the charge's code, quantity and date stand at the same numbers."""
    versions = {
        name: hl7.parse(fixture(f"dft_{name}"))
        for name in ("v21", "v22", "v23", "v231", "v24", "v25", "v26", "v27", "v28")
    }
    assert [message.get("MSH-12") for message in versions.values()] == (
        ["2.1", "2.2", "2.3", "2.3.1", "2.4", "2.5", "2.6", "2.7", "2.8"]
    )
    assert {message.get("FT1-6") for message in versions.values()} == {"CG"}
    assert {message.get("FT1-4")[:8] for message in versions.values()} == {"20261120"}
    assert {message.get("FT1-13") for message in versions.values()} == {"OR01"}
    assert versions["v27"].get("FT1-7.2") == "Bone cement #40 g"
    assert versions["v28"].get("FT1-34.2") == "Implant screw 3.5 mm"
    assert versions["v28"].get("FT1-4.2") == "20261120113000"
    assert versions["v28"].get("PRT-16") == "00643169001763"


def test_segments_are_found_by_name_in_order():
    """all() gives every one, first() the first or None."""
    message = hl7.parse(fixture("dft_p03_v251"))
    assert [line[1] for line in message.all("FT1")] == ["1", "2", "3"]
    assert message.first("PID") is message.segments[2]
    assert message.first("NTE") is None
    assert message.all("NTE") == []


def test_groups_give_each_charge_what_belongs_to_it():
    """A procedure and a Z-segment go with the charge before them; a diagnosis ends the last charge."""
    message = hl7.parse(fixture("dft_p03_v251"))
    groups = message.groups("FT1", {"PR1", "ROL", "ZPM"})
    assert [[segment.name for segment in group] for group in groups] == [["FT1", "PR1", "ZPM"], ["FT1"], ["FT1"]]
    assert hl7.path("ZPM-3").read(groups[0]) == "LOT778"
    assert hl7.path("ZPM-3").read(groups[1]) == ""


def grouped(names: str, members: set[str] | None) -> list[str]:
    """The groups of a message made of bare segments, as words."""
    body = "".join(f"{name}|1\r" for name in names.split())
    message = hl7.parse(f"MSH|^~\\&|A|B\r{body}".encode())
    return ["+".join(segment.name for segment in group) for group in message.groups("FT1", members)]


def test_groups_end_at_the_first_stranger_but_not_at_a_foreign_z_segment():
    """ROL after IN1 is the insurance's; a Z-segment may stand anywhere."""
    members = {"PR1", "ROL", "ZPM"}
    assert grouped("PID FT1 PR1 ROL IN1 ROL", members) == ["FT1+PR1+ROL"]
    assert grouped("FT1 ZXX ZPM FT1 ZPM", members) == ["FT1+ZPM", "FT1+ZPM"]
    assert grouped("PR1 ZPM FT1", members) == ["FT1"]
    assert grouped("FT1 PR1 DG1 NTE FT1 IN1", None) == ["FT1+PR1+DG1+NTE", "FT1+IN1"]
    assert grouped("PID PV1", members) == []


def test_a_broken_text_goes_back_to_its_segment():
    """A line that cannot begin a segment keeps its break and belongs to the line before it."""
    message = hl7.parse(fixture("dirty_broken_line"))
    assert message.all("FT1")[1].text(7, 2) == "Bone cement\n40 g, see\nleaflet"
    assert message.all("FT1")[1].line.count("\n") == 2


def test_a_broken_header_is_put_together_first():
    """Control id and version are found although the MSH was broken in two; the quick look finds them too."""
    message = hl7.parse(fixture("dirty_broken_header"))
    assert (message.get("MSH-10"), message.get("MSH-12")) == ("TLD018", "2.5.1")
    assert hl7.peek(fixture("dirty_broken_header")).control_id == "TLD018"


def test_odd_segment_names_are_kept_apart():
    """PIDX and PV are segments of their own, so that neither shifts into the segment before it."""
    message = hl7.parse(fixture("dirty_odd_names"))
    names = ["MSH", "PIDX", "PV", "PID", "PV1", "FT1", "FT1", "ZZ1", "FT1"]
    assert [segment.name for segment in message] == names
    assert message.notes == ["odd_segment_name"]
    assert message.first("PIDX").text(3) == "X"


def test_blank_lines_and_empty_segments_are_no_trouble():
    """A bare name is a segment without fields; a line of separators belongs to nobody's name."""
    message = hl7.parse(fixture("dirty_empty_segments"))
    assert [segment.name for segment in message] == ["MSH", "EVN", "PID", "PV1", "FT1", "ZPM"]
    assert message.get("PV1-19") == ""


def test_a_second_header_inside_a_message_is_noted():
    """Two messages in one frame are not silently one: the door can split them."""
    assert hl7.parse(fixture("concatenated")).notes == ["line_ends_mixed", "several_messages"]


def test_nulls_are_told_apart_from_empty_and_from_text():
    """`""` says delete, in a field and in a component."""
    pid = hl7.parse(fixture("dirty_nulls")).first("PID")
    assert (pid.is_null(7), pid.present(7), pid.text(7)) == (True, False, "")
    assert (pid.is_null(6), pid.present(6)) == (False, False)
    assert (pid.text(11, 1), pid.text(11, 3)) == ("", "Springfield")


def test_escapes_are_resolved_where_they_are_read_and_never_make_a_segment():
    r"""`\X0D4F4258\` reads as a line break and OBX inside one text; the message has no OBX."""
    message = hl7.parse(fixture("dirty_escapes"))
    text = message.first("FT1").text(7, 2)
    assert text == ("Screw 3.5 mm & washer | a^b ~ c\\d AB é \nbold \\Z99\\ \rOBX \\Q\\ 50% \\ end")
    assert message.all("OBX") == []


def test_nul_bytes_become_a_visible_sign():
    """No database keeps a NUL in a text, so it is shown by its sign and noted; trailing ones are padding."""
    message = hl7.parse(fixture("dirty_nul_bytes"))
    assert message.all("FT1")[1].text(7, 2) == "Bone␀cement 40 g"


def test_paths_point_into_the_whole_message():
    """A configured path names segment, occurrence, field, repetition, component and subcomponent."""
    message = hl7.parse(fixture("dft_p03_v251"))
    assert message.get("FT1-7.1") == "SUP1002"
    assert message.get("FT1[3]-7") == "RM100"
    assert message.get("FT1-26[2]") == "LT"
    assert message.get("FT1[4]-7") == ""
    assert message.get("MSH-9.3") == "DFT_P03"
    assert message.get("ZPM-5") == "00643169001763"
    with pytest.raises(Permanent) as refusal:
        message.get("FT1.7")
    assert refusal.value.code == "IF_PATH"


def test_a_flood_of_segments_is_refused_before_it_fills_the_memory():
    """One segment more than the limit is a parse error; at the limit the message is read."""
    header = b"MSH|^~\\&|A|B\r"
    assert len(hl7.parse(header + b"PID|\r" * (MAX_SEGMENTS - 1)).segments) == MAX_SEGMENTS
    with pytest.raises(ParseError, match="more than 100,000 segments"):
        hl7.parse(header + b"PID|\r" * MAX_SEGMENTS)


def test_a_message_shows_nothing_of_its_patient():
    """repr of a message and of an envelope may be logged."""
    raw = fixture("dft_p03_v251")
    shown = repr(hl7.parse(raw)) + repr(hl7.peek(raw))
    assert "<Message of 10 segments>" in shown
    for secret in ("SAMPLE", "JANE", "MRN00012345", "ACCT0012345"):
        assert secret not in shown
