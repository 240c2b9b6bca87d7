"""Eight workers at once, on one lane and on all of them: everything once, in order per key, nobody in the way."""

import time
from collections.abc import Callable

import pytest
from django.conf import LazySettings
from django.db import connection

from billing.models import Charge
from hub import access, cases, ids, lanes, outbox, pipeline, sending
from hub.models import Dispatch, ExceptionCase, Fact, Message
from tests import world
from tests.faults.kit import Books, balanced, rows
from tests.races.kit import at_once
from tests.world import dft, ft1

OPEN = (
    "SELECT 1 FROM hub_message WHERE status = 'received' UNION ALL"
    " SELECT 1 FROM hub_delivery WHERE status IN ('pending', 'sending')"
)


def worker() -> int:
    """What a worker process does, until nothing is open any more; returns how much it did."""
    end, done = time.monotonic() + 60, 0
    while rows(OPEN):
        assert time.monotonic() < end, "the work does not end"
        done += pipeline.process(limit=10) + sum(outbox.react(route) for route in outbox.reactions())
        for endpoint in sending.endpoints():
            done += sum(sending.step(route, endpoint) for route in sending.roads(endpoint))
    return done


def in_order(accounts: int) -> None:
    """The facts of each account stand in the order in which its messages came."""
    for account in range(accounts):
        keys = [
            int(line[1][1:])
            for fact in Fact.objects.filter(name="charge.captured/1", key=f"A{account}").order_by("id")
            for line in fact.payload["lines"]
        ]
        assert keys == sorted(keys)


@pytest.mark.parametrize(("accounts", "share"), [(1, 2), (12, 8)])
def test_eight_workers_do_everything_once_and_in_order(
    committed_books: Books, settings: LazySettings, accounts: int, share: int
) -> None:
    """48 messages of one account (one lane), or of twelve; every tenth line comes twice, and no worker fails."""
    settings.WORKERS = share
    sent = [dft(f"M{n}", f"A{n % accounts}", ft1(f"T{n}", "STENT", "2", "4000")) for n in range(48)]
    again = [dft(f"D{n}", f"A{n % accounts}", ft1(f"T{n}", "STENT", "2", "4000")) for n in range(0, 48, 10)]
    world.receive(*sent, *again)
    done = at_once(*[worker] * 8)

    assert all(isinstance(one, int) for one in done), done
    committed_books.agree(*sent, *again, posted=48)
    committed_books.settled()
    assert Charge.objects.filter(status="duplicate").count() == len(again)
    assert Message.objects.filter(status="applied").count() == 48 + len(again)
    in_order(accounts)


def test_the_same_lines_captured_by_many_at_once_are_charged_once(committed_books: Books) -> None:
    """Eight doors get the same five lines under eight accounts' lanes: five are charges, all others are seen."""
    lines = [ft1(f"T{n}", "STENT", "1", "2000") for n in range(5)]
    sent = [dft(f"M{m}", f"A{m}", *(lines if m % 2 else lines[::-1])) for m in range(16)]
    world.receive(*sent)
    done = at_once(*[worker] * 8)

    assert all(isinstance(one, int) for one in done), done
    # The account is part of what makes two lines equal: other accounts under the same id are conflicts.
    assert Charge.objects.filter(status="posted").count() == 5
    assert Charge.objects.filter(status="held", hold_code="CHG_CONFLICT").count() == 75
    balanced(*sent)
    assert committed_books.totals()["distinct_references"] == 5


def test_two_workers_that_open_the_same_cases_do_not_deadlock(committed_network: object) -> None:
    """Each meets the same twenty causes in another order, thirty times over; both agree on one case for each."""
    causes = [
        cases.NewCase(code="MAP_MISSING", subject=f"cause:{n}", title="t", text="t", owner="finance") for n in range(20)
    ]

    def meet(order: list[cases.NewCase]) -> Callable[[], int]:
        def run() -> int:
            for _ in range(30):
                assert len(cases.open_many(order, by=access.SYSTEM)) == 20
            return 30

        return run

    assert at_once(meet(causes), meet(causes[::-1]), meet(causes), meet(causes[::-1])) == [30] * 4
    assert ExceptionCase.objects.count() == 20


def test_F_W2_a_zombie_finds_its_lease_gone_and_changes_nothing(
    committed_network: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its claim and its commit the lane became somebody else's: all is rolled back and left to them."""
    world.receive(dft("M1", "A1", ft1("T1", "STENT", "1", "2000")))
    real = lanes.lease

    def lease(*args: object, **params: object) -> lanes.Lease | None:
        mine = real(*args, **params)  # type: ignore[arg-type]
        if mine is not None:
            rows("UPDATE hub_lane SET token = %s WHERE token = %s RETURNING 1", ids.uuid7(), mine.token)
        return mine

    monkeypatch.setattr(lanes, "lease", lease)
    assert pipeline.process() == 0
    assert Message.objects.get().status == "received"
    assert Charge.objects.count() == 0
    monkeypatch.undo()
    assert pipeline.process() == 0  # the other one still holds it
    rows("UPDATE hub_lane SET leased_until = now() - interval '1 s' WHERE token IS NOT NULL RETURNING 1")
    assert pipeline.process() == 1
    assert Charge.objects.get().status == "captured"


def test_F_W2_a_sender_that_slept_through_its_lease_settles_nothing(
    committed_books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has sent, and the lane is another's: the call stays in doubt until that one has looked it up."""
    world.receive(dft("M1", "A1", ft1("T1", "STENT", "1", "2000")))
    pipeline.drain()
    outbox.drain()
    real = sending._try

    def slow(*args: object) -> None:
        real(*args)  # type: ignore[arg-type]
        rows("UPDATE hub_lane SET token = %s WHERE token IS NOT NULL RETURNING 1", ids.uuid7())

    monkeypatch.setattr(sending, "_try", slow)
    ((route, endpoint),) = [(route, one) for one in sending.endpoints() for route in sending.roads(one)]
    assert sending.step(route, endpoint) == 1
    assert Dispatch.objects.get().status == "sending"
    monkeypatch.undo()
    assert sending.step(route, endpoint) == 0
    rows("UPDATE hub_lane SET leased_until = now() - interval '1 s' WHERE token IS NOT NULL RETURNING 1")
    world.run_until_quiet()
    committed_books.agree(posted=1)
    assert Dispatch.objects.get().attempts == 2


def test_a_living_workers_lanes_are_not_taken_and_a_dead_sessions_are(committed_network: object) -> None:
    """Who holds a lane is known by the database session: alive it keeps its lanes, gone it loses them at once."""
    world.receive(dft("M1", "A1", ft1("T1", "STENT", "1", "2000")))
    busy = {"busy": pipeline.Messages.busy, "share": 16, "paused": []}
    held: list[int] = []

    def take() -> str:
        held.append(len(lanes.lease("inbox", **busy).numbers))  # type: ignore[arg-type, union-attr]
        # Another connection looks while this one is alive.
        (other,) = at_once(lambda: lanes.lease("inbox", **busy))  # type: ignore[arg-type]
        return "free" if other else "held"

    assert at_once(take) == ["held"]
    assert held == [1]
    connection.close()
    for _ in range(100):
        if pipeline.process():
            break
        time.sleep(0.02)
    assert Message.objects.get().status == "applied"
    assert rows("SELECT max(careful) FROM hub_lane WHERE queue = 'inbox'") == [(lanes.CAREFUL - 1,)]
