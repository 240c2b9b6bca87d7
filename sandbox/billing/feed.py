"""The feed: makes messages at a steady rate and gives each to the connection of its hospital and account."""

from __future__ import annotations

import asyncio
import time
import zlib
from dataclasses import dataclass
from typing import Any

from sandbox.billing.ledger import ClientLedger
from sandbox.billing.messages import Generator, Made
from sandbox.billing.sender import Counts, Sender, Target

SHOW_S = 60.0
GRACE_S = 5.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast and how long; without a limit for ever."""

    rate: float
    connections: int
    messages: int | None = None
    seconds: float | None = None


class Feed:
    """Runs the feed. `stop` ends it early and in good order."""

    def __init__(
        self, generator: Generator, facilities: list[str], target: Target, pace: Pace, ledger: ClientLedger
    ) -> None:
        self._generator = generator
        self._facilities = facilities
        self._pace = pace
        self._ledger = ledger
        self.made = 0
        self.counts = Counts()
        self._senders = [Sender(target, ledger, self.counts) for _ in range(pace.connections)]
        self._stopping = asyncio.Event()
        self._started = 0.0

    def stop(self) -> None:
        """Make no more messages; those under way get a few seconds for their answers."""
        self._stopping.set()

    async def go(self) -> dict[str, Any]:
        """Feed until the limit or `stop`. Returns the summary."""
        self._started = time.perf_counter()
        tasks = [asyncio.ensure_future(sender.run()) for sender in self._senders]
        try:
            await self._make()
            await self._settle()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._ledger.close()
        return self._summary()

    def slot(self, made: Made) -> int:
        """Return which connection a message takes: its hospital's, and always the same one for an account."""
        account = zlib.crc32(made.account.encode())
        share = self._pace.connections // len(self._facilities)
        if share == 0:
            return account % self._pace.connections
        return self._facilities.index(made.facility) * share + account % share

    async def _make(self) -> None:
        """Make messages on schedule. While nobody takes them the schedule waits: there is no flood afterwards."""
        due = shown = time.perf_counter()
        while not self._stopping.is_set() and not self._done():
            if due > time.perf_counter() and await self._stopped_within(due - time.perf_counter()):
                return
            made = self._generator.make()
            queue = self._senders[self.slot(made)].queue
            self.made += 1
            while queue.full():
                if await self._stopped_within(0.05):
                    return
            queue.put_nowait(made)
            due = max(due + 1 / self._pace.rate, time.perf_counter() - 1)
            if time.perf_counter() - shown >= SHOW_S:
                shown = time.perf_counter()
                print(f"sandbox.billing: {self._line()}", flush=True)

    async def _settle(self) -> None:
        """Wait for the answers to what is on its way: until all are there, or after `stop` for a few seconds."""
        answered = asyncio.create_task(self._all_answered())
        stopped = asyncio.create_task(self._stopped_within(None))
        await asyncio.wait((answered, stopped), return_when=asyncio.FIRST_COMPLETED)
        if not answered.done():
            await asyncio.wait((answered,), timeout=GRACE_S)
        for task in (answered, stopped):
            task.cancel()
        await asyncio.gather(answered, stopped, return_exceptions=True)

    async def _all_answered(self) -> None:
        for sender in self._senders:
            await sender.queue.join()

    async def _stopped_within(self, seconds: float | None) -> bool:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return False
        return True

    def _done(self) -> bool:
        pace = self._pace
        late = pace.seconds is not None and time.perf_counter() - self._started >= pace.seconds
        return late or (pace.messages is not None and self.made >= pace.messages)

    def _line(self) -> str:
        answers = ", ".join(f"{count} {code}" for code, count in sorted(self.counts.acks.items()))
        return f"{self.made} made; answers: {answers or 'none yet'}"

    def _summary(self) -> dict[str, Any]:
        acks = dict(sorted(self.counts.acks.items()))
        return {
            "made": self.made,
            "acked": acks.get("AA", 0) + acks.get("CA", 0),
            "acks": acks,
            "unanswered": self.made - sum(acks.values()),
            "resent": self.counts.resent,
            "connections": self.counts.connections,
            "failures": dict(sorted(self.counts.failures.items())),
            "kinds": dict(sorted(self._generator.kinds.items())),
            "seconds": round(time.perf_counter() - self._started, 3),
        }
