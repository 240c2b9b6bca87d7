"""Relays, redeliveries, schedulers and deadlocks: whatever is done twice, late or in another order is done once."""

import threading
import time
from dataclasses import replace
from typing import Any

import pytest
from django.db import transaction

from billing.flows import charges
from billing.models import Charge
from erp.models import JournalLine
from hub import bulk, ids, outbox, queue, tasks
from hub.models import Delivery, Endpoint, Message
from hub.routing import Inbound, registry
from mappings.canonical import JournalPosted
from tests import world
from tests.races.kit import at_once
from tests.world import dft, ft1

SENT = tuple(dft(f"M{n}", f"A{n}", ft1(f"T{n}", "STENT", "1", "2000")) for n in range(6))


def posted(name: str) -> outbox.Published:
    """A fact that some reaction hears and that moves nothing."""
    fact = JournalPosted(journal_id=ids.uuid7(), facility="RIVER", erp_reference=name, charge_ids=())
    return outbox.Published(fact, ids.uuid7())


def delivered() -> int:
    """Deliveries that were heard."""
    return Delivery.objects.filter(status="delivered").count()


def test_F_O2_a_fact_that_is_committed_late_is_heard_though_later_ones_were_before_it(
    committed_network: Endpoint,
) -> None:
    """A relay that remembered the highest id would lose it: here what waits is found by its state."""
    written, may_commit = threading.Event(), threading.Event()

    def slow() -> None:
        with transaction.atomic():
            outbox.publish([posted("first")])
            written.set()
            may_commit.wait(30)

    def quick() -> tuple[int, int]:
        written.wait(30)
        with transaction.atomic():
            outbox.publish([posted("second")])
        taken = outbox.drain()
        may_commit.set()
        return taken, delivered()

    _, heard = at_once(slow, quick)
    assert heard == (1, 1)
    assert outbox.drain() == 1
    assert delivered() == Delivery.objects.count() == 2


def test_F_W3_rings_that_come_three_times_late_and_in_any_order_add_nothing(committed_network: Endpoint) -> None:
    """A task says only that there may be work: redelivered, it finds none."""
    assert world.receive(*SENT) == ["AA"] * len(SENT)
    at_once(tasks.work, tasks.work, tasks.work)
    first = Charge.objects.count(), JournalLine.objects.count(), Delivery.objects.count()
    for task in (tasks.sweep, tasks.work, tasks.work):
        task()
    assert first == (len(SENT), 2 * len(SENT), Delivery.objects.count())
    assert (Charge.objects.count(), JournalLine.objects.count()) == first[:2]
    assert set(Message.objects.values_list("status", flat=True)) == {"applied"}


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tasks that were rung for; nobody runs them."""
    heard: list[str] = []
    monkeypatch.setattr(queue.app, "send_task", lambda name, *_args, **_options: heard.append(name))
    monkeypatch.setattr(queue, "_doorbell", queue.Doorbell())
    queue.answered("work")
    return heard


@pytest.mark.usefixtures("committed_network")
def test_F_B1_whatever_waited_while_no_scheduler_ran_is_found_by_its_first_sweep(rung: list[str]) -> None:
    """Nobody rang for two hours: one sweep rings once, for all of it."""
    world.receive(*SENT)
    assert rung == []
    tasks.sweep()
    assert rung == ["hub.tasks.work"]


@pytest.mark.usefixtures("committed_network")
def test_F_B2_two_schedulers_that_sweep_at_once_ring_once(rung: list[str]) -> None:
    """Each would be one too many."""
    world.receive(*SENT)
    at_once(tasks.sweep, tasks.sweep)
    assert rung == ["hub.tasks.work"]


def test_F_W4_a_batch_that_a_deadlock_ends_is_done_again_and_whole(
    committed_network: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL ends one of two that wait for each other: nothing stays half, and the next turn has the batch."""
    world.receive(*SENT)
    route = registry.routes["charges.dft"]
    assert isinstance(route, Inbound)
    met, tries = threading.Event(), []

    def apply(parts: Any, *, by: Any) -> Any:
        answer = charges.capture(parts, by=by)
        tries.append(len(parts))
        if len(tries) == 1:
            bulk.fetch("SELECT pg_advisory_xact_lock(41)")
            met.set()
            time.sleep(0.2)
            bulk.fetch("SELECT pg_advisory_xact_lock(42)")
        return answer

    def other() -> None:
        with transaction.atomic():
            bulk.fetch("SELECT pg_advisory_xact_lock(42)")
            met.wait(30)
            bulk.fetch("SELECT pg_advisory_xact_lock(41)")

    swapped = replace(route, apply=apply)
    monkeypatch.setitem(registry.routes, route.name, swapped)
    monkeypatch.setattr(registry, "inbound", lambda *_: swapped)
    at_once(tasks.work, other)
    tasks.work()
    assert set(Message.objects.values_list("status", flat=True)) == {"applied"}
    assert Charge.objects.count() == len(SENT)
    assert sum(tries) in {len(SENT), 2 * len(SENT)}  # the other one may have been ended
    assert bulk.fetch("SELECT count(*) FROM hub_lane WHERE token IS NOT NULL") == [(0,)]
