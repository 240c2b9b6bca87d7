"""Finds and ends what a killed session left running, so that nothing is started twice and nothing stays behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

MARK = "THROUGHLINE_SUPERVISED_BY"  # an environment variable that every process of a session inherits
LINUX = sys.platform.startswith("linux")
POLL_S = 0.05
KILL_S = 10


def mark(data_dir: Path) -> dict[str, str]:
    """The environment that marks processes as belonging to the session on `data_dir`."""
    return {MARK: str(data_dir)}


def marked(data_dir: Path) -> list[int]:
    """Process ids that carry the mark of `data_dir`, ours excluded (Linux; elsewhere an empty list)."""
    wanted = f"{MARK}={data_dir}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            variables = (folder / "environ").read_bytes().split(b"\0")
        except OSError:  # it ended meanwhile, or belongs to somebody else
            continue
        if wanted in variables and int(folder.name) != os.getpid():
            found.append(int(folder.name))
    return found


def sweep(data_dir: Path) -> list[int]:
    """SIGKILL every process that carries the mark of `data_dir`; the ids that were found.

    Only the holder of the folder's lock may call this: whatever carries the mark then has no living supervisor.
    """
    found = marked(data_dir)
    for pid in found:
        send(pid, signal.SIGKILL)
    wait_gone(found, KILL_S)
    return found


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal; a process that is gone already is fine."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def wait_gone(pids: list[int], timeout_s: float) -> list[int]:
    """Wait until the processes are gone; those that are still there after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while (left := [pid for pid in pids if alive(pid)]) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    return left


def alive(pid: int) -> bool:
    """Whether the process exists and is more than an entry that waits to be reaped."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z" if stat.exists() else True
    except OSError:
        return False


def command_line(pid: int) -> str:
    """The command line of a process, "" if it is gone."""
    if LINUX:
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    answer = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return answer.stdout


def end_owner(pid_file: Path, *, belongs_to: Path, how: signal.Signals, timeout_s: float) -> bool:
    """End the server named in `pid_file` if it really runs on `belongs_to`, then remove the file; whether it ran.

    After a reboot or in a new container the number may be anybody's, hence the look at the command line.
    """
    if not pid_file.exists():
        return False
    first = pid_file.read_text().split("\n", 1)[0].strip()
    pid = int(first) if first.isdigit() else 0
    ran = pid > 0 and str(belongs_to) in command_line(pid)
    if ran:
        send(pid, how)
        if wait_gone([pid], timeout_s):
            send(pid, signal.SIGKILL)
            wait_gone([pid], KILL_S)
    pid_file.unlink(missing_ok=True)
    return ran
