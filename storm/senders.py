"""The billing platform in the storm: connections that send in order, wait, and send the same bytes again."""

import asyncio
import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.billing.messages import Made
from sandbox.mllp import END, MAX_FRAME, START, Ack, NotMllp, frame, read_ack

ANSWER_S = 3.0
PAUSE_S = 0.3
# Unanswered so often, bytes in which no control id can be read are given up: nobody could match an answer to them.
GARBAGE_TRIES = 3
LATER = {"AE", "CE"}
WEB_SHARE = 3  # one account in so many, of the one hospital that may, is sent over HTTP


@dataclass(frozen=True, slots=True)
class Web:
    """The HTTP door: of which hospital it is, where, and the key to it."""

    facility: str
    port: int
    path: str
    key: str


class Feed:
    """All connections, and the ledger that they write: one JSON line for each message that found its end."""

    def __init__(
        self, made: Sequence[Made], port: int, ledger: Path, *, connections: int, rate: float, web: "Web | None" = None
    ) -> None:
        self.made, self.port, self.rate = made, port, rate
        self.answers: Counter[str] = Counter()
        self.sent = self.ended = self.resent = self.strange = 0
        self._ledger = ledger.open("w", buffering=1, encoding="utf-8")
        self._lines = [Line(self) for _ in range(connections)]
        self._web = None if web is None else WebLine(self, web)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to send; an account's messages go over one connection, each after the one before was answered."""
        lines = [*self._lines, *filter(None, [self._web])]
        self._tasks = [asyncio.ensure_future(line.run()) for line in lines]
        self._tasks.append(asyncio.ensure_future(self._dispatch()))

    async def _dispatch(self) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for number, one in enumerate(self.made):
            await asyncio.sleep(max(0.0, begun + number / self.rate - loop.time()))
            self._line(one).queue.put_nowait(one)

    def _line(self, one: Made) -> "Line":
        """An account keeps to one road, so that its order is kept."""
        number = zlib.crc32(one.account.encode())
        if self._web is not None and one.facility == self._web.web.facility and number % WEB_SHARE == 0:
            return self._web
        return self._lines[number % len(self._lines)]

    async def stop(self) -> None:
        """Hang up."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._ledger.close()

    def write(self, one: Made, answer: str, attempts: int) -> None:
        """Record how a message ended: its last answer, "" where there was none."""
        self.ended += 1
        self.answers[answer] += 1
        entry = {
            "control_id": one.control_id, "sha256": hashlib.sha256(one.raw).hexdigest(), "facility": one.facility,
            "account": one.account, "kind": one.kind, "answer": answer, "attempts": attempts,
            "raw": one.raw.decode("latin-1"),
        }  # fmt: skip
        self._ledger.write(json.dumps(entry) + "\n")


class Line:
    """One connection with one message in flight."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.queue: asyncio.Queue[Made] = asyncio.Queue()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def run(self) -> None:
        """Deliver until cancelled."""
        try:
            while True:
                await self._deliver(await self.queue.get())
        finally:
            self._hang_up()

    async def _deliver(self, one: Made) -> None:
        self.feed.sent += 1
        attempts, answer = 0, ""
        while True:
            attempts += 1
            self.feed.resent += attempts > 1
            ack = await self._attempt(one)
            if ack is not None and ack.code not in LATER:
                answer = ack.code
                break
            if one.kind == "poison:garbage" and attempts >= GARBAGE_TRIES:
                break
            await asyncio.sleep(PAUSE_S)
        self.feed.write(one, answer, attempts)

    async def _attempt(self, one: Made) -> Ack | None:
        """Send the bytes once; None without an answer, and then the connection is closed."""
        try:
            reader, writer = await self._connection()
            writer.write(frame(one.raw))
            await writer.drain()
            return await asyncio.wait_for(self._answer(reader, one), ANSWER_S)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, NotMllp):
            self._hang_up()
            return None

    async def _answer(self, reader: asyncio.StreamReader, one: Made) -> Ack:
        """The answer to this message; those to another are counted and passed over."""
        while True:
            raw = await reader.readuntil(END)
            ack = read_ack(raw[: -len(END)].lstrip(START))
            if ack.control_id == one.control_id or one.kind.startswith("poison"):
                return ack
            self.feed.strange += 1

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is not None and (self._streams[0].at_eof() or self._streams[1].is_closing()):
            self._hang_up()
        if self._streams is None:
            opening = asyncio.open_connection("127.0.0.1", self.feed.port, limit=MAX_FRAME)
            self._streams = await asyncio.wait_for(opening, ANSWER_S)
        return self._streams

    def _hang_up(self) -> None:
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None


class WebLine(Line):
    """The same over HTTP: a connection for each attempt."""

    def __init__(self, feed: Feed, web: Web) -> None:
        super().__init__(feed)
        self.web = web

    async def _attempt(self, one: Made) -> Ack | None:
        """Post the bytes once; None without an acknowledgement (503, or no answer at all)."""
        web = self.web
        head = (
            f"POST {web.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {web.key}\r\n"
            f"Content-Type: x-application/hl7-v2+er7\r\nContent-Length: {len(one.raw)}\r\nConnection: close\r\n\r\n"
        )
        writer = None
        try:
            reader, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", web.port), ANSWER_S)
            writer.write(head.encode("ascii") + one.raw)
            answer = await asyncio.wait_for(reader.read(), ANSWER_S)
            return read_ack(answer.partition(b"\r\n\r\n")[2])
        except (OSError, TimeoutError, NotMllp):
            return None
        finally:
            if writer is not None:
                writer.transport.abort()
