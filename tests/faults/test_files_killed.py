"""kill -9 in the middle of a file, and two processes at one folder: every message once (F-F2)."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from hub.files.runner import Runner
from hub.models import InboundFile
from tests.faults import file_kit
from tests.faults.file_kit import Folder, batch, charges, message, stored
from tests.faults.test_crash_points import own_url
from tests.world import ROOT

# Takes what is in the folder and dies at the n-th commit of messages: before or after it, as asked.
CHILD = """
import os, signal, sys, django
django.setup()
from hub import inbox
from hub.files import intake
from hub.files.runner import Runner
when, left = sys.argv[1], [int(sys.argv[2])]
intake.CHUNK = 3
real = inbox.receive
def receive(arrivals, *, now):
    left[0] -= 1
    if left[0] == 0 and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    receipts = real(arrivals, now=now)
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return receipts
inbox.receive = receive
Runner().step()
"""


@pytest.fixture
def feed(committed_network: Any, tmp_path: Path, settings: Any) -> Folder:
    """A folder on committed data."""
    settings.FOLDER_ROOTS = [str(tmp_path)]
    return file_kit.folder(tmp_path / "in", complete="rename")


@pytest.mark.crash
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_in_the_middle_it_is_resumed_by_another_process(feed: Folder, when: str) -> None:
    """F-F2: dead at the second commit, dead again at the next one, then completed: ten messages, each once."""
    feed.put("a.hl7", batch(*map(message, range(10))))
    environment = {
        **os.environ, "DATABASE_URL": own_url(), "DJANGO_SETTINGS_MODULE": "hub.settings",
        "THROUGHLINE_FOLDER_ROOTS": str(feed.path.parent),
    }  # fmt: skip
    for number in ("2", "1"):
        child = subprocess.run(
            [sys.executable, "-c", CHILD, when, number], cwd=ROOT, env=environment, check=False, capture_output=True,
            timeout=60,
        )  # fmt: skip
        assert child.returncode == -signal.SIGKILL, child.stderr.decode()
        assert InboundFile.objects.get().status == "reading"
    assert feed.look() == 1
    row = InboundFile.objects.get()
    assert (row.status, row.rows, row.handed, row.known) == ("loaded", 10, 10, 0)
    assert sorted(stored()) == sorted(f"F{n}" for n in range(10))
    assert charges() == 10
    assert feed.names("done") == ["a.hl7"]


def test_two_processes_at_one_folder_take_each_file_once(feed: Folder) -> None:
    """Whoever comes second finds the folder taken, and looks again later."""
    for number in range(20):
        feed.put(f"{number}.hl7", message(number))
    taken: list[int] = []
    start = threading.Barrier(2)

    def run() -> None:
        try:
            runner = Runner()
            start.wait(20)
            taken.append(runner.step())
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(taken) == 20
    assert InboundFile.objects.filter(status="loaded", times=1).count() == 20
    assert len(stored()) == 20
