"""People and workers at the same row: one wins, the other reads why or begins anew; what is held has a case."""

import threading
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from billing import lines
from billing.flows import holds
from billing.models import Charge
from erp.models import JournalLine
from hub import access, cases, held, ids, interventions, pipeline
from hub.errors import Refused
from hub.models import Endpoint, ExceptionCase, Message, Waiting
from mappings.flows import mappings
from tests import world
from tests.faults.kit import rows
from tests.races.kit import at_once
from tests.world import dft, ft1

BLOCKED = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


def until_somebody_waits() -> None:
    """Come back when another session stands before a lock of ours (or after a second, when none ever does)."""
    for _ in range(100):
        if rows(BLOCKED):
            return
        time.sleep(0.01)


def while_open(inside: Callable[[], Any], meanwhile: Callable[[], Any]) -> list[Any]:
    """`inside` in a transaction that stays open until `meanwhile`, on another connection, waits for it or is done."""
    under_way, done = threading.Event(), threading.Event()

    def first() -> Any:
        with transaction.atomic():
            answer = inside()
            under_way.set()
            for _ in range(100):
                if done.is_set() or rows(BLOCKED):
                    break
                time.sleep(0.01)
        return answer

    def second() -> Any:
        under_way.wait(30)
        try:
            return meanwhile()
        finally:
            done.set()

    return at_once(first, second)


def a_case() -> int:
    """An open case."""
    new = cases.NewCase(code="MAP_MISSING", subject="mapping:x", title="t", text="t", owner="finance")
    return cases.open_many([new], by=access.SYSTEM)["MAP_MISSING", "mapping:x"]


@pytest.mark.parametrize("verb", ["settle", "resolve"])
def test_a_case_is_not_closed_while_a_worker_adds_a_line_to_it(transactional_db: None, verb: str) -> None:
    """The worker's line is not committed yet, and whoever closes cases waits to see it (INV-2)."""
    case_id = a_case()

    def add() -> None:
        a_case()
        Waiting.objects.create(
            case_id=case_id, message_id=ids.uuid7(), part=0, key="A1", label="l", amount=Decimal(1), currency="USD",
            since=timezone.now(),
        )  # fmt: skip

    def close() -> Any:
        if verb == "settle":
            return cases.settle([case_id], by=access.SYSTEM)
        return cases.resolve(ExceptionCase.objects.get(pk=case_id), reason="done", by=access.SYSTEM)

    _, closed = while_open(add, close)
    assert ExceptionCase.objects.get(pk=case_id).status == "open"
    assert closed == 0 if verb == "settle" else isinstance(closed, Refused)


def test_a_case_that_is_closed_at_this_moment_is_opened_anew(transactional_db: None) -> None:
    """A worker meets the cause while the last line goes through: it finds a case all the same."""
    first = a_case()
    _, second = while_open(lambda: cases.settle([first], by=access.SYSTEM), a_case)
    assert isinstance(second, int)
    assert second != first
    assert list(ExceptionCase.objects.order_by("pk").values_list("pk", "status")) == [
        (first, "resolved"), (second, "open"),
    ]  # fmt: skip


def late(committed_network: Endpoint) -> Charge:
    """A charge that a rule holds."""
    world.receive(dft("M1", "A1", ft1("T1", "STENT", "1", "2000", service="20200101")))
    world.run_until_quiet()
    charge = Charge.objects.get()
    assert (charge.status, charge.hold_code) == ("held", "LATE_CHARGE_APPROVAL")
    return charge


def test_of_two_who_accept_and_waive_one_wins_and_the_other_reads_why(committed_network: Endpoint) -> None:
    """The charge ends in one state, and the ledger agrees with it."""
    charge = late(committed_network)
    answers = at_once(
        lambda: holds.waive(Charge.objects.get(pk=charge.pk), reason="too late", by=access.SYSTEM),
        lambda: holds.waive(Charge.objects.get(pk=charge.pk), reason="too late", by=access.SYSTEM),
    )
    assert sorted(type(answer).__name__ for answer in answers) == ["Charge", "Refused"]
    world.run_until_quiet()
    assert Charge.objects.get().status == "waived"
    assert ExceptionCase.objects.get().status == "resolved"
    assert Message.objects.get().status == "applied"
    assert JournalLine.objects.count() == 0


def test_a_charge_that_is_waived_while_a_worker_reads_it_again_is_not_booked(
    committed_network: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker has seen it held and accepted; the waiver is committed first, so nothing is published."""
    charge = late(committed_network)
    holds.accept(charge, reason="in time after all", by=access.SYSTEM)
    real = held.parts_of

    def parts_of(messages: Any) -> Any:
        found = real(messages)
        connection_of_worker = connection.connection
        (answer,) = at_once(lambda: holds.waive(Charge.objects.get(pk=charge.pk), reason="no", by=access.SYSTEM))
        assert isinstance(answer, Charge), answer
        assert connection.connection is connection_of_worker
        monkeypatch.undo()
        return found

    monkeypatch.setattr(held, "parts_of", parts_of)
    world.run_until_quiet()
    assert Charge.objects.get().status == "waived"
    assert JournalLine.objects.count() == 0
    assert rows("SELECT count(*) FROM hub_fact") == [(0,)]


def test_a_charge_that_is_waived_between_reading_and_writing_is_not_booked(
    committed_network: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker found it held, a person waived it, then the worker writes: its batch is given up and read anew."""
    charge = late(committed_network)
    holds.accept(charge, reason="in time after all", by=access.SYSTEM)

    real = lines.write

    def write(*args: Any) -> None:
        monkeypatch.undo()
        (answer,) = at_once(lambda: holds.waive(Charge.objects.get(pk=charge.pk), reason="no", by=access.SYSTEM))
        assert isinstance(answer, Charge), answer
        real(*args)

    monkeypatch.setattr(lines, "write", write)
    world.run_until_quiet()
    world.run_until_quiet()
    assert Charge.objects.get().status == "waived"
    assert rows("SELECT count(*) FROM hub_fact") == [(0,)]
    assert Message.objects.get().status == "applied"


def test_two_who_retry_one_message_at_once_start_it_once(committed_network: Endpoint) -> None:
    """A stopped message goes back to the queue by one of them; the other reads that it is there already."""
    world.receive(dft("M1", "A1", "FT1|1|T1||not a day||CG|STENT|||1|2000"))
    world.run_until_quiet()
    message = Message.objects.get()
    assert message.status == "stopped"
    retry = lambda: interventions.retry_message(Message.objects.get(pk=message.pk), by=access.SYSTEM)  # noqa: E731
    answers = at_once(retry, retry, retry)
    assert sorted(type(answer).__name__ for answer in answers) == ["Message", "Refused", "Refused"]


def test_a_mapping_that_is_approved_while_a_worker_misses_it_releases_what_the_worker_held(
    committed_network: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker looked the code up before the approval and holds its line after it: the approval waits to see it."""
    proposer = access.person(world.user("pat", "mappings.propose_mapping"))
    checker = access.person(world.user("sam", "mappings.approve_mapping", "hub.retry_exceptioncase"))
    mapping = mappings.propose(
        partner=committed_network.partner, domain="department", source_code="CATHLAB2", target_code="R115",
        facility="RIVER", by=proposer,
    )  # fmt: skip
    world.receive(dft("M1", "A1", ft1("T1", "STENT", "1", "2000", "CATHLAB2")))
    under_way, real = threading.Event(), held.settle

    def settle(*args: Any) -> None:  # the code was looked up; its line is about to be held
        under_way.set()
        until_somebody_waits()
        real(*args)

    monkeypatch.setattr(held, "settle", settle)

    def approve() -> Any:
        under_way.wait(30)
        return mappings.approve(mapping, by=checker)

    _, approval = at_once(pipeline.process, approve)
    monkeypatch.undo()
    assert approval.released == 1
    world.run_until_quiet()
    assert Charge.objects.get().status == "captured"
    assert ExceptionCase.objects.get().status == "resolved"
