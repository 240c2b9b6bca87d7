"""MLLP as the stand-ins speak it: frames from any pieces, acknowledgements of any version, and the echo."""

import socket
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.mllp import Ack, Frames, NotMllp, control_id, frame, read_ack
from tests.sandbox.processes import Program

MESSAGE = st.binary(max_size=40).filter(lambda raw: b"\x1c\r" not in raw and not raw.endswith(b"\x1c"))


@given(st.lists(MESSAGE, max_size=5), st.data())
def test_messages_come_whole_from_any_pieces(messages: list[bytes], data: st.DataObject) -> None:
    """However the bytes are cut, the same messages come out, in order."""
    wire = b"".join(map(frame, messages))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=6)))
    frames, found = Frames(), []
    for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True):
        found += frames.feed(wire[start:end])
    assert found == messages


@pytest.mark.parametrize(
    "wire", [b"MSH|", b"GET / HTTP/1.1\r\n", b"\x0bone\x1c\rtwo\x1c\r", b"\x1c\r", b"\x0b\x1c\r\x1c\r"]
)
def test_bytes_outside_a_frame_are_refused(wire: bytes) -> None:
    """What does not begin with 0x0B is no frame."""
    with pytest.raises(NotMllp):
        Frames().feed(wire)


@pytest.mark.parametrize(
    ("message", "ack"),
    [
        (b"MSH|^~\\&|A\rMSA|AA|ID1\r", Ack("AA", "ID1")),
        (b"MSH|^~\\&|A\nMSA|CA|ID1|text\n", Ack("CA", "ID1")),
        (b"MSH|^~\\&|A\rMSA|AE|ID1\rERR||PID^1^3|207^x^HL70357|E\r", Ack("AE", "ID1", "207")),
        (b"MSH|^~\\&|A\rMSA|AE|ID1\rERR|PID^1^3^206&x&HL70357\r", Ack("AE", "ID1", "206")),
        (b"MSH|^~\\&|A\rMSA|AE|ID1\rERR||\r", Ack("AE", "ID1")),
        (b"MSH#!@%*#A\rMSA#AR#ID1\rERR###200!x#E\r", Ack("AR", "ID1", "200")),
    ],
)
def test_acknowledgements_of_any_version_are_read(message: bytes, ack: Ack) -> None:
    """The code, the control id and the first error code, wherever the version has them."""
    assert read_ack(message) == ack
    assert ack.accepted == (ack.code in ("AA", "CA"))


@pytest.mark.parametrize("message", [b"", b"MSA|AA|1", b"MSH|^~\\&|A\r", b"MSH|^~\\&|A\rMSA|AA\r"])
def test_what_is_no_acknowledgement_is_refused(message: bytes) -> None:
    """Without MSH, MSA-1 and MSA-2 there is nothing to believe."""
    with pytest.raises(NotMllp):
        read_ack(message)


@pytest.mark.parametrize("message", [b"", b"PID|1", b"MSH|^~\\&|A|B|C"])
def test_a_message_without_a_control_id_has_none(message: bytes) -> None:
    """MSH-10 is needed, else nobody can be answered."""
    with pytest.raises(NotMllp):
        control_id(message)


def test_the_echo_acknowledges_every_message_by_its_own_id(run: Callable[..., Program]) -> None:
    """Three messages in odd pieces get three AA; what is no MLLP gets the connection closed; SIGTERM ends it well."""
    echo = run("sandbox.echo")
    port = int(echo.line_with("ready on").rpartition(":")[2])
    wire = b"".join(frame(b"MSH|^~\\&|A|B|C|D|20261122||DFT^P03|ID%d|P|2.5\rPID|\r" % number) for number in range(3))
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(wire[:100])
        connection.sendall(wire[100:])
        answers = b""
        while answers.count(b"\x1c\r") < 3:
            answers += connection.recv(65536)
        assert [read_ack(each) for each in Frames().feed(answers)] == [Ack("AA", f"ID{number}") for number in range(3)]
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert connection.recv(65536) == b""
    assert echo.stop() == 0
    assert "closing a connection" in echo.complaints[-1]
