"""A run of the load: who sends next, when it ends, and what is done about connections that fail."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass

from sandbox.load.messages import Messages
from sandbox.load.stations import RECONNECT_S, Station, Tally


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do. Without `rate` every connection sends as soon as it can; with it, on a schedule that is kept."""

    host: str
    port: int
    connections: int
    seconds: float | None
    messages: int | None
    rate: float | None
    timeout_s: float
    retries: int


class Run:
    """Hands out messages to idle stations until time or number is up, then waits for the last answers."""

    def __init__(self, plan: Plan, messages: Messages, tally: Tally) -> None:
        self.sent = 0
        self.started = 0.0
        self._plan = plan
        self._messages = messages
        self._tally = tally
        self._stations: list[Station] = []
        self._idle: deque[Station] = deque()
        self._due: deque[float] = deque()
        self._scheduled = 0
        self._running = False
        self._closing = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def go(self) -> float:
        """Do it. Returns the seconds from the first message to the last answer. Raises OSError if nobody listens."""
        for _ in range(self._plan.connections):
            station = Station(self, self._tally, self._plan.retries)
            await self._connect(station)
            self._stations.append(station)
        self._begin()
        shown = self.started
        while not self._finished():
            await asyncio.sleep(0.05)
            self._watch()
            if time.perf_counter() - shown >= 5:
                shown = time.perf_counter()
                print(f"{shown - self.started:6.1f} s  {len(self._tally.latencies)} acknowledged", flush=True)
        self._close()
        return (self._tally.last_answer or time.perf_counter()) - self.started

    def in_flight(self) -> int:
        """Return how many messages have no answer."""
        return sum(station.waiting_since is not None for station in self._stations) + len(self._due)

    def ready(self, station: Station) -> None:
        """Give an idle station the next message, or remember it."""
        if self._plan.rate is not None:
            self._idle.append(station)
            self._dispatch()
        elif not self._running:
            self._idle.append(station)
        elif self._may_send(time.perf_counter()):
            self._send(station, time.perf_counter())

    def lost(self, station: Station) -> None:
        """Connect again, for ever; the station resends what was in flight."""
        if station in self._idle:
            self._idle.remove(station)
        if not self._closing:
            task = asyncio.ensure_future(self._reconnect(station))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _begin(self) -> None:
        self._running = True
        self.started = time.perf_counter()
        if self._plan.rate is not None:
            self._tick()
            return
        while self._idle:
            self.ready(self._idle.popleft())

    def _tick(self) -> None:
        """Put the messages whose time has come in line, and come back for the next one."""
        rate = self._plan.rate or 1.0
        now = time.perf_counter()
        intended = self.started + self._scheduled / rate
        while intended <= now and self._on_schedule(intended):
            self._due.append(intended)
            self._scheduled += 1
            intended = self.started + self._scheduled / rate
        self._dispatch()
        if self._on_schedule(intended):
            asyncio.get_running_loop().call_later(max(0.0, intended - time.perf_counter()), self._tick)
        else:
            self._running = False

    def _dispatch(self) -> None:
        while self._due and self._idle:
            self._send(self._idle.popleft(), self._due.popleft())

    def _on_schedule(self, intended: float) -> bool:
        plan = self._plan
        within_time = plan.seconds is None or intended < self.started + plan.seconds
        return within_time and (plan.messages is None or self._scheduled < plan.messages)

    def _may_send(self, now: float) -> bool:
        plan = self._plan
        if plan.seconds is not None and now >= self.started + plan.seconds:
            self._running = False
        if plan.messages is not None and self.sent >= plan.messages:
            self._running = False
        return self._running

    def _send(self, station: Station, intended: float) -> None:
        number = self.sent
        self.sent += 1
        station.send(self._messages.frame(number), self._messages.control_id(number), intended)

    def _watch(self) -> None:
        """Tear down connections whose answer is overdue: they reconnect and resend."""
        overdue = time.perf_counter() - self._plan.timeout_s
        for station in self._stations:
            if station.waiting_since is not None and station.waiting_since < overdue:
                station.give_up_connection()

    def _finished(self) -> bool:
        """Tell whether all is answered, or nothing has been for twice the time that one may wait for an answer."""
        now = time.perf_counter()
        if self._running and self._plan.rate is None:
            self._may_send(now)
        if self.in_flight():
            return now > max(self.started, self._tally.last_answer) + 2 * self._plan.timeout_s
        return not self._running

    async def _connect(self, station: Station) -> None:
        await asyncio.get_running_loop().create_connection(lambda: station, self._plan.host, self._plan.port)

    async def _reconnect(self, station: Station) -> None:
        while not self._closing:
            await asyncio.sleep(RECONNECT_S)
            try:
                await self._connect(station)
            except OSError:
                continue
            self._tally.reconnects += 1
            return

    def _close(self) -> None:
        self._closing = True
        for task in self._tasks:
            task.cancel()
        for station in self._stations:
            station.give_up_connection()
