"""One process: what it is (`Spec`), and the running of it (`Process`)."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from embedded import runas
from embedded.errors import EmbeddedError
from embedded.ready import Check

POLL_S = 0.03
TAIL_LINES = 25
KILL_WAIT_S = 10


@dataclass(frozen=True, slots=True)
class Spec:
    """A row of the process table.

    `after` names the processes that have to be ready first. `once` marks a step that runs to its end and has to
    succeed (a migration); everything else is meant to run for ever. With `log` the output goes to that file instead
    of the screen. Whoever starts a process must live in the thread that started it: the leash is tied to it.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    after: tuple[str, ...] = ()
    once: bool = False
    ready: Check | None = None
    ready_timeout_s: float = 60
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 10
    run_as: runas.RunAs = runas.OURSELVES
    log: Path | None = None


class Process:
    """A process of a `Spec`, in a process group of its own; can be started again after it ended."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.popen: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id, which is also its group's; None before the first start."""
        return self.popen.pid if self.popen else None

    def start(self, mark: Mapping[str, str] | None = None) -> None:
        """Start it behind the leash, `mark` added to its environment; EmbeddedError if it cannot be started."""
        spec = self.spec
        log = spec.log.open("ab") if spec.log else None
        try:
            self.popen = subprocess.Popen(
                runas.leashed(list(spec.argv), run_as=spec.run_as, signal_number=spec.stop_signal),
                env={**os.environ, **spec.env, **(mark or {})},
                cwd=spec.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log or subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches the supervisor alone, and the group can be ended as one
            )
        except OSError as error:
            raise EmbeddedError(f"{spec.name}: cannot start {spec.argv[0]}: {error}") from error
        finally:
            if log:
                log.close()

    def ended(self) -> int | None:
        """Its exit code (negative: the signal that ended it), or None while it runs; ends what it left behind."""
        if self.popen is None or self.popen.returncode is not None:
            return self.popen.returncode if self.popen else None
        try:
            # Look before reaping: as long as the leader is not reaped its number cannot be given to somebody else.
            if os.waitid(os.P_PID, self.popen.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                return None
        except ChildProcessError:  # reaped elsewhere; poll() answers below
            return self.popen.poll()
        self.signal_group(signal.SIGKILL)
        return self.popen.wait()

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to the process and everything it started in its group."""
        if self.popen is not None and self.popen.returncode is None:
            try:
                os.killpg(self.popen.pid, number)
            except ProcessLookupError:
                pass  # it ended by itself in this moment

    def ask_to_stop(self) -> None:
        """Send its stop signal, to the process itself only: it tells its own children."""
        if self.popen is not None and self.running():
            self.popen.send_signal(self.spec.stop_signal)

    def kill(self) -> None:
        """SIGKILL to the whole group, and wait until it is gone."""
        self.signal_group(signal.SIGKILL)
        self.wait(KILL_WAIT_S)

    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self.popen is not None and self.ended() is None

    def wait(self, timeout_s: float) -> None:
        """Wait for its end, `timeout_s` at most; `running()` tells which of the two came first."""
        deadline = time.monotonic() + timeout_s
        while self.running() and time.monotonic() < deadline:
            time.sleep(POLL_S)

    def stop(self) -> None:
        """Ask it to stop, wait for its time limit, then kill its group; harmless when it does not run."""
        self.ask_to_stop()
        self.wait(self.spec.stop_timeout_s)
        if self.running():
            self.kill()

    def wait_ready(self) -> None:
        """Wait until the ready check passes; EmbeddedError with the end of the log if it ends or takes too long."""
        deadline = time.monotonic() + self.spec.ready_timeout_s
        while (reason := self.spec.ready() if self.spec.ready else None) is not None:
            code = self.ended()
            if code is not None:
                raise EmbeddedError(f"{self.spec.name} ended with {describe(code)} before it was ready.{self.tail()}")
            if time.monotonic() > deadline:
                limit = f"{self.spec.ready_timeout_s:g} s"
                self.kill()
                raise EmbeddedError(f"{self.spec.name} was not ready within {limit}: {reason}.{self.tail()}")
            time.sleep(POLL_S)

    def tail(self) -> str:
        """The last lines of its log, set off for an error text; empty without a log."""
        if not self.spec.log or not self.spec.log.exists():
            return ""
        lines = self.spec.log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
        return f"\nThe end of {self.spec.log}:\n" + "\n".join(f"  | {line}" for line in lines)


def describe(code: int) -> str:
    """An exit code in words: "exit code 3" or "signal SIGKILL"."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"
