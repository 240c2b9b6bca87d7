"""The supervisor with real processes: order, restarts, clean stops, no orphans."""

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from embedded import leftovers, ports, ready
from embedded.console import Console
from embedded.errors import EmbeddedError
from embedded.member import State
from embedded.process import Spec
from embedded.supervisor import HURRY_S, Supervisor
from tests.embedded import children

LIMIT_S = 60  # of a test that waits for something to happen; reaching it is a failure


class Stage:
    """A supervisor whose loop the test turns by hand, with its output as text."""

    def __init__(self, folder: Path, specs: Sequence[Spec]) -> None:
        self.text = io.StringIO()
        console = Console([spec.name for spec in specs], stream=self.text)
        self.supervisor = Supervisor(specs, console=console, data_dir=folder)

    def turn_until(self, condition: Callable[[], bool]) -> None:
        """Turn the loop until the condition holds."""
        deadline = time.monotonic() + LIMIT_S
        while not condition():
            assert time.monotonic() < deadline, f"it did not happen; output so far:\n{self.output}"
            self.supervisor.turn()

    def state(self, name: str) -> State:
        """Where a process stands."""
        return self.supervisor.members[name].state

    def is_up(self, name: str) -> Callable[[], bool]:
        """A condition: the process is up."""
        return lambda: self.state(name) is State.UP

    def pid(self, name: str) -> int:
        """The process id of a running process."""
        pid = self.supervisor.members[name].process.pid
        assert pid, f"{name} was never started"  # signals to process 0 would reach ourselves
        return pid

    @property
    def output(self) -> str:
        """Everything shown so far."""
        return self.text.getvalue()


@pytest.fixture
def stage(tmp_path: Path):
    """Makes stages and stops what they run, whatever the test did."""
    made: list[Stage] = []

    def make(*specs: Spec) -> Stage:
        made.append(Stage(tmp_path, specs))
        return made[-1]

    yield make
    for one in made:
        one.supervisor.hurry = True
        one.supervisor.stop_all()


def test_starts_in_the_order_of_the_table(stage, tmp_path: Path) -> None:
    """A process is not started before everything that it comes after is ready, and a step has to have succeeded."""
    port = ports.any_free()
    one = stage(
        children.spec("step", "print('stepped')", once=True, after=("server",)),
        children.spec("late", children.SLEEP, after=("step",)),
        children.spec("server", children.LISTEN, port, ready=ready.port(port)),
    )
    one.turn_until(one.is_up("late"))
    shown = [line.split("|")[1].strip() for line in one.output.splitlines()]
    assert shown.index("server is up") < shown.index("step ...") < shown.index("late ...")
    assert one.state("step") is State.DONE


def test_a_process_that_dies_is_started_again(stage) -> None:
    """Whoever was up and is killed comes back under a new process id, and the supervisor says so."""
    one = stage(children.spec("victim", children.SLEEP))
    one.turn_until(one.is_up("victim"))
    first = one.pid("victim")
    os.kill(first, signal.SIGKILL)
    one.turn_until(lambda: one.state("victim") is State.PAUSED)
    one.turn_until(one.is_up("victim"))
    assert one.pid("victim") != first
    assert "victim ended with signal SIGKILL; starting it again in 0.5 s" in one.output
    assert "victim is up again" in one.output


def test_pauses_grow_while_a_process_keeps_dying(stage) -> None:
    """Each failure in a row makes the pause longer, up to the longest one, which repeats."""
    one = stage(children.spec("victim", children.SLEEP))
    member = one.supervisor.members["victim"]
    pauses = [member.next_pause(now=0.0) for _ in range(8)]
    assert pauses == [0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 15.0, 15.0]
    member.enter(State.UP, 0.0)
    assert member.next_pause(now=29.0) == 15.0
    assert member.next_pause(now=31.0) == 0.5


def test_a_start_that_cannot_succeed_is_given_up(stage, tmp_path: Path) -> None:
    """A process that was never up ends the start after three tries, with its last words."""
    one = stage(children.spec("broken", children.COUNT_AND_DIE, tmp_path / "count", 99, 0, ready=lambda: "not yet"))
    with pytest.raises(EmbeddedError, match=r"broken ended with exit code 7, 3 times in a row, and(.|\n)*life 3"):
        one.turn_until(one.is_up("broken"))
    assert (tmp_path / "count").read_text() == "3"


def test_a_step_that_fails_stops_the_start(stage) -> None:
    """What depends on a failed step is never started, and the step's own words are shown."""
    one = stage(
        children.spec("migrate", "import sys; sys.exit('no such table')", once=True),
        children.spec("web", children.SLEEP, after=("migrate",)),
    )
    with pytest.raises(EmbeddedError, match=r"migrate ended with exit code 1; nothing after it(.|\n)*no such table"):
        one.turn_until(one.is_up("web"))
    assert one.state("web") is State.WAITING


def test_never_ready_is_killed_and_named(stage) -> None:
    """A process that runs but never becomes ready is killed at its limit and ends the start, with the reason."""
    one = stage(children.spec("mute", children.SLEEP, ready=lambda: "port 1 is silent", ready_timeout_s=0.3))
    with pytest.raises(EmbeddedError, match=r"not ready within 0\.3 s \(port 1 is silent\), and it was never up"):
        one.turn_until(one.is_up("mute"))
    assert not one.supervisor.members["mute"].process.running()


def test_not_ready_again_is_tried_again(stage) -> None:
    """Whoever was up once and hangs at a later start is killed at its limit and started again."""
    silent: list[str] = []
    spec = children.spec("moody", children.SLEEP, ready=lambda: silent[0] if silent else None, ready_timeout_s=0.3)
    one = stage(spec)
    one.turn_until(one.is_up("moody"))
    silent.append("no answer")
    os.kill(one.pid("moody"), signal.SIGKILL)
    one.turn_until(lambda: "moody was not ready within 0.3 s (no answer); starting it again in 1 s" in one.output)
    silent.clear()
    one.turn_until(one.is_up("moody"))


def test_a_taken_port_ends_the_start(stage) -> None:
    """Two servers on one port: the second one's own error is what the person reads."""
    port = ports.any_free()
    one = stage(
        children.spec("first", children.LISTEN, port, ready=ready.port(port)),
        children.spec("second", children.LISTEN, port, after=("first",)),
    )
    with pytest.raises(EmbeddedError, match=r"second ended with exit code 1(.|\n)*Address already in use"):
        one.turn_until(one.is_up("second"))


def test_stops_in_reverse_order(stage, tmp_path: Path) -> None:
    """Nothing is stopped while something that depends on it still runs."""
    note = tmp_path / "ends"
    one = stage(
        children.spec("database", children.NOTE_THE_END, note, "database"),
        children.spec("worker", children.NOTE_THE_END, note, "worker", after=("database",)),
        children.spec("feed", children.NOTE_THE_END, note, "feed", after=("worker",)),
    )
    one.turn_until(one.is_up("feed"))
    one.supervisor.stop_all()
    assert note.read_text().splitlines() == ["feed", "worker", "database"]
    assert "everything is stopped" in one.output


def test_a_deaf_process_is_killed(stage) -> None:
    """Whoever ignores its stop signal is killed at its time limit, and what it needed is stopped all the same."""
    one = stage(
        children.spec("base", children.SLEEP),
        children.spec("deaf", children.HANG_ON_SIGTERM, stop_timeout_s=0.3, after=("base",)),
    )
    one.turn_until(lambda: one.is_up("deaf")() and "| deaf\n" in one.output)
    one.supervisor.stop_all()
    assert "deaf did not stop in time, killing it" in one.output
    assert not any(member.process.running() for member in one.supervisor.members.values())


@pytest.mark.parametrize("how", ["same group", "away"])
def test_leaves_no_orphans(stage, tmp_path: Path, how: str) -> None:
    """Children of children are ended too, even when they moved to a session of their own."""
    note = tmp_path / "child"
    one = stage(children.spec("parent", children.LEAVE_A_CHILD, note, how))
    one.turn_until(lambda: one.is_up("parent")() and children.has_lines(note, 1))
    child = int(note.read_text())
    assert leftovers.alive(child)
    one.supervisor.stop_all()
    assert leftovers.wait_gone([child], 10) == []


def test_what_a_dead_process_left_is_ended_before_the_next_start(stage, tmp_path: Path) -> None:
    """After a kill -9 of a parent its children do not keep its port or its work."""
    note = tmp_path / "child"
    one = stage(children.spec("parent", children.LEAVE_A_CHILD, note, "same group"))
    one.turn_until(lambda: one.is_up("parent")() and children.has_lines(note, 1))
    child = int(note.read_text())
    os.kill(one.pid("parent"), signal.SIGKILL)
    one.turn_until(lambda: one.state("parent") is State.PAUSED)
    assert leftovers.wait_gone([child], 10) == []


SUPERVISE = """
import sys
from pathlib import Path
from embedded.console import Console
from embedded.supervisor import Supervisor
from tests.embedded import children
folder = Path(sys.argv[1])
specs = [children.spec("sleeper", children.SLEEP), children.spec("deaf", children.HANG_ON_SIGTERM, stop_timeout_s=30)]
def tell():
    (folder / "pids").write_text(" ".join(str(member.process.pid) for member in supervisor.members.values()))
supervisor = Supervisor(specs, console=Console(["sleeper", "deaf"]), data_dir=folder, all_up=tell)
sys.exit(supervisor.run())
"""


def supervise(folder: Path) -> tuple[subprocess.Popen[str], list[int]]:
    """A supervisor as a process of its own, with everything up, and its children's ids."""
    process = subprocess.Popen(
        [sys.executable, "-c", SUPERVISE, str(folder)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    deadline = time.monotonic() + LIMIT_S
    while not (folder / "pids").exists():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return process, [int(word) for word in (folder / "pids").read_text().split()]


def test_asked_twice_nobody_is_waited_for(tmp_path: Path) -> None:
    """A second Ctrl-C kills what is still stopping; the exit code is 0 and no process is left."""
    process, pids = supervise(tmp_path)
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    for line in process.stdout:
        if "stopping deaf" in line:
            break
    process.send_signal(signal.SIGINT)  # a terminal and make may both pass one Ctrl-C on: that is not twice
    time.sleep(1.5 * HURRY_S)
    assert leftovers.alive(pids[1])
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=LIMIT_S)
    assert "killing it" in rest
    assert process.returncode == 0
    assert leftovers.wait_gone(pids, 10) == []


@pytest.mark.skipif(not leftovers.LINUX, reason="the leash is a promise of Linux")
def test_children_die_with_a_killed_supervisor(tmp_path: Path) -> None:
    """kill -9 of the supervisor: its children get their stop signal, and a deaf one is swept by the next session."""
    process, (sleeper, deaf) = supervise(tmp_path)
    process.kill()
    process.communicate()
    assert leftovers.wait_gone([sleeper], 10) == []
    left = leftovers.marked(tmp_path)
    assert set(left) <= {deaf}  # on a busy machine the signal may reach it before it has gone deaf
    assert leftovers.sweep(tmp_path) == left
    assert leftovers.wait_gone([deaf], 10) == []


def test_told_when_all_are_up(tmp_path: Path) -> None:
    """The call for "everything is up" comes once, when the last process is ready."""
    calls: list[str] = []
    spec = children.spec("one", children.SLEEP)
    console = Console(["one"], stream=io.StringIO())
    supervisor = Supervisor([spec], console=console, data_dir=tmp_path, all_up=lambda: calls.append("up"))
    member = supervisor.members["one"]
    try:
        for _ in range(3):
            while member.state is not State.UP:
                supervisor.turn()
            assert calls == ["up"]
            member.process.kill()
            while member.state is State.UP:
                supervisor.turn()
    finally:
        supervisor.stop_all()
