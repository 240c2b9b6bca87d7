"""kill -9 between any two steps: another worker takes over at once and completes everything exactly once (F-W1)."""

import os
import signal
import subprocess
import sys
import time
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection

from hub import access, interventions
from hub.models import Dispatch, Message
from tests import world
from tests.faults.kit import Books, asked_of_erp, cases, rows, run_through
from tests.world import ROOT, dft, ft1

pytestmark = pytest.mark.crash
POINTS = (
    "messages claimed", "charges written, message not", "messages applied, not committed", "messages committed",
    "facts heard, not committed", "calls claimed, nothing sent", "sent, not settled", "settled, not committed",
)  # fmt: skip
SENT = (
    *(
        dft(f"M{n}", f"A{n % 4}", ft1(f"T{n}", "STENT", "2", "4000"), ft1(f"B{n}", "BALLOON", "1", "310"))
        for n in range(8)
    ),
    dft("C0", "A0", ft1("C0", "STENT", "1", "2000", kind="CD", original="T0")),
)  # fmt: skip


def own_url() -> str:
    """The address of this test's database."""
    settings: Any = connection.settings_dict
    auth = f"{settings['USER']}:{settings['PASSWORD']}" if settings["PASSWORD"] else settings["USER"]
    return f"postgresql://{auth}@{settings['HOST']}:{settings['PORT']}/{settings['NAME']}"


def worker(point: str, **environment: str) -> int:
    """Run a worker process to its death or its end; returns its exit code. Its database session is gone afterwards."""
    env = {**os.environ, "DATABASE_URL": own_url(), **environment}
    others = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    before = set(rows(others))  # other tests of this process may have left a session of a thread of theirs
    ended = subprocess.run([sys.executable, "-m", "tests.faults.child", point], cwd=ROOT, env=env, check=False)
    for _ in range(200):
        if set(rows(others)) <= before:
            return ended.returncode
        time.sleep(0.02)
    pytest.fail("the dead worker's session is still there")


@pytest.mark.parametrize("point", POINTS)
def test_F_W1_killed_at_any_point_nothing_is_lost_or_done_twice(committed_books: Books, point: str) -> None:
    """The lanes of the dead are free at once, and both books agree to the cent afterwards."""
    world.receive(*SENT)
    assert worker(point) == -signal.SIGKILL
    unfinished = rows(
        "SELECT 1 FROM hub_message WHERE status = 'received'"
        " UNION ALL SELECT 1 FROM hub_delivery WHERE status <> 'delivered'"
    )
    assert unfinished
    run_through()

    committed_books.agree(*SENT, posted=17)
    committed_books.settled()
    assert cases() == {}
    assert set(Message.objects.values_list("status", flat=True)) == {"applied"}


def test_F_W1_what_was_sent_and_not_settled_is_looked_up_and_not_sent_again(
    committed_books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dead worker's journal is in the ERP: the next one finds it under its key, and no second one is made."""
    world.receive(*SENT)
    assert worker("sent, not settled") == -signal.SIGKILL
    assert committed_books.totals()["journals"] == 1
    (key,) = Dispatch.objects.values_list("pk", flat=True)
    asked = asked_of_erp(monkeypatch)
    run_through()
    assert asked == ["find"]  # the ERP's own guard would hide a second send
    assert list(Dispatch.objects.values_list("pk", "status")) == [(key, "delivered")]
    committed_books.agree(*SENT, posted=17)


def test_F_P2_a_message_that_kills_its_worker_is_set_aside_and_its_neighbours_go_through(
    committed_books: Books, settings: LazySettings
) -> None:
    """After so many deaths it stops with a case of its own; it blocks its own account and nobody else's."""
    settings.MAX_ATTEMPTS = 2
    killer = dft("K1", "AX", ft1("X1", "STENT", "1", "2000")).replace(b"SYNTHETIC", b"POISON")
    behind = dft("K2", "AX", ft1("X2", "STENT", "1", "2000"))
    world.receive(*SENT[:4], killer, behind, *SENT[4:])
    deaths = 0
    while worker("poison", THROUGHLINE_MAX_ATTEMPTS="2") != 0:
        deaths += 1
        assert deaths < 6
    assert deaths == 3  # once in a batch, then so often alone
    run_through()
    assert cases() == {("POISON", "open"): 1}
    stopped = Message.objects.get(control_id="K1")
    assert (stopped.status, stopped.problem_code, stopped.attempts) == ("stopped", "POISON", 3)
    assert Message.objects.get(control_id="K2").status == "blocked"
    committed_books.agree(*SENT, posted=17)

    interventions.retry_message(stopped, by=access.SYSTEM)
    run_through()
    committed_books.agree(*SENT, killer, behind, posted=19)
    assert cases() == {("POISON", "resolved"): 1}
