"""Redis away, or flushed in the middle: only latency is lost (F-O3). No ring raises, the sweep finds the work."""

import socket
from typing import Any

import pytest
from django.conf import LazySettings
from redis import Redis

from hub import queue, tasks
from hub.models import Endpoint, Message
from tests import world
from tests.faults.kit import Books
from tests.world import dft, ft1

SENT = tuple(dft(f"M{n}", f"A{n}", ft1(f"T{n}", "STENT", "1", "2000")) for n in range(4))


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[int]]]:
    """The tasks that were rung for; nobody runs them by himself here."""
    heard: list[tuple[str, list[int]]] = []

    def send_task(name: str, args: list[int], **_options: Any) -> None:
        heard.append((name, args))

    monkeypatch.setattr(queue.app, "send_task", send_task)
    monkeypatch.setattr(queue, "_doorbell", queue.Doorbell())
    queue.answered("work")
    for endpoint_id in Endpoint.objects.values_list("pk", flat=True):
        queue.answered("send", endpoint_id)
    return heard


@pytest.fixture
def no_redis(settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        settings.REDIS_URL = f"redis://127.0.0.1:{free.getsockname()[1]}/0"
    monkeypatch.setattr(queue, "_doorbell", queue.Doorbell())


def test_F_O3_without_redis_messages_are_taken_and_worked_on_all_the_same(
    committed_books: Books, no_redis: None
) -> None:
    """Door, worker, sender and sweep do their work; nothing raises, and both books agree."""
    assert world.receive(*SENT) == ["AA"] * len(SENT)
    queue.ring("work")
    tasks.sweep()
    tasks.work()
    for endpoint in Endpoint.objects.filter(direction="out"):
        tasks.send(endpoint.pk)
    tasks.work()
    committed_books.agree(*SENT, posted=len(SENT))
    committed_books.settled()


def test_F_O3_while_redis_is_away_nobody_waits_for_it_twice(no_redis: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """After one failure the bell is left alone for a while, so that a door does not wait for each message."""
    tried: list[str] = []
    real = queue.Doorbell.client
    monkeypatch.setattr(queue.Doorbell, "client", lambda self: (tried.append("once"), real(self))[1])
    for _ in range(5):
        queue.ring("work")
    assert tried == ["once"]


@pytest.mark.usefixtures("books")
def test_F_O3_after_a_flush_the_sweep_rings_for_all_that_waits(
    rung: list[tuple[str, list[int]]], settings: LazySettings, books: Books
) -> None:
    """FLUSHDB forgets the rings and the tasks: the next sweep rings for messages, and for each partner with work."""
    summit = Endpoint.objects.get(code="summit")
    world.receive(*SENT)
    queue.ring("work")
    queue.ring("work")
    assert rung == [("hub.tasks.work", [])]  # the second is one too many while the first was not answered
    with Redis.from_url(settings.REDIS_URL) as redis:
        redis.flushdb()
    rung.clear()
    tasks.sweep()
    assert rung == [("hub.tasks.work", [])]
    tasks.work()
    assert Message.objects.filter(status="applied").count() == len(SENT)

    with Redis.from_url(settings.REDIS_URL) as redis:
        redis.flushdb()
    rung.clear()
    tasks.sweep()
    assert rung == [("hub.tasks.work", []), ("hub.tasks.send", [summit.pk])]
    tasks.send(summit.pk)
    tasks.work()
    books.agree(*SENT, posted=len(SENT))
    rung.clear()
    queue.answered("work")
    tasks.sweep()
    assert ("hub.tasks.send", [summit.pk]) not in rung  # nothing is due any more
