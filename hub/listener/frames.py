"""MLLP framing without a socket: bytes go in as they come, whole messages come out (HL7 v2, `0x0B message 0x1C 0x0D`).

Tolerated: bytes before a start block, an end block in pieces, several frames at once, an end block without its CR or
with LF where the next frame follows. A start block inside a frame means that the frame before it was cut off: what is
left of that one was never answered, so its sender sends it again, and no part of it is stored.
"""

import re

START = 0x0B
END = 0x1C
CR, LF = 0x0D, 0x0A
MAX_GARBAGE = 64 * 1024
_RESTART = re.compile(rb"\x0b(?=MSH|FHS|BHS)")


class FrameTooLargeError(Exception):
    """The frame under way is longer than the limit; `head` is its beginning, enough to answer by.

    `before` are the messages that the same bytes completed: they are as good as any other.
    """

    def __init__(self, head: bytes) -> None:
        super().__init__("frame too large")
        self.head = head
        self.before: list[bytes] = []


class GarbageError(Exception):
    """So many bytes without a start block that whoever sends them does not speak MLLP."""


def frame(message: bytes) -> bytes:
    """A message as it goes over the wire."""
    return b"\x0b" + message + b"\x1c\r"


class Framer:
    """The bytes of one connection, put together. Holds at most `limit` bytes and one read."""

    __slots__ = ("_buffer", "_inside", "_scanned", "cut_off", "garbage", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.garbage = 0  # bytes that belonged to no frame
        self.cut_off = 0  # frames that never ended
        self._buffer = bytearray()
        self._inside = False
        self._scanned = 0

    @property
    def partial(self) -> bool:
        """Whether a frame has begun and not ended."""
        return self._inside

    def __len__(self) -> int:
        return len(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that these bytes complete. Raises `FrameTooLargeError` and `GarbageError`: close then."""
        if not self._buffer and data[0] == START and data.find(b"\x1c") == len(data) - 2 and data[-1] == CR:
            return [self._whole(data[1:-2])]  # the ordinary case: one message, one read
        self._buffer += data
        found: list[bytes] = []
        try:
            while self._begin():
                end = self._end()
                if end is None:
                    break
                found.append(self._take(*end))
        except FrameTooLargeError as error:
            error.before = found
            raise
        return found

    def _begin(self) -> bool:
        """Move to the start block; False when there is none yet."""
        if self._inside:
            return True
        start = self._buffer.find(START)
        before = self._buffer if start < 0 else self._buffer[:start]
        self.garbage += len(before.strip(b"\r\n"))  # line ends between frames are a habit, not garbage
        if self.garbage > MAX_GARBAGE:
            raise GarbageError
        if start < 0:
            self._buffer.clear()
            return False
        del self._buffer[:start]
        self._inside, self._scanned = True, 1
        return True

    def _end(self) -> tuple[int, int] | None:
        """Where the message ends and where the next thing begins; None while the end has not come."""
        while True:
            end = self._buffer.find(END, self._scanned)
            if end < 0 or end + 1 == len(self._buffer):
                self._scanned = len(self._buffer) if end < 0 else end
                if len(self._buffer) > self.limit + 2:
                    raise FrameTooLargeError(bytes(self._buffer[1:65_536]))
                return None
            after = self._buffer[end + 1]
            if after in (CR, LF):
                return end, end + 2
            if after == START:
                return end, end + 1
            self._scanned = end + 1  # part of the message

    def _take(self, end: int, rest: int) -> bytes:
        message = bytes(self._buffer[1:end])
        del self._buffer[:rest]
        self._inside = False
        return self._whole(message)

    def _whole(self, message: bytes) -> bytes:
        if len(message) > self.limit:
            raise FrameTooLargeError(message[:65_536])
        if START in message:
            *cut, message = _RESTART.split(message)
            self.cut_off += len(cut)
        return message
