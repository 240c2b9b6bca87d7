"""A TCP proxy that misbehaves on request: RST, black holes, duplicates, latency. Counts what it did."""

import asyncio
import socket
import struct
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

CHUNK = 65536
UP, DOWN = "up", "down"
# What a request begins with: only whole ones are sent twice, as by a middlebox that retries.
BEGINNINGS = (b"\x0b", b"POST ", b"GET ")


@dataclass(eq=False)
class Pair:
    """One connection of a client and its own connection to the server."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    swallowed: set[str] = field(default_factory=set)  # directions in which bytes were lost: they stay lost
    shadow: asyncio.StreamWriter | None = None

    def cut(self) -> None:
        """Reset both sides: what is under way in either direction is lost."""
        for writer in filter(None, (self.client, self.server, self.shadow)):
            reset(writer)


def reset(writer: asyncio.StreamWriter) -> None:
    """Close at once with RST instead of FIN."""
    sock = writer.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Proxy:
    """Listens at `port`, speaks to `upstream`. Its modes are plain attributes that the storm sets."""

    def __init__(self, port: int, upstream: int) -> None:
        self.port, self.upstream = port, upstream
        self.latency_s = 0.0
        self.swallow: frozenset[str] = frozenset()
        self.doubling = False
        self.hits: Counter[str] = Counter()
        self._pairs: set[Pair] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    async def stop(self) -> None:
        """Listen no more; open connections are cut."""
        if self._server is not None:
            self._server.close()
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> int:
        """Reset every connection; how many there were."""
        pairs = list(self._pairs)
        for pair in pairs:
            pair.cut()
        self.hits["cut"] += len(pairs)
        return len(pairs)

    def heal(self) -> None:
        """An ordinary proxy again; connections that lost bytes are reset, nothing would ever arrive on them."""
        self.latency_s, self.swallow, self.doubling = 0.0, frozenset(), False
        for pair in [pair for pair in self._pairs if pair.swallowed]:
            pair.cut()

    def _keep(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._keep(asyncio.ensure_future(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.upstream)
        except OSError:
            reset(writer)
            return
        pair = Pair(writer, up_writer)
        self._pairs.add(pair)
        pumps = [
            asyncio.ensure_future(self._pump(pair, UP, reader, up_writer)),
            asyncio.ensure_future(self._pump(pair, DOWN, up_reader, writer)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            self._pairs.discard(pair)
            for each in filter(None, (writer, up_writer, pair.shadow)):
                each.close()

    async def _pump(
        self, pair: Pair, direction: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            while data := await reader.read(CHUNK):
                if self.latency_s:
                    self.hits["latency"] += 1
                    await asyncio.sleep(self.latency_s)
                if direction in self.swallow or direction in pair.swallowed:
                    pair.swallowed.add(direction)
                    self.hits["blackhole"] += 1
                    continue
                if direction == UP:
                    await self._double(pair, data)
                writer.write(data)
                await writer.drain()
            if pair.swallowed:  # a black hole does not tell anybody that the other side hung up
                await asyncio.Event().wait()
        except OSError:
            return

    async def _double(self, pair: Pair, data: bytes) -> None:
        """While doubling, a connection's requests go a second time, on a connection whose answers nobody reads."""
        if pair.shadow is None:
            if not (self.doubling and data.startswith(BEGINNINGS)):
                return
            reader, pair.shadow = await asyncio.open_connection("127.0.0.1", self.upstream)
            self._keep(asyncio.ensure_future(_discard(reader)))
        if not self.doubling and data.startswith(BEGINNINGS):
            pair.shadow.close()
            pair.shadow = None
            return
        self.hits["duplicate"] += data.startswith(BEGINNINGS)
        pair.shadow.write(data)


async def _discard(reader: asyncio.StreamReader) -> None:
    try:
        while await reader.read(CHUNK):
            pass
    except OSError:
        return
