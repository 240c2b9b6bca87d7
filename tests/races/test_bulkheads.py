"""One black-holed partner holds its own share of the sender's threads, and no other partner's (R-6)."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from hub import bulkheads, outbox, pipeline, tasks, vault
from hub.models import Delivery, Dispatch, Endpoint, Partner
from hub.routing import Outbound, Outcome, registry
from tests import world
from tests.faults.kit import Books
from tests.world import dft, ft1

THREADS, ACCOUNTS = 8, 40


@pytest.mark.parametrize(
    ("threads", "partners", "expected"), [(8, 1, 8), (8, 2, 4), (8, 3, 2), (8, 8, 1), (8, 50, 1), (1, 4, 1), (4, 0, 4)]
)
def test_the_shares_of_all_partners_never_exceed_the_pool_until_each_has_one(
    threads: int, partners: int, expected: int
) -> None:
    """Equal parts, rounded down, and one at least."""
    assert bulkheads.share(threads, partners) == expected


def test_a_place_is_given_back_also_after_a_failure() -> None:
    """Who finds no place takes none away."""
    bulkhead = bulkheads.Bulkhead()
    with bulkhead.enter(1, share=1) as first, bulkhead.enter(1, share=1) as second, bulkhead.enter(2, share=1) as other:
        assert (first, second, other) == (True, False, True)
    with pytest.raises(ZeroDivisionError), bulkhead.enter(1, share=1):
        raise ZeroDivisionError
    with bulkhead.enter(1, share=1) as again:
        assert again


class BlackHole:
    """Takes calls and says nothing, until the test lets go."""

    def __init__(self, endpoint_id: int) -> None:
        self.endpoint_id = endpoint_id
        self.lock, self.opened, self.full = threading.Lock(), threading.Event(), threading.Event()
        self.inside = self.most = 0

    def swallow(self) -> Outcome:
        """A call that hangs; the most of them at once are counted."""
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
            if self.inside == THREADS // 2:
                self.full.set()
        assert self.opened.wait(60)
        with self.lock:
            self.inside -= 1
        return Outcome("retryable", code="ERP_UNREACHABLE", text="no answer", retry_after_s=3600)


@pytest.fixture
def hole(committed_books: Books, monkeypatch: pytest.MonkeyPatch) -> Iterator[BlackHole]:
    """A second ERP that hangs, with as many lanes as there are threads."""
    partner = Partner.objects.create(code="hole", name="Hole", kind="erp")
    dead = Endpoint.objects.create(
        partner=partner, code="hole", name="Hole", direction="out", format="rest_ledger", transport="http",
        settings={"base_url": "http://127.0.0.1:9"}, secret=vault.seal("x"), concurrency=THREADS,
    )  # fmt: skip
    made = BlackHole(dead.pk)
    route = registry.routes["journals.post"]
    assert isinstance(route, Outbound)

    def send(endpoint: Endpoint, key: UUID, facts: Sequence[Any]) -> Outcome:
        return made.swallow() if endpoint.pk == made.endpoint_id else route.send(endpoint, key, facts)

    monkeypatch.setitem(registry.routes, route.name, replace(route, send=send, find=lambda *_: made.swallow()))
    monkeypatch.setattr(tasks, "_bulkhead", bulkheads.Bulkhead())
    monkeypatch.setattr(tasks._bulkhead, "threads", THREADS)
    yield made
    made.opened.set()


def ring(endpoint_id: int) -> None:
    """What a thread of the sender's pool does with one ring."""
    try:
        tasks.send(endpoint_id)
    finally:
        connection.close()


def test_R_6_a_black_holed_partner_keeps_half_of_eight_threads_and_the_other_one_gets_everything(
    committed_books: Books, hole: BlackHole
) -> None:
    """Sixteen rings for the dead one come first; all forty deliveries of the living one are there while it hangs."""
    living = Endpoint.objects.get(code="summit")
    sent = [dft(f"M{n}", f"A{n}", ft1(f"T{n}", "STENT", "1", "2000")) for n in range(ACCOUNTS)]
    tasks.ensure_lanes()
    world.receive(*sent)
    while pipeline.drain() + outbox.drain():
        pass
    lanes = Delivery.objects.filter(endpoint_id=hole.endpoint_id).values("lane").distinct().count()
    assert lanes == THREADS  # without a bulkhead it could take every thread

    with ThreadPoolExecutor(THREADS) as pool:
        dead = [pool.submit(ring, hole.endpoint_id) for _ in range(2 * THREADS)]
        alive = pool.submit(ring, living.pk)
        try:
            alive.result(60)
            assert hole.full.wait(60)
            assert hole.inside == hole.most == THREADS // 2
            assert Delivery.objects.filter(endpoint=living, status="delivered").count() == ACCOUNTS
            assert Delivery.objects.filter(endpoint_id=hole.endpoint_id, status="delivered").count() == 0
            assert Dispatch.objects.filter(endpoint_id=hole.endpoint_id, status="sending").count() == THREADS // 2
        finally:
            hole.opened.set()
        wait(dead, 60)
        assert [one.exception() for one in dead] == [None] * len(dead)
    assert committed_books.totals()["distinct_references"] == ACCOUNTS
