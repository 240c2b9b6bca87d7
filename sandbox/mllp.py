"""MLLP as the stand-ins speak it: frames around messages, and what an acknowledgement says (HL7 v2.5.1 ch. 2.9)."""

from __future__ import annotations

from dataclasses import dataclass

START = b"\x0b"
END = b"\x1c\r"
MAX_FRAME = 16 * 1024 * 1024


class NotMllp(Exception):
    """The other side sent something that is no MLLP frame, or no acknowledgement."""


@dataclass(frozen=True, slots=True)
class Ack:
    """The answer to one message: MSA-1, MSA-2, and the first error code (ERR-3, in old versions ERR-1.4)."""

    code: str
    control_id: str
    error: str = ""

    @property
    def accepted(self) -> bool:
        """Tell whether the receiver has taken the message over."""
        return self.code in ("AA", "CA")


def frame(message: bytes) -> bytes:
    """Return a message as it goes over the wire."""
    return START + message + END


class Frames:
    """Puts messages together from whatever pieces arrive."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Take in bytes and return the messages that they complete. Raises NotMllp on what cannot be a frame."""
        if not self._buffer and data.startswith(START) and data.find(END) == len(data) - len(END) > 0:
            return [data[1:-2]]  # the usual case: one whole frame in one piece
        *complete, self._buffer = (self._buffer + data).split(END)
        if len(self._buffer) > MAX_FRAME:
            raise NotMllp(f"more than {MAX_FRAME} bytes without an end")
        if not all(piece.startswith(START) for piece in complete) or self._buffer[:1] not in (b"", START):
            raise NotMllp("a frame must begin with 0x0B")
        return [piece[1:] for piece in complete]


def read_ack(message: bytes) -> Ack:
    """Read an acknowledgement. Raises NotMllp if there is no MSH or no MSA in it."""
    segments = message.decode("latin-1").replace("\n", "\r").split("\r")
    if not segments[0].startswith("MSH") or len(segments[0]) < 8:
        raise NotMllp("an acknowledgement must begin with MSH")
    separator, component = segments[0][3], segments[0][4]
    fields = {segment[:3]: segment.split(separator) for segment in reversed(segments) if segment}
    msa = fields.get("MSA", [])
    if len(msa) < 3:
        raise NotMllp("an acknowledgement must have an MSA segment with MSA-1 and MSA-2")
    return Ack(code=msa[1], control_id=msa[2], error=_error(fields.get("ERR", []), component))


def _error(err: list[str], component: str) -> str:
    """Return the first error's code: ERR-3 since 2.5, before that the fourth component of ERR-1."""
    if len(err) > 3 and err[3]:
        return err[3].split(component)[0]
    location = err[1].split(component) if len(err) > 1 else []
    return location[3].split("&")[0] if len(location) > 3 else ""


def control_id(message: bytes) -> bytes:
    """Return MSH-10 as it stands. Raises NotMllp if there is no such field."""
    if not message.startswith(b"MSH") or len(message) < 8:
        raise NotMllp("a message must begin with MSH")
    head = message.split(b"\r", 1)[0].split(message[3:4], 10)
    if len(head) < 10:
        raise NotMllp("MSH has no field 10")
    return head[9]
