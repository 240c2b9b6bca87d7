"""A worker that is told to go, or that has no memory left: it ends what it holds, or gives it back (F-W5)."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from celery import Celery
from django.conf import settings

from hub.models import Message
from tests import world
from tests.faults.kit import Books, cases, rows, run_through
from tests.faults.test_crash_points import own_url, worker
from tests.world import ROOT, dft, ft1

pytestmark = pytest.mark.crash
SENT = [dft(f"M{n}", f"A{n % 40}", ft1(f"T{n}", "STENT", "1", "2000")) for n in range(400)]
GRACE_S = 30


@contextmanager
def celery_worker() -> Iterator[subprocess.Popen[bytes]]:
    """A real worker process of the queue "work" on this test's database, with a bell of its own; it has been rung."""
    base, _, number = settings.REDIS_URL.rpartition("/")
    broker = f"{base}/{8 + int(number or 0) % 8}"  # a database that no other worker listens to, of this test process
    bell = Celery("bell", broker=broker)
    with bell.connection_for_write() as link:
        link.default_channel.client.flushdb()
    command = (sys.executable, "-m", "celery", "--quiet", "-A", "hub", "worker", "-Q", "work", "-c", "2")
    env = {**os.environ, "DATABASE_URL": own_url(), "REDIS_URL": broker, "THROUGHLINE_BATCH_SIZE": "5"}
    running = subprocess.Popen([*command, "--loglevel", "WARNING"], cwd=ROOT, env=env, start_new_session=True)
    try:
        for _ in range(2):
            bell.send_task("hub.tasks.work", queue="work")
        yield running
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        bell.close()


def in_the_middle(running: subprocess.Popen[bytes]) -> None:
    """Wait until some messages are done and others are not."""
    for _ in range(3000):
        assert running.poll() is None, "the worker ended"
        if Message.objects.filter(status="applied").count() >= 20:
            return
        time.sleep(0.01)
    pytest.fail("the worker did not begin")


def test_F_W5_a_worker_that_is_told_to_go_ends_its_batch_and_leaves_no_lane_behind(committed_books: Books) -> None:
    """SIGTERM in the middle of 400 messages: exit code 0, nothing leased, nothing half done, the rest is done once."""
    world.receive(*SENT)
    with celery_worker() as running:
        in_the_middle(running)
        running.send_signal(signal.SIGTERM)
        assert running.wait(GRACE_S) == 0
    assert rows("SELECT queue, number FROM hub_lane WHERE token IS NOT NULL") == []
    halves = rows(
        "SELECT m.control_id FROM hub_message m WHERE (m.status = 'applied') <>"
        " EXISTS (SELECT 1 FROM billing_charge c WHERE c.message_id = m.id)"
    )
    assert halves == []
    run_through()
    committed_books.agree(*SENT, posted=len(SENT))
    committed_books.settled()


def test_F_W5_a_whole_worker_that_is_killed_for_memory_gives_its_lanes_back_at_once(committed_books: Books) -> None:
    """As the kernel does it: SIGKILL to parent and children. Another worker goes on without waiting for any lease."""
    world.receive(*SENT)
    with celery_worker() as running:
        in_the_middle(running)
        os.killpg(running.pid, signal.SIGKILL)
        assert running.wait(GRACE_S) == -signal.SIGKILL
    run_through()
    committed_books.agree(*SENT, posted=len(SENT))
    committed_books.settled()


def test_F_W5_a_message_that_wants_more_memory_than_there_is_stops_alone(committed_books: Books) -> None:
    """Under a memory limit the allocation fails: that message stops with a case, its worker lives, the others go on."""
    hungry = dft("H1", "AX", ft1("X1", "STENT", "1", "2000")).replace(b"SYNTHETIC", b"HUNGRY")
    world.receive(*SENT[:20], hungry, *SENT[20:40])
    assert worker("hungry") == 0
    run_through()
    stopped = Message.objects.get(control_id="H1")
    assert (stopped.status, stopped.problem_code) == ("stopped", "BUG")
    assert "MemoryError" in stopped.problem
    assert cases() == {("BUG", "open"): 1}
    committed_books.agree(*SENT[:40], posted=40)
