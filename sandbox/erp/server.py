"""A small HTTP/1.1 server on asyncio.Protocol: keep-alive, Content-Length bodies, one request at a time.

By hand, because it has to leave nearly all of the machine to the product that is being measured against it.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import cast

from sandbox.erp.errors import Refused
from sandbox.erp.messages import MAX_HEAD, Head, Request, Response, inflated, read_head, reply_refused

IDLE_S = 120.0
REQUEST_S = 30.0


@dataclass(frozen=True, slots=True)
class Reset:
    """Instead of an answer: the connection is torn down with a TCP reset."""


@dataclass(frozen=True, slots=True)
class Hang:
    """Instead of an answer: silence for so long, then a reset."""

    seconds: float


Outcome = Response | Reset | Hang
# Answers at once, or later (a fault that delays, a long query in another thread).
Handler = Callable[[Request], Outcome | Awaitable[Outcome]]


class OpenConnections:
    """The connections of a server, and a way to wait until there are none."""

    def __init__(self) -> None:
        self.all: set[HttpConnection] = set()
        self.none_left = asyncio.Event()
        self.none_left.set()

    def add(self, connection: HttpConnection) -> None:
        """Count a connection in."""
        self.all.add(connection)
        self.none_left.clear()

    def remove(self, connection: HttpConnection) -> None:
        """Count a connection out."""
        self.all.discard(connection)
        if not self.all:
            self.none_left.set()


class HttpConnection(asyncio.Protocol):
    """One connection of a client."""

    def __init__(self, handler: Handler, open_connections: OpenConnections) -> None:
        self._handler = handler
        self._open_connections = open_connections
        self._buffer = bytearray()
        self._head: Head | None = None
        self._task: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport
        self._deadline: asyncio.TimerHandle | None = None
        self._receiving = False
        self._draining = False
        self._closed = False

    @property
    def busy(self) -> bool:
        """Tell whether a request is being answered."""
        return self._task is not None

    def drain(self) -> None:
        """Close as soon as the request under way is answered."""
        self._draining = True
        if not self.busy:
            self._close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's transports are no subclasses of it
        self._open_connections.add(self)
        self._wait_for_client(IDLE_S)

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed = True
        self._open_connections.remove(self)
        self._stop_timer()
        if self._task is not None:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self.busy:
            if len(self._buffer) > MAX_HEAD:  # a pipelined request waits in the kernel, not in our memory
                self._transport.pause_reading()
            return
        self._read_requests()

    def _read_requests(self) -> None:
        """Answer the requests that are complete in the buffer, one after the other."""
        while self._buffer and not self.busy and not self._closed:
            try:
                request = self._next_request()
            except (
                Refused
            ) as refused:  # after a request that we could not read there is no telling where the next begins
                self._send(reply_refused(refused), keep_alive=False)
                return
            if request is None:
                return
            self._answer(request)

    def _next_request(self) -> Request | None:
        """Take one whole request out of the buffer, or return None if it is not all there."""
        if self._head is None:
            end = self._buffer.find(b"\r\n\r\n", 0, MAX_HEAD + 4)
            if end < 0:
                if len(self._buffer) > MAX_HEAD:
                    raise Refused(431, "head_too_large", f"the request's head is larger than {MAX_HEAD} bytes")
                self._wait_for_rest()
                return None
            self._head = read_head(bytes(self._buffer[:end]))
            del self._buffer[: end + 4]
            if self._head.headers.get("expect", "").lower() == "100-continue":
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        head = self._head
        if len(self._buffer) < head.length:
            self._wait_for_rest()
            return None
        body = bytes(self._buffer[: head.length])
        del self._buffer[: head.length]
        self._head = None
        return Request(head, inflated(head, body))

    def _answer(self, request: Request) -> None:
        self._stop_timer()
        self._receiving = False
        outcome = self._handler(request)
        if isinstance(outcome, Awaitable):
            self._task = asyncio.ensure_future(self._answer_later(outcome, request.head.keep_alive))
        else:
            self._conclude(outcome, keep_alive=request.head.keep_alive)

    async def _answer_later(self, outcome: Awaitable[Outcome], keep_alive: bool) -> None:
        try:
            concluded = await outcome
        except Exception:  # noqa: BLE001 - the outer door of answers that take their time
            traceback.print_exc(file=sys.stderr)
            concluded = Reset()
        if isinstance(concluded, Hang):
            await asyncio.sleep(concluded.seconds)
            concluded = Reset()
        self._task = None
        self._conclude(concluded, keep_alive=keep_alive)
        if not self._closed:
            self._transport.resume_reading()
            self._read_requests()

    def _conclude(self, outcome: Outcome, *, keep_alive: bool) -> None:
        if isinstance(outcome, Response):
            self._send(outcome, keep_alive=keep_alive and not self._draining)
        else:
            self._reset()

    def _send(self, response: Response, *, keep_alive: bool) -> None:
        self._transport.write(response.wire(keep_alive=keep_alive))
        if keep_alive:
            self._wait_for_client(IDLE_S)
        else:
            self._close()

    def _close(self) -> None:
        self._closed = True
        self._transport.close()

    def _reset(self) -> None:
        """Close with a TCP reset, so that the client cannot take it for an orderly end."""
        self._closed = True
        connection: socket.socket = self._transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def _wait_for_client(self, seconds: float) -> None:
        """Give the client so long for its next step."""
        self._stop_timer()
        self._deadline = asyncio.get_running_loop().call_later(seconds, self._close)

    def _wait_for_rest(self) -> None:
        """Give the client so long for a whole request, counted from its first byte: dripping does not buy time."""
        if not self._receiving:
            self._receiving = True
            self._wait_for_client(REQUEST_S)

    def _stop_timer(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class HttpServer:
    """Listens, and stops in good order."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._connections = OpenConnections()
        self._server: asyncio.Server

    async def start(self, host: str, port: int) -> int:
        """Begin to listen. Returns the port (a free one if 0 was asked for). Raises OSError if the port is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: HttpConnection(self._handler, self._connections), host, port)
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def stop(self, patience_s: float = 5.0) -> None:
        """Take no new connections, let requests under way be answered, then close."""
        self._server.close()
        for connection in list(self._connections.all):
            connection.drain()
        try:
            await asyncio.wait_for(self._connections.none_left.wait(), patience_s)
        except TimeoutError:
            print(f"sandbox.erp: {len(self._connections.all)} connections did not end in time", file=sys.stderr)
