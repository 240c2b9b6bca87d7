"""A process under supervision: where it stands, when it is tried again, what it printed last."""

import enum
import os
from collections import deque
from collections.abc import Iterator

from embedded.process import TAIL_LINES, Process, Spec

BACK_OFF_S = (0.5, 1.0, 2.0, 5.0, 10.0, 15.0)  # pauses before the next start; the last one repeats
STEADY_S = 30.0  # whoever ran this long begins again with the shortest pause
READ_BYTES = 65_536


class State(enum.Enum):
    """Where a process stands."""

    WAITING = "waiting"  # for what it starts after
    STARTING = "starting"  # runs, is not ready yet
    UP = "up"
    PAUSED = "restarting"  # ended, will be started again
    DONE = "done"  # a step that ran to its end
    STOPPED = "stopped"  # ended because we asked


class Member:
    """A `Spec` with the state of its running."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.process = Process(spec)
        self.state = State.WAITING
        self.since = 0.0  # when it entered the state
        self.was_up = False
        self.failures = 0
        self.retry_at = 0.0
        self.stop_by: float | None = None  # set once it was asked to stop
        self.last_lines: deque[str] = deque(maxlen=TAIL_LINES)
        self.unfinished = b""

    def enter(self, state: State, now: float) -> None:
        """Move to `state` at `now` (monotonic seconds)."""
        self.state, self.since = state, now
        self.was_up = self.was_up or state is State.UP

    def next_pause(self, now: float) -> float:
        """Seconds until the next start, longer with every failure in a row."""
        if self.state is State.UP and now - self.since >= STEADY_S:
            self.failures = 0
        pause = BACK_OFF_S[min(self.failures, len(BACK_OFF_S) - 1)]
        self.failures += 1
        self.retry_at = now + pause
        return pause

    def read_lines(self, descriptor: int) -> Iterator[str]:
        """The complete lines that arrived on its output; at the end of the output what was left unfinished."""
        data = os.read(descriptor, READ_BYTES)
        *lines, self.unfinished = (self.unfinished + data).split(b"\n")
        if self.unfinished and (not data or len(self.unfinished) > READ_BYTES):
            lines.append(self.unfinished)
            self.unfinished = b""
        for line in lines:
            text = line.decode(errors="replace").rstrip("\r")
            self.last_lines.append(text)
            yield text
        if not data:
            raise EOFError

    def evidence(self) -> str:
        """What it printed last, set off for an error text."""
        if self.spec.log:
            return self.process.tail()
        return "".join(f"\n  | {line}" for line in self.last_lines)
