"""Runs a table of processes: starts them in order, starts again what dies, stops them in reverse order, leaves none.

Everything happens in one loop of one thread (the leash of a process is tied to the thread that started it):
look at outputs, then let every process take one step from the state that it is in.
"""

import io
import selectors
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from embedded import leftovers, table
from embedded.console import Console
from embedded.errors import EmbeddedError
from embedded.member import Member, State
from embedded.process import Spec, describe

TURN_S = 0.1
SETTLE_S = 1.0  # a process without a ready check is up when it has lived this long
START_TRIES = 3  # whoever was never up is given up after this many tries; whoever was up is restarted for ever
HURRY_S = 1.0  # two signals within this time are one wish: make and the terminal may each pass it on
RUNNING = (State.STARTING, State.UP)


class Supervisor:
    """Runs `specs` until SIGINT or SIGTERM; `data_dir` marks their processes, `all_up` is called once."""

    def __init__(
        self, specs: Sequence[Spec], *, console: Console, data_dir: Path, all_up: Callable[[], None] = lambda: None
    ) -> None:
        table.check(specs)
        self.members = {spec.name: Member(spec) for spec in specs}
        self.needs = {spec.name: table.needs(specs, spec.name) for spec in specs}
        self.console = console
        self.data_dir = data_dir
        self.all_up: Callable[[], None] | None = all_up
        self.selector = selectors.DefaultSelector()
        self.stop_wished_at: float | None = None
        self.hurry = False
        self.note = ""  # what else the status line shows
        self.steps: dict[State, Callable[[Member, float], None]] = {
            State.WAITING: self.step_waiting,
            State.STARTING: self.step_starting,
            State.UP: self.step_up,
            State.PAUSED: self.step_paused,
        }

    def run(self) -> int:
        """Run until told to stop; the exit code is 0 after a clean stop, 1 if the start did not succeed."""
        with self.signals():
            try:
                while self.stop_wished_at is None:
                    self.turn()
                code = 0
            except EmbeddedError as error:
                self.console.say(str(error))
                code = 1
            self.stop_all()
        return code

    def turn(self) -> None:
        """One round of the loop."""
        self.pump(TURN_S)
        for member in self.members.values():
            step = self.steps.get(member.state)
            if step:
                step(member, time.monotonic())
        self.console.status(self.summary())
        if self.all_up and all(member.state in (State.UP, State.DONE) for member in self.members.values()):
            self.all_up()
            self.all_up = None

    # --- one step from each state ---

    def step_waiting(self, member: Member, now: float) -> None:
        """Start it once everything that it starts after is ready."""
        if all(self.members[name].state in (State.UP, State.DONE) for name in member.spec.after):
            self.start(member, now)

    def step_starting(self, member: Member, now: float) -> None:
        """Look whether it is ready, has ended, or takes too long."""
        code = member.process.ended()
        spec = member.spec
        if code is not None:
            self.ended(member, code, now)
        elif not spec.once and self.is_ready(member, now):
            self.console.say(f"{spec.name} is up" if not member.was_up else f"{spec.name} is up again")
            member.enter(State.UP, now)
        elif now - member.since > spec.ready_timeout_s:
            reason = spec.ready() if spec.ready else "it still runs"
            member.process.kill()
            self.failed(member, f"{spec.name} was not ready within {spec.ready_timeout_s:g} s ({reason})", now, tries=1)

    def step_up(self, member: Member, now: float) -> None:
        """Notice its death."""
        code = member.process.ended()
        if code is not None:
            self.ended(member, code, now)

    def step_paused(self, member: Member, now: float) -> None:
        """Start it again when its pause is over."""
        if now >= member.retry_at:
            self.start(member, now)

    # --- what the steps do ---

    def start(self, member: Member, now: float) -> None:
        """Start a process and listen to its output."""
        if not member.was_up and not member.failures:
            self.console.say(f"{member.spec.name} ...")
        member.process.start(leftovers.mark(self.data_dir))
        member.enter(State.STARTING, now)
        output = member.process.popen.stdout if member.process.popen else None
        if output:
            self.selector.register(output, selectors.EVENT_READ, member)

    def is_ready(self, member: Member, now: float) -> bool:
        """Whether its ready check passes; without one, whether it has lived for a moment."""
        if member.spec.ready:
            return member.spec.ready() is None
        return now - member.since >= SETTLE_S

    def ended(self, member: Member, code: int, now: float) -> None:
        """It ended without being asked: fine for a finished step, else a failure."""
        if member.spec.once and code == 0:
            member.enter(State.DONE, now)
            return
        self.failed(member, f"{member.spec.name} ended with {describe(code)}", now)

    def failed(self, member: Member, what: str, now: float, *, tries: int = START_TRIES) -> None:
        """Plan the next start, or give up on a start that did not succeed in so many `tries`."""
        self.pump(0)  # its last words
        if member.spec.once:
            raise EmbeddedError(f"{what}; nothing after it can be started.{member.evidence()}")
        pause = member.next_pause(now)
        if not member.was_up and member.failures >= tries:
            often = f", {member.failures} times in a row" if member.failures > 1 else ""
            raise EmbeddedError(f"{what}{often}, and it was never up.{member.evidence()}")
        self.console.say(f"{what}; starting it again in {pause:g} s")
        member.enter(State.PAUSED, now)

    def pump(self, wait_s: float) -> None:
        """Show what the processes printed, waiting `wait_s` at most for something to show."""
        for key, _events in self.selector.select(wait_s):
            try:
                for line in key.data.read_lines(key.fd):
                    self.console.line(key.data.spec.name, line)
            except EOFError:
                self.forget_output(key)

    def forget_output(self, key: selectors.SelectorKey) -> None:
        """Stop listening to a pipe and close it."""
        self.selector.unregister(key.fileobj)
        if isinstance(key.fileobj, io.BufferedReader):
            key.fileobj.close()

    def summary(self) -> str:
        """The status line: how many are up, and who is not."""
        lasting = [member for member in self.members.values() if not member.spec.once]
        up = sum(member.state is State.UP for member in lasting)
        others = [
            f"{member.spec.name} {member.state.value}"
            for member in self.members.values()
            if member.state in (State.STARTING, State.PAUSED)
        ]
        return f"[{up} of {len(lasting)} up{self.note}] {', '.join(others)}".rstrip()

    # --- stopping ---

    def ask_to_stop(self) -> None:
        """End `run()` after this turn; asked again after a moment, nobody is waited for any more."""
        if self.stop_wished_at is None:
            self.stop_wished_at = time.monotonic()
        elif time.monotonic() - self.stop_wished_at > HURRY_S:
            self.hurry = True

    @contextmanager
    def signals(self) -> Iterator[None]:
        """While the block runs, SIGINT, SIGTERM and SIGHUP ask us to stop."""

        def handle(_number: int, _frame: FrameType | None) -> None:
            self.ask_to_stop()

        before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def stop_all(self) -> None:
        """Stop everything, what others need last; kill what exceeds its time limit; then look for strays."""
        for member in self.members.values():
            if member.state not in RUNNING:
                member.enter(State.STOPPED, time.monotonic())
        while running := [member for member in self.members.values() if member.state in RUNNING]:
            needed = set().union(*(self.needs[member.spec.name] for member in running))
            for member in running:
                if member.spec.name not in needed:
                    self.step_stopping(member, time.monotonic())
            self.console.status("stopping: " + ", ".join(member.spec.name for member in running))
            self.pump(TURN_S)
        strays = leftovers.sweep(self.data_dir)
        if strays:
            self.console.say(f"killed {len(strays)} processes that were left behind: {strays}")
        self.close_outputs()
        self.console.status("")
        self.console.say("everything is stopped")

    def close_outputs(self) -> None:
        """Show the last words of everybody and close our ends of the pipes."""
        self.pump(0)
        for key in list(self.selector.get_map().values()):
            self.forget_output(key)

    def step_stopping(self, member: Member, now: float) -> None:
        """Ask once, wait for the limit, kill the group."""
        if not member.process.running():
            member.enter(State.STOPPED, now)
        elif member.stop_by is None:
            self.console.say(f"stopping {member.spec.name}")
            member.process.ask_to_stop()
            member.stop_by = now + member.spec.stop_timeout_s
        elif now > member.stop_by or self.hurry:
            self.console.say(f"{member.spec.name} did not stop in time, killing it")
            member.process.kill()
