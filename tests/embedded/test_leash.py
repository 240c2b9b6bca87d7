"""The leash: a command that ends with whoever started it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from embedded import leftovers, runas

LINUX = pytest.mark.skipif(not leftovers.LINUX, reason="the leash is a promise of Linux")

PARENT = """
import subprocess, sys
from embedded import runas
argv = runas.leashed(["sleep", "600"], run_as=runas.{who}, signal_number=15)
print(subprocess.Popen(argv).pid, flush=True)
input()
"""


@LINUX
@pytest.mark.parametrize("who", ["OURSELVES", "NAMESPACE", "account(65534)"])
def test_the_command_ends_with_its_parent(who: str) -> None:
    """kill -9 of the parent ends the command, also after it stepped down to another user."""
    if who != "OURSELVES" and os.geteuid() != 0:
        pytest.skip("only root steps down")
    if who == "NAMESPACE" and not runas.namespaces_work():
        pytest.skip("user namespaces are refused here")
    code = PARENT.format(who=who)
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert leftovers.alive(pid)
    parent.kill()
    parent.communicate()
    assert leftovers.wait_gone([pid], 10) == []


@LINUX
def test_a_parent_that_is_gone_already_starts_nothing(tmp_path: Path) -> None:
    """If the parent ended before the leash was tied, the command is not run at all."""
    touched = tmp_path / "touched"
    argv = [sys.executable, str(runas.LEASH), "--signal", "15", "--parent", "1", "--", "touch", str(touched)]
    answer = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert answer.returncode == 1
    assert "parent 1 is gone" in answer.stderr
    assert not touched.exists()


def test_a_missing_program_is_named() -> None:
    """A command that does not exist gives its name and the reason, not a traceback."""
    argv = runas.leashed(["no-such-program"], signal_number=signal.SIGTERM)
    answer = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert answer.returncode == 1
    assert answer.stderr.strip() == "leash: cannot run no-such-program: No such file or directory"


def test_the_exit_code_is_the_commands() -> None:
    """The leash is replaced by the command: same process id, same exit code."""
    argv = runas.leashed([sys.executable, "-c", "import os, sys; print(os.getpid()); sys.exit(9)"], signal_number=15)
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    output, _ = process.communicate()
    assert (int(output), process.returncode) == (process.pid, 9)
