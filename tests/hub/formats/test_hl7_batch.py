"""Files are taken apart without loss: every message is a slice of the file, and one bad member harms no other."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hub.errors import ParseError
from hub.formats import hl7

# A slow machine is no finding: speed lives in benchmarks.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
FIXTURES = Path(__file__).parents[2] / "fixtures" / "hl7"


def fixture(name: str) -> bytes:
    """The bytes of one of our own files."""
    return (FIXTURES / f"{name}.hl7").read_bytes()


def control_ids(batch: hl7.Batch) -> list[str]:
    """MSH-10 of each member, "-" where it cannot be read."""
    found = []
    for raw in batch.messages:
        try:
            found.append(hl7.peek(raw).control_id)
        except ParseError:
            found.append("-")
    return found


@pytest.mark.parametrize(
    ("name", "members", "problems"),
    [
        ("batch_file", ["TLB001", "TLB002", "TLB003"], []),
        ("batch_wrong_counts", ["TLB011", "TLB012"], ["BTS-1 says 3, found 2", "FTS-1 says 4, found 1"]),
        ("batch_bad_member", ["TLB021", "-", "TLB023"], []),
        ("batch_without_msh", ["-"], ["segments without an MSH after BHS"]),
        (
            "batch_cut_off",
            ["TLB031", "TLB032"],
            ["BHS without BTS: the batch may be cut off", "FHS without FTS: the file may be cut off"],
        ),
        ("batch_nested", ["TLB041", "TLB042"], ["BHS without BTS: the batch may be cut off"]),
        ("batch_no_headers", ["TLB051"], ["BTS without BHS", "FTS without FHS"]),
        ("batch_odd_counts", ["TLB061", "TLB062"], ["BTS-1 is not a number"]),
        ("batch_lf_indented", ["TLB071", "TLB072"], []),
        ("concatenated", ["TLM001", "TLM002", "TLM003"], []),
        ("concatenated_framed", ["TLM011", "TLM012", "TLM013"], []),
        ("concatenated_bom", ["TLM021", "TLM022"], []),
        ("dft_p03_v251", ["TL0001"], []),
        ("dirty_framed", ["TLD021"], []),
        ("dirty_indented", ["TLD006"], []),
        ("dirty_leading_blanks", ["TLD020"], []),
        ("bad_empty", [], ["the body is empty"]),
        ("bad_blank", [], ["the body is empty"]),
        ("bad_no_msh", ["-"], ["segments without an MSH"]),
        ("bad_text", ["-"], ["segments without an MSH"]),
    ],
)
def test_a_file_gives_its_members_and_its_problems(name, members, problems):
    """Each member comes out in order, readable or not, and what the trailers claim is compared."""
    batch = hl7.split(fixture(name))
    assert control_ids(batch) == members
    assert batch.problems == problems
    assert len(batch.origins) == len(members)


def test_members_know_the_batch_they_came_in():
    """The batch's id is kept with each of its messages; a file without batches lends its own."""
    assert hl7.split(fixture("batch_file")).origins == ["BATCH0001", "BATCH0001", "BATCH0002"]
    assert hl7.split(fixture("concatenated")).origins == ["", "", ""]
    message = "MSH|^~\\&|A|B|\rPID|1\r"
    file = f"FHS|^~\\&|A|B|C|D|2026||NAME||FILE7\r{message}BHS|^~\\&|A|B|C|D|2026||NAME||B9\r{message}BTS|1\rFTS|2\r"
    assert hl7.split(file.encode()).origins == ["FILE7", "B9"]


def test_problems_name_their_batch_when_there_are_several():
    """With two batches in a file it is said which of them is wrong."""
    body = b"BHS|^~\\&|\rMSH|^~\\&|A\rBTS|1\rBHS|^~\\&|\rMSH|^~\\&|A\rBTS|5\r"
    assert hl7.split(body).problems == ["batch 2: BTS-1 says 5, found 1"]


def test_counts_are_read_with_the_files_own_separator():
    """BTS#2# claims two; an empty count claims nothing; an endless one is no number."""
    message = b"MSH#!@%*#A#B\r"
    assert hl7.split(b"BHS#!@%*#\r" + message + b"BTS#2#done\r").problems == ["BTS-1 says 2, found 1"]
    assert hl7.split(b"BHS#!@%*#\r" + message + b"BTS##done\r").problems == []
    assert hl7.split(b"BHS#!@%*#\r" + message + b"BTS#" + b"9" * 5000 + b"\r").problems == ["BTS-1 is not a number"]
    assert hl7.split(b"BHS#!@%*#\r" + message + b"BTS# 01 #\r").problems == []


@pytest.mark.parametrize("name", ["dft_p03_v251", "dirty_bom", "dirty_line_ends_crlf", "dirty_no_last_line_end"])
def test_a_single_message_is_returned_as_it_came(name):
    """The bytes that are stored are the bytes that were sent, byte order mark and line ends included."""
    assert hl7.split(fixture(name)).messages == [fixture(name)]


def test_framing_and_blank_lines_are_no_part_of_a_message():
    """The same message has the same bytes in a frame, in a file and alone, so that a resend is recognised."""
    raw = fixture("dft_p03_v251")
    for body in (b"\x0b" + raw + b"\x1c\r", raw + b"\r\n\r\n", b"\r\n " + raw, raw + b"\x1c", raw + raw + raw):
        assert set(hl7.split(body).messages) == {raw}


def test_nothing_is_thrown_away():
    """What belongs to no message becomes a member, to be stored and refused, and is told."""
    batch = hl7.split(b"HELLO\rMSH|^~\\&|A\rPID|1\rBTS|1\rLOST|1\r")
    assert batch.messages == [b"HELLO\r", b"MSH|^~\\&|A\rPID|1\r", b"LOST|1\r"]
    assert batch.problems == [
        "segments without an MSH before the first MSH",
        "BTS without BHS",
        "BTS-1 says 1, found 2",
        "segments without an MSH after BTS",
    ]


def test_a_word_that_begins_like_a_header_is_text():
    """MSHX, "MSH was" and MSH inside a line begin no message."""
    raw = b"MSH|^~\\&|A\rNTE|1||MSH|x\rMSHX|1\rMSH was lost\rBTS2|1\r"
    assert hl7.split(raw).messages == [raw]


_PIECES = st.sampled_from(
    [
        b"MSH|^~\\&|A|B\r",
        b"PID|1\r",
        b"FHS|^~\\&|A\r",
        b"BHS|^~\\&|A\r",
        b"BTS|1\r",
        b"FTS|1\r",
        b"\x0b",
        b"\x1c\r",
        b"\r\n",
        b"  ",
        b"\xef\xbb\xbf",
        b"text",
        b"MSH",
        b"\x00",
        b"BTS|",
    ]
)


@UNHURRIED
@example(b"BTS|MSH|^~\\&|A|B\r")
@example(b"BTS|\x0bPID|1\r")
@given(st.lists(_PIECES, max_size=30).map(b"".join))
def test_members_are_slices_in_order_and_every_header_is_in_one(body):
    """Whatever the heap: members follow one another in the input, and no MSH is lost or doubled."""
    batch = hl7.split(body)
    position = 0
    for member in batch.messages:
        position = body.index(member, position) + len(member)
    assert len(batch.messages) == len(batch.origins)
    for name in (b"MSH|", b"PID|"):
        in_members = sum(member.count(name) for member in batch.messages)
        assert in_members + _in_batch_segments(body, name) == body.count(name)


def _in_batch_segments(body: bytes, name: bytes) -> int:
    """How often a name stands in the line of an FHS, BHS, BTS or FTS itself, where it is a value and no segment."""
    lines = body.replace(b"\n", b"\r").replace(b"\x0b", b"\r").replace(b"\x1c", b"\r").split(b"\r")
    begins = [line.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t") for line in lines]
    return sum(line.count(name) for line in begins if line[:3] in {b"FHS", b"BHS", b"BTS", b"FTS"})


@UNHURRIED
@given(st.binary(max_size=300))
def test_any_bytes_can_be_split(body):
    """split() never raises, and gives nothing only when there is nothing."""
    batch = hl7.split(body)
    assert bool(batch.messages) == bool(body.strip(b"\r\n\x0b\x1c \t\x00\xef\xbb\xbf")) or batch.problems
