"""Eight senders look at one open circuit in the same moment: one of them probes, and nobody follows it (F-E2)."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from hub import outbox, pipeline, sending, tasks
from hub.models import Breaker, Endpoint
from hub.routing import Outbound, Outcome, registry
from tests import world
from tests.faults.kit import LONG_AGO, Books, run_through
from tests.races.kit import at_once
from tests.world import dft, ft1

SENDERS, ACCOUNTS = 8, 40


@pytest.mark.parametrize("answers", [True, False])
def test_F_E2_of_eight_senders_one_probes_and_there_is_no_herd(
    committed_books: Books, monkeypatch: pytest.MonkeyPatch, answers: bool
) -> None:
    """Eight lanes are due, the pause is over: one call is made, and until it has ended no second one."""
    Endpoint.objects.filter(code="summit").update(concurrency=SENDERS)
    endpoint = Endpoint.objects.select_related("partner").get(code="summit")
    tasks.ensure_lanes()
    sent = [dft(f"M{n}", f"A{n}", ft1(f"T{n}", "STENT", "1", "2000")) for n in range(ACCOUNTS)]
    world.receive(*sent)
    while pipeline.drain() + outbox.drain():
        pass
    Breaker.objects.create(
        endpoint=endpoint, status="open", failures=5, openings=1, opened_at=LONG_AGO, probe_at=LONG_AGO
    )
    real = registry.routes["journals.post"]
    assert isinstance(real, Outbound)
    calls: list[UUID] = []
    others_done = threading.Semaphore(0)

    def send(endpoint: Endpoint, key: UUID, facts: Sequence[Any]) -> Outcome:
        calls.append(key)
        for _ in range(SENDERS - 1):  # the probe hangs until all others have come and gone
            assert others_done.acquire(timeout=60)
        return real.send(endpoint, key, facts) if answers else Outcome("retryable", code="ERP_UNREACHABLE", text="no")

    route = replace(real, send=send)

    def sender() -> int:
        tried = sending.step(route, endpoint)
        others_done.release()
        return tried

    assert sorted(at_once(*[sender] * SENDERS)) == [0] * (SENDERS - 1) + [1]
    assert len(calls) == 1
    assert Breaker.objects.get().status == ("closed" if answers else "open")
    run_through()
    Breaker.objects.exclude(status="closed").update(probe_at=LONG_AGO)
    run_through()
    committed_books.agree(*sent, posted=ACCOUNTS)
    committed_books.settled()
