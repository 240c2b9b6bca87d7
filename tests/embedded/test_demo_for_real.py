"""The demo itself, from nothing to a clean stop, and once more on what it left."""

import os
import subprocess
import sys
from pathlib import Path

from embedded import leftovers


def clean_environment() -> dict[str, str]:
    """The environment of a person who just cloned the project."""
    ours = ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE")
    return {n: v for n, v in os.environ.items() if n not in ours and not n.startswith(("THROUGHLINE_", "COVERAGE_"))}


def test_the_demo_comes_up_and_stops(tmp_path: Path) -> None:
    """From nothing: servers, migration, network, every process up, address and log-ins shown, nothing left behind.

    The second start finds the first one's data again.
    """
    places = ["--data", str(tmp_path / "servers"), "--folder", str(tmp_path / "demo")]
    argv = [sys.executable, "-m", "embedded.demo", "--try", *places]
    for _start in range(2):
        answer = subprocess.run(argv, capture_output=True, text=True, env=clean_environment(), timeout=240, check=False)
        assert answer.returncode == 0, answer.stdout + answer.stderr
        assert "Open    http://127.0.0.1:" in answer.stdout
        logins = (tmp_path / "demo" / "logins.txt").read_text().strip()
        assert logins
        assert all(line.strip() in answer.stdout for line in logins.splitlines())
        assert answer.stdout.rstrip().endswith("everything is stopped")
        assert "Traceback" not in answer.stdout
        assert "starting it again" not in answer.stdout
        assert leftovers.marked((tmp_path / "servers").resolve()) == []
