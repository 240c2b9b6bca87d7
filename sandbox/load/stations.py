"""One connection of the load generator: one message in flight, its latency taken, its answer counted."""

from __future__ import annotations

import asyncio
import time
from array import array
from collections import Counter
from typing import Protocol, TextIO, cast

from sandbox.mllp import END

RECONNECT_S = 0.2
RETRY_S = 0.1
FINAL_ANSWERS = {b"AA", b"CA", b"AR", b"CR"}


class Tally:
    """What all connections together saw. Times are seconds."""

    def __init__(self, sent_log: TextIO | None = None) -> None:
        self.latencies = array("d")  # from the intended time of sending to the answer
        self.lateness = array("d")  # from the intended to the real time of sending
        self.answers: Counter[bytes] = Counter()
        self.finals: Counter[bytes] = Counter()
        self.strange = 0
        self.resent = 0
        self.reconnects = 0
        self.last_answer = 0.0
        self.sent_log = sent_log

    def log(self, control_id: bytes, sent: float, answered: float, code: bytes) -> None:
        """Write a line of the sent log: control id, time of sending and of the answer (Unix seconds), answer."""
        if self.sent_log is not None:
            ahead = time.time() - time.perf_counter()
            self.sent_log.write(f"{control_id.decode()}\t{sent + ahead:.6f}\t{answered + ahead:.6f}\t{code.decode()}\n")


class Source(Protocol):
    """Where a station gets its work."""

    def ready(self, station: Station) -> None:
        """Take note that a station is idle: give it a message now or later."""

    def lost(self, station: Station) -> None:
        """Take note that a station lost its connection."""


class Station(asyncio.Protocol):
    """A connection that sends a message and waits for its answer, over and over."""

    def __init__(self, source: Source, tally: Tally, retries: int) -> None:
        self._source = source
        self._tally = tally
        self._retries = retries
        self._received = b""
        self._frame = b""
        self._control_id = b""
        self._intended = 0.0
        self._sent = 0.0
        self._attempts = 0
        self._transport: asyncio.Transport | None = None

    @property
    def waiting_since(self) -> float | None:
        """Return when the message in flight was last sent, or None if there is none."""
        return self._sent if self._frame else None

    def send(self, frame: bytes, control_id: bytes, intended: float) -> None:
        """Send a message; `intended` is when it should have been sent."""
        self._frame, self._control_id, self._intended = frame, control_id, intended
        self._attempts = 0
        now = time.perf_counter()
        self._tally.lateness.append(now - intended)
        self._write(now)

    def give_up_connection(self) -> None:
        """Tear the connection down, because the receiver does not answer."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._received = b""
        if self._frame:
            self._tally.resent += 1
            self._write(time.perf_counter())
        else:
            self._source.ready(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._source.lost(self)

    def data_received(self, data: bytes) -> None:
        if self._received:
            data = self._received + data
        if not data.endswith(END):
            self._received = data
            return
        self._received = b""
        now = time.perf_counter()
        place = data.find(b"\rMSA|")
        code = data[place + 5 : place + 7]
        if place < 0 or not data.startswith(self._control_id, place + 8) or not self._frame:
            self._tally.strange += 1
            self.give_up_connection()
            return
        self._tally.answers[code] += 1
        if code not in FINAL_ANSWERS and self._attempts < self._retries:
            self._attempts += 1
            asyncio.get_running_loop().call_later(RETRY_S, self._resend)
            return
        self._conclude(code, now)

    def _conclude(self, code: bytes, now: float) -> None:
        tally = self._tally
        tally.finals[code] += 1
        tally.latencies.append(now - self._intended)
        tally.last_answer = now
        tally.log(self._control_id, self._sent, now, code)
        self._frame = b""
        self._source.ready(self)

    def _resend(self) -> None:
        """Send the same bytes again after a refusal for now; if the connection is gone its successor does it."""
        if self._transport is not None and self._frame:
            self._tally.resent += 1
            self._write(time.perf_counter())

    def _write(self, now: float) -> None:
        self._sent = now
        if self._transport is not None:
            self._transport.write(self._frame)
