"""`python -m embedded`: the servers from the command line."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from embedded import leftovers

CLEAN = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}


def call(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    argv = [sys.executable, "-m", "embedded", *(str(argument) for argument in arguments)]
    return subprocess.run(argv, capture_output=True, text=True, env=CLEAN, timeout=120, check=False)


def test_run_gives_addresses_and_passes_the_exit_code_on(tmp_path: Path) -> None:
    """The command sees both addresses; its exit code is ours; the servers are gone afterwards."""
    code = "import os, sys, psycopg; psycopg.connect(os.environ['DATABASE_URL']).close(); sys.exit(5)"
    answer = call("--data", tmp_path / "data", "run", "--", sys.executable, "-c", code)
    assert (answer.returncode, answer.stderr) == (5, "")
    assert not (tmp_path / "data" / "postgres" / "postmaster.pid").exists()


def test_env_and_forget_know_whether_servers_run(tmp_path: Path) -> None:
    """`env` tells the addresses of what runs; `forget` removes the data, but never under running servers."""
    data = tmp_path / "data"
    silent = call("--data", data, "env")
    assert silent.returncode == 1
    assert "No servers run on" in silent.stderr
    session = subprocess.Popen(
        [sys.executable, "-m", "embedded", "--data", str(data), "up"], stdout=subprocess.PIPE, text=True, env=CLEAN
    )
    assert session.stdout is not None
    shown = session.stdout.readline() + session.stdout.readline()
    assert call("--data", data, "env").stdout == shown
    assert [line.split("=")[0] for line in shown.splitlines()] == ["export DATABASE_URL", "export REDIS_URL"]
    refused = call("--data", data, "forget")
    assert refused.returncode == 1
    assert "stop them before" in refused.stderr
    pid = int((data / "postgres" / "postmaster.pid").read_text().splitlines()[0])
    session.send_signal(signal.SIGTERM)
    session.communicate(timeout=60)
    assert not leftovers.alive(pid)
    assert call("--data", data, "forget").returncode == 0
    assert not data.exists()


def test_a_temporary_folder_goes_away() -> None:
    """`--temporary` leaves nothing behind."""
    code = "import os; print(os.environ['REDIS_URL'])"
    answer = call("--temporary", "run", "--", sys.executable, "-c", code)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith("redis://:")
