"""Sending again on purpose: four eyes, the same keys, nothing doubled at the partner, no book of ours moved."""

import dataclasses
import socket
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from hub import access, draining, replay, replaying, sending, tasks, vault
from hub.errors import NotAllowed, Refused
from hub.models import Breaker, Delivery, Dispatch, Endpoint, ExceptionCase, Partner, Replay, Resend
from hub.routing import registry
from tests import world
from tests.faults.kit import LONG_AGO, Books, asked_of_erp, rows
from tests.world import dft, ft1

SENT = [dft(f"M{n}", f"A{n % 3}", ft1(f"T{n}", "STENT", "1", "2000")) for n in range(6)]
WHY = "their backup of last night was restored"


@pytest.fixture
def done(books: Books) -> Books:
    """Six charges are posted at the ERP."""
    world.receive(*SENT)
    world.run_until_quiet()
    books.agree(*SENT, posted=6)
    return books


def plan(**options: Any) -> Replay:
    """A plan over everything that was delivered to the ERP."""
    said: dict[str, Any] = {"mode": "resend", "reason": WHY, "by": access.SYSTEM, **options}
    return replay.plan("deliveries", {"endpoint": "summit", "since": "2026-01-01T00:00:00Z"}, **said)


def run(one: Replay) -> dict[str, int]:
    """Let a second person approve it, then do what the workers would do."""
    approver = world.user("approver.two", "hub.approve_replay", "hub.view_replay")
    replay.approve(one, by=access.person(approver))
    replay.start(one, by=access.SYSTEM)
    finish()
    one.refresh_from_db()
    return replay.counts(one)


def finish(rounds: int = 6) -> None:
    """Whatever waits for its time has come to it."""
    for _ in range(rounds):
        world.run_until_quiet()
        Resend.objects.filter(status="waiting").update(due_at=LONG_AGO)
        Breaker.objects.exclude(status="closed").update(probe_at=LONG_AGO)


def house() -> list[Any]:
    """Everything that a resend must not move."""
    tables = ("hub_delivery", "hub_dispatch", "hub_fact", "erp_journal", "erp_journalline", "billing_charge")
    return [rows(f"SELECT * FROM {table} ORDER BY 1") for table in tables]


def test_R_9_a_partner_that_has_it_answers_have_it_and_nothing_is_doubled(
    done: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every call goes out once more under its old key; the ledger and our books are what they were."""
    before, calls = house(), Dispatch.objects.filter(status="delivered").count()
    one = plan()
    asked = asked_of_erp(monkeypatch)
    assert (one.status, one.needs_approval, one.count) == ("waiting_approval", True, 6)
    (leg,) = one.destinations
    assert leg["promise"].startswith("It promises to know the key")
    assert run(one) == {"pending": 0, "moving": 0, "done": 6, "skipped": 0, "failed": 0}
    assert one.status == "done"
    assert asked == ["send"] * calls
    assert house() == before
    done.agree(*SENT, posted=6)
    assert ExceptionCase.objects.count() == 0


def test_a_resend_needs_its_own_permission_and_a_second_person(done: Books) -> None:
    """However small it is: the planner cannot start it, and the database refuses what goes round the verb."""
    planner = access.person(world.user("planner", "hub.plan_replay", "hub.run_replay"))
    with pytest.raises(NotAllowed):
        plan(by=planner)
    allowed = access.person(world.user("allowed", "hub.plan_replay", "hub.run_replay", "hub.resend_delivery",
                                       "hub.approve_replay"))  # fmt: skip
    one = plan(by=allowed, limit=1)
    assert (one.count, one.status) == (1, "waiting_approval")
    with pytest.raises(Refused, match="STATE_MOVE"):
        replay.start(one, by=allowed)
    with pytest.raises(Refused, match="REPLAY_OWN"):
        replay.approve(one, by=allowed)
    with pytest.raises(IntegrityError, match="replay_sends_again_with_four_eyes"), transaction.atomic():
        Replay.objects.filter(pk=one.pk).update(needs_approval=False)
    assert Resend.objects.count() == 0


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"mode": "twice"}, "REPLAY_MODE"),
        ({"mode": "again", "to": "summit"}, "REPLAY_DESTINATION"),
        ({"mode": "copy"}, "REPLAY_DESTINATION"),
        ({"mode": "copy", "to": "nowhere"}, "REPLAY_DESTINATION"),
        ({"mode": "copy", "to": "summit"}, "REPLAY_DESTINATION"),  # no shadow: it would take it for its own
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_written(
    books: Books, options: dict[str, Any], code: str
) -> None:
    """Each refusal says what to do; no plan is kept."""
    with pytest.raises(Refused, match=code):
        plan(**options)
    with pytest.raises(Refused, match="REPLAY_MODE"):
        replay.plan("messages", {"status": "stopped"}, mode="resend", reason=WHY, by=access.SYSTEM)
    with pytest.raises(Refused, match="REPLAY_MODE"):
        replay.plan("deliveries", {"status": "stopped"}, mode="resend", reason=WHY, by=access.SYSTEM)
    assert Replay.objects.count() == 0


def test_a_partner_that_lost_it_gets_it_again_and_somebody_compares(done: Books) -> None:
    """Its answers name other references than our books: every item is done, and a case asks to compare."""
    Dispatch.objects.update(reference="J-LOST")
    one = plan()
    assert run(one)["done"] == 6
    calls = Dispatch.objects.count()
    assert ExceptionCase.objects.filter(code="DELIVERY_RESEND", status="open", owner="finance").count() == calls
    assert "our books name J-LOST" in str(one.items.get(position=1).text)


def test_F_E1_while_the_partner_is_away_it_is_tried_again_and_done_once(done: Books) -> None:
    """Unreachable, then an answer that never came: the key is the same, so the ledger has nothing twice."""
    one = plan()
    done.fault("unavailable", times=2)
    assert run(one)["done"] == 6
    done.agree(*SENT, posted=6)
    assert max(Resend.objects.values_list("attempts", flat=True)) > 1


def test_what_was_never_delivered_is_left_as_it_is(books: Books) -> None:
    """A delivery that waits is not among the chosen; one that stopped meanwhile says why it was left."""
    world.receive(*SENT)
    world.run_until_quiet()
    one = plan()
    Delivery.objects.filter(key="A0", route="journals.post").update(status="waived")
    counted = run(one)
    assert (counted["done"], counted["skipped"]) == (4, 2)


def test_cancelled_before_it_went_out_it_stays_unsent(done: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """The items say so, and the partner was asked nothing."""
    asked = asked_of_erp(monkeypatch)
    one = plan()
    replay.approve(one, by=access.person(world.user("two", "hub.approve_replay")))
    replay.start(one, by=access.SYSTEM)
    replaying.step()
    assert Resend.objects.filter(status="waiting").exists()
    replay.cancel(one, reason="not today", by=access.SYSTEM)
    finish()
    assert asked == []
    assert set(Resend.objects.values_list("status", flat=True)) == {"failed"}
    assert replay.counts(one)["failed"] == 6


def test_a_paused_or_drained_endpoint_gets_nothing_until_it_goes_on(
    done: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a person wants again is new: it waits like everything that is new."""
    asked = asked_of_erp(monkeypatch)
    erp = Endpoint.objects.get(code="summit")
    draining.drain(erp, reason=WHY, by=access.SYSTEM)
    one = plan()
    assert run(one)["moving"] == 6
    assert asked == []
    draining.take_again(erp, by=access.SYSTEM)
    finish()
    assert replay.counts(one)["done"] == 6


def test_a_copy_goes_to_the_shadow_system_and_to_nobody_else(
    done: Books, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The shadow gets no fact by itself; the replay gives it every call, twice without doubling; the ERP gets none."""
    port = _free_port()
    ledger, token = tmp_path_factory.mktemp("shadow") / "erp.sqlite3", "a-token-for-tests-only"
    shadow = world.Erp(f"http://127.0.0.1:{port}", token, world._start_erp(port, ledger, token), ledger)
    try:
        partner = Partner.objects.create(code="shadow", name="Shadow ERP", kind="erp")
        Endpoint.objects.create(
            partner=partner, code="shadow", name="Shadow ERP", direction="out", format="rest_ledger", transport="http",
            settings={"base_url": shadow.url, "read_s": 2, "connect_s": 1}, secret=vault.seal(token), shadow=True,
        )  # fmt: skip
        world.receive(dft("N", "A9", ft1("N", "STENT", "1", "2000")))
        world.run_until_quiet()
        assert shadow.totals()["journals"] == 0
        before, mine = house(), done.totals()
        one = plan(mode="copy", to="shadow")
        assert (one.destination.code if one.destination else "", one.count) == ("shadow", 7)
        assert run(one)["done"] == 7
        theirs = shadow.totals()
        assert theirs["journals"] == Dispatch.objects.filter(status="delivered").count()
        again = plan(mode="copy", to="shadow")
        replay.approve(again, by=access.person(world.user("three", "hub.approve_replay")))
        replay.start(again, by=access.SYSTEM)
        finish()
        assert replay.counts(again)["done"] == 7
        assert shadow.totals() == theirs
        assert (house(), done.totals()) == (before, mine)
    finally:
        shadow.kill()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_a_receiver_that_promises_nothing_is_asked_before_it_gets_anything(
    done: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its route is not keyed: what it says it has is not sent."""
    asked = asked_of_erp(monkeypatch)
    route = registry.outbound("journals.post")
    monkeypatch.setitem(registry.routes, route.name, dataclasses.replace(route, keyed=False))
    one = plan()
    assert one.destinations[0]["promise"].startswith("It does not promise")
    assert run(one)["done"] == 6
    assert set(asked) == {"find"}


def test_a_shadow_is_outbound(books: Books) -> None:
    """The database refuses an inbound one."""
    with pytest.raises(IntegrityError, match="endpoint_shadow_is_outbound"), transaction.atomic():
        Endpoint.objects.filter(direction="in").update(shadow=True)


def test_the_senders_task_sends_again_beside_what_is_new(done: Books) -> None:
    """One turn of the real task takes both; the sweep knows that something waits."""
    one = plan()
    replay.approve(one, by=access.person(world.user("two", "hub.approve_replay")))
    replay.start(one, by=access.SYSTEM)
    replaying.step()
    erp = Endpoint.objects.get(code="summit")
    assert sending.due_endpoints() == [erp.pk]
    tasks.send(erp.pk)
    assert set(Resend.objects.values_list("status", flat=True)) == {"done"}
    replaying.step()
    assert replay.counts(one)["done"] == 6
    assert sending.due_endpoints() == []
