"""One MLLP connection of the feed: one message in flight, sent again until somebody answers for it."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sandbox.billing.ledger import ClientLedger
from sandbox.billing.messages import Made
from sandbox.mllp import END, MAX_FRAME, START, Ack, NotMllp, frame, read_ack

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0
QUEUE = 20
# AE and CE mean "not now" only with these errors (table 0357: record locked, internal error), or with none named.
FOR_NOW = {"", "206", "207"}


@dataclass(frozen=True, slots=True)
class Target:
    """Where to send, and how long to wait for an answer before the same bytes go out again."""

    host: str
    port: int
    timeout_s: float


@dataclass(slots=True)
class Counts:
    """What all connections together saw."""

    acks: Counter[str] = field(default_factory=Counter)  # how each message ended
    failures: Counter[str] = field(default_factory=Counter)  # attempts without an answer, by the reason
    resent: int = 0
    connections: int = 0


class Sender:
    """Takes messages from its queue, in order, and does not go on before each one is answered for good."""

    def __init__(self, target: Target, ledger: ClientLedger, counts: Counts) -> None:
        self.queue: asyncio.Queue[Made] = asyncio.Queue(QUEUE)
        self._target = target
        self._ledger = ledger
        self._counts = counts
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def run(self) -> None:
        """Deliver until cancelled. A message that is in flight then is recorded as unanswered."""
        try:
            while True:
                made = await self.queue.get()
                await self._deliver(made)
                self.queue.task_done()
        finally:
            self._disconnect()

    async def _deliver(self, made: Made) -> None:
        first_sent = datetime.now(UTC)
        attempts, ack, pause = 0, None, FIRST_PAUSE_S
        try:
            while ack is None or (ack.code in ("AE", "CE") and ack.error in FOR_NOW):
                if attempts:
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, LONGEST_PAUSE_S)
                attempts += 1
                self._counts.resent += attempts > 1
                ack = await self._attempt(made)
        finally:
            self._ledger.write(made, ack, attempts, first_sent)
            if ack is not None:
                self._counts.acks[ack.code] += 1

    async def _attempt(self, made: Made) -> Ack | None:
        """Send the bytes once. Returns None if there was no answer; the connection is closed then.

        Closed, because an answer that comes late must not be taken for that of the next message.
        """
        try:
            reader, writer = await self._connection()
            writer.write(frame(made.raw))
            await writer.drain()
            raw = await asyncio.wait_for(reader.readuntil(END), self._target.timeout_s)
            ack = read_ack(raw[: -len(END)].lstrip(START))
            if ack.control_id != made.control_id:
                raise NotMllp("the acknowledgement is for another message")
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, NotMllp) as error:
            self._counts.failures[type(error).__name__] += 1
            self._disconnect()
            return None
        return ack

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return the connection, making it if there is none."""
        if self._streams is not None and (self._streams[0].at_eof() or self._streams[1].is_closing()):
            self._disconnect()
        if self._streams is None:
            opening = asyncio.open_connection(self._target.host, self._target.port, limit=MAX_FRAME)
            self._streams = await asyncio.wait_for(opening, self._target.timeout_s)
            self._counts.connections += 1
        return self._streams

    def _disconnect(self) -> None:
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None
