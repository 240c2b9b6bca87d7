"""The listener: opens the ports, lets senders in, watches deadlines, and leaves in good order."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor

import structlog
from django.db import connection

from hub.backlog import Backlog
from hub.errors import Permanent
from hub.listener import ports, tls
from hub.listener.connection import Connection
from hub.listener.limits import Limits
from hub.listener.ports import Port
from hub.listener.writer import AWAY, Writer

log = structlog.get_logger(__name__)
RELOAD_S = 2.0  # how long a change of an endpoint may take to reach an open port
SWEEP_S = 1.0


class Listener:
    """All ports of one process. `run` until `stop`; everything but the database happens in one event loop."""

    def __init__(self, host: str, only: Collection[int] = (), limits: Limits | None = None) -> None:
        self.host = host
        self.only = frozenset(only)
        self.limits = limits or Limits()
        self.backlog = Backlog()
        self.ports: dict[int, Port] = {}
        self.connections: set[Connection] = set()
        self.paused: set[Connection] = set()
        self.unfinished_bytes = 0
        self.writer: Writer
        self._peers: Counter[str] = Counter()
        self._told: set[int] = set()  # ports whose failure to open is in the log already
        self._stopped: asyncio.Event
        self._empty: asyncio.Event  # the last connection has gone while we leave
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="mllp-endpoints")  # its own database connection

    async def run(self, ready: asyncio.Event | None = None) -> None:
        """Serve until `stop` is called; returns when the last answer is out or the grace time is over."""
        self._stopped, self._empty = asyncio.Event(), asyncio.Event()
        self.writer = Writer(asyncio.get_running_loop(), self.limits, self.backlog)
        self.writer.after = self._resume_paused
        self.writer.start()
        tasks = [asyncio.create_task(self._watch_endpoints(ready)), asyncio.create_task(self._watch_deadlines())]
        waiting = asyncio.create_task(self._stopped.wait())
        try:
            # A watcher never ends by itself; if a bug ends one, the process ends too and its supervisor starts it anew.
            done, _ = await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in [waiting, *tasks]:
                task.cancel()
            await asyncio.gather(waiting, *tasks, return_exceptions=True)
            await self._leave()
        for task in done - {waiting}:
            task.result()

    def stop(self) -> None:
        """Take nothing more in, answer what is in flight, end. To be called in the event loop's thread."""
        self._stopped.set()

    def admit(self, new: Connection) -> str | None:
        """Count a connection in, or the reason why it is not let in."""
        address = new.peer.address
        if self._stopped.is_set():
            return "mllp_refused_stopping"
        if not new.port.entrance.admits(address):
            return "mllp_refused_peer"
        if len(self.connections) >= self.limits.total:
            return "mllp_refused_total"
        if self._peers[address] >= self.limits.per_peer:
            return "mllp_refused_per_peer"
        self.connections.add(new)
        self._peers[address] += 1
        return None

    def forget(self, gone: Connection) -> None:
        """Count a connection out."""
        if gone in self.connections:
            self.connections.remove(gone)
            self.paused.discard(gone)
            self._peers[gone.peer.address] -= 1
            if not self._peers[gone.peer.address]:
                del self._peers[gone.peer.address]
            if not self.connections and self._stopped.is_set():
                self._empty.set()

    def crowded(self) -> bool:
        """Whether so much waits for the commit that nothing more should be read for now."""
        return self.writer.waiting_bytes > self.limits.waiting_bytes

    def _resume_paused(self) -> None:
        if self.paused and not self.crowded():
            for paused in list(self.paused):
                paused.resume()

    async def _watch_deadlines(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            now = time.monotonic()
            for open_ in list(self.connections):
                why = open_.overdue(now)
                if why:
                    open_.hang_up(why)

    async def _watch_endpoints(self, ready: asyncio.Event | None) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                await self._open_and_close(await loop.run_in_executor(self._reader, self._load))
                if ready is not None:
                    ready.set()
            except AWAY as error:
                # The ports stay as they are: senders are told to send again until the database is back.
                log.warning("mllp_endpoints_unread", error=type(error).__name__)
            await asyncio.sleep(RELOAD_S)

    def _load(self) -> dict[int, Port]:
        try:
            self.backlog.refresh()
            return ports.load(self.only, self.host)
        except AWAY:
            connection.close()
            raise

    async def _open_and_close(self, wanted: dict[int, Port]) -> None:
        for number in self.ports.keys() - wanted.keys():
            self._close(self.ports.pop(number))
        for number, new in wanted.items():
            port = self.ports.setdefault(number, new)
            if port is not new:
                self._renew(port, new)
            if port.trouble:
                self._close(port)
            elif port.server is None:
                await self._open(port)

    def _renew(self, port: Port, new: Port) -> None:
        """Bring an open port up to date. Its connections see the new entrance with their next message."""
        if new.trouble and new.trouble != port.trouble:
            log.error("mllp_port_not_opened", port=port.number, host=self.host, why=new.trouble)
        port.entrance, port.trouble = new.entrance, new.trouble
        if port.files != new.files and port.server is not None:
            port.server.close()  # for new connections the new certificate counts; those that are there stay
            port.server = None
        port.files = new.files
        for there in [one for one in self.connections if one.port is port]:
            if not port.entrance.admits(there.peer.address):
                there.hang_up("mllp_refused_peer")

    async def _open(self, port: Port) -> None:
        loop = asyncio.get_running_loop()
        try:
            port.server = await loop.create_server(
                lambda: Connection(self, port),
                self.host,
                port.number,
                backlog=1024,
                ssl=tls.context(port.files) if port.files else None,
                ssl_handshake_timeout=self.limits.first_byte_s if port.files else None,
            )
        except (OSError, Permanent) as error:
            # Taken by another process, or a certificate that cannot be used: tried again with the next look.
            if port.number not in self._told:
                log.error("mllp_port_not_opened", port=port.number, host=self.host, why=str(error))
            self._told.add(port.number)
            return
        self._told.discard(port.number)
        log.info(
            "mllp_listening",
            port=port.number,
            host=self.host,
            tls=port.files is not None,
            client_certificates=bool(port.files and port.files.client_ca),
            endpoints=[terms.code for terms in port.entrance.terms],
        )

    def _close(self, port: Port) -> None:
        if port.server is None:
            return
        port.server.close()
        port.server = None
        for there in [one for one in self.connections if one.port is port]:
            there.leave()
        log.info("mllp_port_closed", port=port.number)

    async def _leave(self) -> None:
        for port in self.ports.values():
            self._close(port)
        for there in list(self.connections):
            there.leave()
        if not self.connections:
            self._empty.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.limits.grace_s):
                await self._empty.wait()
        left = len(self.connections)
        for there in list(self.connections):
            there.hang_up("mllp_grace_over")
        self.writer.finish()
        with contextlib.suppress(TimeoutError):
            # The thread may hang in a database call; it is a daemon of a process that ends now.
            await asyncio.wait_for(asyncio.to_thread(self.writer.join, self.limits.grace_s), self.limits.grace_s + 1)
        await asyncio.get_running_loop().run_in_executor(self._reader, lambda: connection.close())
        self._reader.shutdown(wait=False)
        log.info("mllp_stopped", cut_off=left)
