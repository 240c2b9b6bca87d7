"""Group commit: while one commit is under way, whatever arrives on all connections is gathered; then that is written.

One thread, one database connection, one commit at a time, so messages are committed in the order in which they came,
which keeps the order of keys. A lone message is written at once. Where many senders were answered a moment ago, most
of them are about to send again: for them the writer waits a moment, at most half as long as a commit takes, because
two half-full commits cost each of them more. (PostgreSQL's commit_delay and commit_siblings are the same thought.)
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import psycopg
import structlog
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from hub import answers, doorbell, ids, inbox
from hub.arrivals import Arrival
from hub.backlog import Backlog
from hub.listener.frames import frame
from hub.listener.limits import Limits

log = structlog.get_logger(__name__)
AWAY = (OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError)
CROWD = 4  # fewer senders than this never wait for each other
GATHER_S = 0.002  # nor does anybody longer than this
BACKOFF_S = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0)


class Answered(Protocol):
    """Who waits for an answer."""

    def answered(self, job: "Job") -> None: ...


@dataclass(slots=True)
class Job:
    """One frame: the messages in it and, when they are settled, what to send back."""

    sender: Answered
    arrivals: list[Arrival]
    size: int
    reply: bytes = b""
    close: bool = False  # hang up after the reply: not even an MSH could be read
    replies: dict[int, list[bytes]] = field(default_factory=dict)  # by position in `arrivals`


class Writer(threading.Thread):
    """The thread that stores. `submit` is for the event loop's thread alone; answers come back on that thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, limits: Limits, backlog: Backlog) -> None:
        super().__init__(name="mllp-writer", daemon=True)
        self.loop = loop
        self.limits = limits
        self.backlog = backlog
        self.waiting_bytes = 0  # touched by the loop's thread only
        self.after: Callable[[], None] = lambda: None  # called on the loop's thread after each batch
        self._jobs: deque[Job] = deque()
        self._wake = threading.Event()
        self._full = threading.Event()  # as many jobs as there are senders in the crowd
        self._expected = 0  # what `_full` waits for; 0 while nobody waits
        self._crowd: deque[tuple[float, set[int]]] = deque(maxlen=2)  # the last rounds: when, and whose
        self._round_s = 0.0  # how long the last one took
        self._kicked = False
        self._stopping = False
        self._failures = 0
        self._away_until = 0.0

    def submit(self, job: Job) -> None:
        """Queue a frame. The thread is woken after the loop has read every socket that is ready now."""
        self._jobs.append(job)
        self.waiting_bytes += job.size
        if self._expected and len(self._jobs) >= self._expected:
            self._full.set()
        if not self._kicked:
            self._kicked = True
            self.loop.call_soon(self._kick)

    def _kick(self) -> None:
        self._kicked = False
        self._wake.set()

    def finish(self) -> None:
        """Store what is queued, then end."""
        self._stopping = True
        self._wake.set()

    def run(self) -> None:
        """Until `finish`: take what has gathered, store it, hand the answers back."""
        try:
            while True:
                self._wake.wait()
                self._wake.clear()
                while self._jobs:
                    self._gather()
                    start = time.monotonic()
                    jobs = self._take()
                    self._round(jobs)
                    end = time.monotonic()
                    self._round_s = end - start
                    self._crowd.append((end, {id(job.sender) for job in jobs}))
                if self._stopping and not self._jobs:
                    return
        finally:
            connection.close()

    def _gather(self) -> None:
        """Give a crowd that was just answered a moment to send again; nobody else waits."""
        now = time.monotonic()
        crowd = len(set().union(*(senders for when, senders in self._crowd if now - when < 5 * GATHER_S)))
        if crowd < CROWD or len(self._jobs) >= crowd or self._stopping:
            return
        self._full.clear()
        self._expected = crowd
        if len(self._jobs) < crowd:
            self._full.wait(min(GATHER_S, self._round_s / 2))
        self._expected = 0

    def _take(self) -> list[Job]:
        """The oldest jobs, as many as one commit should hold, and at least one."""
        taken = [self._jobs.popleft()]
        messages, size = len(taken[0].arrivals), taken[0].size
        while self._jobs and messages < self.limits.batch and size < self.limits.batch_bytes:
            job = self._jobs.popleft()
            taken.append(job)
            messages += len(job.arrivals)
            size += job.size
        return taken

    def _round(self, jobs: list[Job]) -> None:
        try:
            stored = self._store([(job, number) for job in jobs for number in range(len(job.arrivals))])
        except Exception as error:  # noqa: BLE001  (the outer door: a bug must not end the thread that answers)
            log.error("mllp_writer_bug", error=type(error).__name__)
            stored = False
        for job in jobs:
            sent = [one for number in range(len(job.arrivals)) for one in job.replies.get(number, ())]
            job.reply = b"".join([job.reply, *map(frame, sent)])
            job.close = job.close or any(arrival.envelope is None for arrival in job.arrivals)
        self.loop.call_soon_threadsafe(self._deliver, jobs)
        if stored:
            doorbell.work.press()

    def _deliver(self, jobs: list[Job]) -> None:
        for job in jobs:
            self.waiting_bytes -= job.size
            job.sender.answered(job)
        self.after()

    def _store(self, places: Sequence[tuple[Job, int]]) -> bool:
        """Fill in the replies; True when something was stored. Never lets one message's failure reach another."""
        open_: list[tuple[Job, int]] = []
        for job, number in places:
            arrival = job.arrivals[number]
            if arrival.refusal is None and self.backlog.over(arrival.terms.id):
                self._refuse((job, number), answers.BUSY)
            else:
                open_.append((job, number))
        stored = False
        for start in range(0, len(open_), self.limits.batch):
            stored |= self._receive(open_[start : start + self.limits.batch])
        return stored

    def _receive(self, places: Sequence[tuple[Job, int]]) -> bool:
        if time.monotonic() < self._away_until:
            return self._refuse_all(places)
        try:
            receipts = inbox.receive([job.arrivals[number] for job, number in places], now=timezone.now())
        except AWAY as error:
            self._database_away(error)
            return self._refuse_all(places)
        except Exception as error:  # noqa: BLE001  (the outer door: the culprit is found and answered, the others go on)
            return self._one_by_one(places, error)
        if self._failures:
            log.info("mllp_database_back", after_failures=self._failures)
        self._failures = 0
        for (job, number), receipt in zip(places, receipts, strict=True):
            job.replies[number] = receipt.replies()
        return True

    def _one_by_one(self, places: Sequence[tuple[Job, int]], error: Exception) -> bool:
        if len(places) > 1:
            # A list and not a generator: every one of them has to be tried.
            return any([self._receive([place]) for place in places])  # noqa: C419
        # Neither the error's text nor its trace: PostgreSQL quotes the row, which is a patient's.
        arrival = places[0][0].arrivals[places[0][1]]
        log.error(
            "mllp_store_failed",
            error=type(error).__name__,
            sqlstate=getattr(error, "sqlstate", None),
            endpoint=arrival.terms.code,
            sha256=arrival.sha256.hex(),
        )
        return self._refuse_all(places)

    def _database_away(self, error: Exception) -> None:
        connection.close()
        pause = BACKOFF_S[min(self._failures, len(BACKOFF_S) - 1)]
        self._failures += 1
        self._away_until = time.monotonic() + pause
        log.error("mllp_database_away", error=type(error).__name__, failures=self._failures, next_try_s=pause)

    def _refuse_all(self, places: Sequence[tuple[Job, int]]) -> bool:
        for place in places:
            self._refuse(place, answers.AWAY)
        return False

    def _refuse(self, place: tuple[Job, int], answer: str) -> None:
        """AE, or CE, without the database: nothing was stored, and the sender is told to send again."""
        job, number = place
        envelope = job.arrivals[number].envelope
        if envelope is not None:
            job.replies[number] = answers.replies(envelope, answer, ids.uuid7())
