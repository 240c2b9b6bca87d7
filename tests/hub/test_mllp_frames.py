"""MLLP framing, by table and by property: bytes in any pieces, whole messages out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.listener.frames import MAX_GARBAGE, Framer, FrameTooLargeError, GarbageError, frame

A, B = b"MSH|^~\\&|A\rPID|1\r", b"MSH|^~\\&|B\r"


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (frame(A), [A]),
        (frame(A) + frame(B), [A, B]),
        (b"garbage" + frame(A), [A]),
        (b"\r\n" + frame(A) + b"\r\n" + frame(B) + b"\n", [A, B]),
        (b"\x0b" + A + b"\x1c" + frame(B), [A, B]),  # an end block without its CR
        (b"\x0b" + A + b"\x1c\n" + frame(B), [A, B]),  # LF for CR
        (b"\x0b" + A[:12] + frame(B), [B]),  # cut off, then a new frame
        (b"\x0b" + A[:12] + b"\x0bBHS|x" + A + b"\x1c\r", [b"BHS|x" + A]),
        (frame(b"MSH|^~\\&|\x1cA"), [b"MSH|^~\\&|\x1cA"]),  # half an end block inside a message
        (frame(b"MSH|\x0bA"), [b"MSH|\x0bA"]),  # a start block that starts nothing
        (frame(b""), [b""]),
        (b"\x0b" + A, []),  # truncated
        (b"MSH|no start block\x1c\r", []),
        (b"\x0b" + A + b"\x1c", []),  # the end block is half there
    ],
)
def test_F_M3_frames_come_out_whole_whatever_the_pieces(data, found):
    """In one piece, or byte by byte: the same messages, and never a part of one."""
    whole, single = Framer(1000), Framer(1000)
    assert whole.feed(data) == found
    assert [one for byte in data for one in single.feed(bytes([byte]))] == found


@given(
    st.lists(st.binary(max_size=60).filter(lambda one: not {0x0B, 0x1C} & set(one)), max_size=6),
    st.lists(st.integers(1, 40), min_size=1),
)
def test_F_M3_any_cut_gives_the_same_messages(messages, cuts):
    """However the network cuts the stream, the messages are those that were sent."""
    stream = b"".join(map(frame, messages))
    framer = Framer(1000)
    found, start, turn = [], 0, 0
    while start < len(stream):
        size = cuts[turn % len(cuts)]
        found += framer.feed(stream[start : start + size])
        start, turn = start + size, turn + 1
    assert found == messages
    assert not framer.partial
    assert len(framer) == 0


@given(st.lists(st.binary(min_size=1, max_size=200), max_size=20))
def test_S_14_no_bytes_break_the_framer(pieces):
    """Whatever comes in, only the two named errors come out, and nothing longer than the limit is kept."""
    framer = Framer(300)
    for piece in pieces:
        try:
            framer.feed(piece)
        except (FrameTooLargeError, GarbageError):
            return
        assert len(framer) <= 302


def test_F_M4_an_endless_frame_is_ended_at_the_limit():
    """A frame without end is dropped as soon as it is too long, with its beginning to answer by."""
    framer = Framer(1000)
    framer.feed(b"\x0bMSH|^~\\&|" + b"A" * 900)
    with pytest.raises(FrameTooLargeError) as caught:
        framer.feed(b"B" * 200)
    assert caught.value.head.startswith(b"MSH|^~\\&|AAA")


def test_F_M4_a_frame_that_comes_at_once_has_the_same_limit():
    """The quick way for a frame in one read does not forget the limit; a frame of just that size is taken."""
    assert Framer(1000).feed(frame(b"A" * 1000)) == [b"A" * 1000]
    with pytest.raises(FrameTooLargeError):
        Framer(1000).feed(frame(b"A" * 1001))


def test_F_M4_endless_garbage_is_ended():
    """Who never sends a start block does not speak MLLP."""
    framer = Framer(1000)
    framer.feed(b"G" * MAX_GARBAGE)
    with pytest.raises(GarbageError):
        framer.feed(b"G")


def test_cut_off_frames_are_counted():
    """What was dropped is told: how many frames never ended and how many bytes belonged to none."""
    framer = Framer(1000)
    framer.feed(b"xyz\x0bMSH|1\x0bMSH|2" + frame(A))
    assert (framer.cut_off, framer.garbage) == (2, 3)
