"""Bulk replay: the plan first, a second person above the threshold, one result for every item, nothing done twice."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import IntegrityError, transaction
from django.utils import timezone

from billing.models import Charge
from hub import access, interventions, outbox, pipeline, replay, replaying, tasks
from hub.errors import NotAllowed, Refused
from hub.models import AuditEntry, Endpoint, ExceptionCase, Message, Replay, ReplayItem, Stop
from tests import world
from tests.world import dft, ft1

pytestmark = pytest.mark.django_db
BAD, WORSE = (ft1(name, "STENT", "1", "2000", service="not a day") for name in ("T0", "T2"))
WHY = "the sender's clock was wrong"


@pytest.fixture(autouse=True)
def door(db: None, settings: LazySettings) -> Endpoint:
    """The small network."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    world.masters()
    made = world.billing()
    tasks.ensure_lanes()
    return made


@pytest.fixture
def arrived() -> None:
    """Two that cannot be read, one behind each, and two that are applied; 2000 of them in the books."""
    world.receive(
        dft("M0", "A1", BAD), dft("M1", "A1", ft1("T1", "STENT", "1", "2000")), dft("M2", "A2", WORSE),
        dft("M3", "A2", ft1("T3", "STENT", "1", "2000")), dft("M4", "A3", ft1("T4", "STENT", "1", "2000")),
        dft("M5", "A4", ft1("T5", "BALLOON", "1", "310")),
    )  # fmt: skip
    world.run_until_quiet()
    assert statuses() == {
        "M0": "stopped", "M1": "blocked", "M2": "stopped", "M3": "blocked", "M4": "applied", "M5": "applied",
    }  # fmt: skip


def statuses() -> dict[str, str]:
    """Message status by control id."""
    return dict(Message.objects.order_by("id").values_list("control_id", "status"))


def results(one: Replay) -> dict[str, str]:
    """Result by control id."""
    named = dict(Message.objects.values_list("id", "control_id"))
    return {named[item.subject_id]: item.result for item in one.items.order_by("position")}


def since() -> str:
    """An hour ago, as filters write it."""
    return (timezone.now() - timedelta(hours=1)).isoformat()


def plan(**filters: str) -> Replay:
    """A plan over messages by the system."""
    return replay.plan("messages", filters or {"since": since()}, reason=WHY, by=access.SYSTEM)


def run(one: Replay) -> None:
    """Start it and do what the workers would do until nothing moves."""
    replay.start(one, by=access.SYSTEM)
    finish(one)


def finish(one: Replay) -> None:
    """Do what the workers would do until nothing moves."""
    world.run_until_quiet()
    one.refresh_from_db()


def repair(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault is ours and is mended: the bad day is read now."""
    real = pipeline.PARSERS["hl7v2"]
    day = f"{world.TODAY:%Y%m%d}".encode()
    monkeypatch.setitem(pipeline.PARSERS, "hl7v2", lambda raw: real(raw.replace(b"not a day", day)))


@pytest.mark.usefixtures("arrived")
def test_R_9_the_plan_tells_what_would_happen_before_anything_moves() -> None:
    """Count, money, where it goes, what is done already, what is blocked; no message has moved."""
    before = statuses()
    one = plan()
    assert (one.status, one.count, one.already, one.behind, one.closed) == ("planned", 6, 2, 2, 0)
    assert (one.worth, one.known) == ({"USD": "2310.0000"}, 2)
    assert one.destinations == [{"name": "DFT^P03 from CareBill Riverside to charges.dft", "count": 6}]
    assert (one.facilities, one.more) == (["RIVER"], False)
    assert replaying.drain() == 0
    world.run_until_quiet()
    assert statuses() == before
    assert set(results(one).values()) == {"pending"}


@pytest.mark.usefixtures("arrived")
def test_the_plan_counts_what_falls_into_a_period_that_is_closed_by_now() -> None:
    """The domain that knows its periods says so."""
    Charge.objects.filter(amount=310).update(posting_date=world.TODAY.replace(day=1) - timedelta(days=3))
    assert plan().closed == 1


@pytest.mark.usefixtures("arrived")
def test_a_stopped_message_goes_again_with_those_behind_it_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their cases close, their stops are lifted, and each item has its result."""
    repair(monkeypatch)
    one = plan(status="stopped")
    run(one)
    assert set(statuses().values()) == {"applied"}
    assert results(one) == {"M0": "done", "M2": "done"}
    assert one.status == "done"
    assert not Stop.objects.exists()
    assert set(ExceptionCase.objects.values_list("status", flat=True)) == {"resolved"}
    assert Charge.objects.count() == 6


@pytest.mark.usefixtures("arrived")
def test_what_stops_again_is_told_as_failed_and_holds_its_key_back_again() -> None:
    """A replay heals nothing by itself: the same fault is found again, those behind it wait again."""
    one = plan()
    run(one)
    assert results(one) == {
        "M0": "failed", "M1": "failed", "M2": "failed", "M3": "failed", "M4": "done", "M5": "done",
    }  # fmt: skip
    assert statuses()["M1"] == "blocked"
    assert replay.counts(one) == {"pending": 0, "moving": 0, "done": 2, "skipped": 0, "failed": 4}
    assert "stopped again" in one.items.get(position=1).text


@pytest.mark.usefixtures("arrived")
def test_INV_3_replaying_what_is_applied_changes_no_book() -> None:
    """The same charges, the same facts, the same journal lines: a posted line is known by its key."""

    def books() -> list[Any]:
        charges = list(Charge.objects.order_by("id").values_list("id", "status", "amount", "line_key"))
        return [charges, *tables("hub_fact", "hub_delivery", "erp_journalline", "erp_allocation")]

    notes = list(Message.objects.order_by("id").values_list("notes", flat=True))
    before = books()
    one = plan(status="applied", since=since())
    run(one)
    assert results(one) == {"M4": "done", "M5": "done"}
    assert books() == before
    assert list(Message.objects.order_by("id").values_list("notes", flat=True)) == notes
    assert Message.objects.filter(control_id__in=["M4", "M5"], status="applied", settled_at__isnull=False).count() == 2


def tables(*names: str) -> list[int]:
    """How many rows these tables have."""
    with transaction.atomic():
        return [replay.bulk.fetch(f"SELECT count(*) FROM {name}")[0][0] for name in names]


@pytest.mark.usefixtures("arrived")
def test_what_a_person_decided_or_a_case_holds_is_left_and_says_why() -> None:
    """Waived, held and blocked ones stay as they are, each with a sentence."""
    interventions.waive_message(Message.objects.get(control_id="M0"), reason="by mistake", by=access.SYSTEM)
    world.receive(dft("M6", "A9", ft1("T9", "STENT", "1", "2000", "CATHLAB2")))
    world.run_until_quiet()
    one = plan()
    Message.objects.filter(control_id="M4").update(kind="ADT^A01")  # a route whose messages tell of a state
    ReplayItem.objects.filter(subject_id=Message.objects.get(control_id="M2").pk).delete()
    run(one)
    told = dict(zip(results(one), one.items.order_by("position").values_list("text", flat=True), strict=True))
    assert results(one) == {
        "M0": "skipped", "M1": "done", "M3": "skipped", "M4": "skipped", "M5": "done", "M6": "skipped",
    }  # fmt: skip
    assert "waived it" in told["M0"]
    assert "not part of this replay" in told["M3"]
    assert "state that later messages" in told["M4"]
    assert "heal the case" in told["M6"]


@pytest.mark.usefixtures("arrived")
def test_above_the_threshold_a_second_person_approves_and_never_the_planner(settings: LazySettings) -> None:
    """It cannot start before; the database refuses the planner too, whoever asks it."""
    settings.REPLAY_APPROVAL_ITEMS = 5
    everything = ("hub.plan_replay", "hub.run_replay", "hub.approve_replay")
    planner, second = (
        access.person(world.user("planner", *everything)),
        access.person(world.user("second", *everything)),
    )
    one = replay.plan("messages", {"since": since()}, reason=WHY, by=planner)
    assert (one.status, one.needs_approval) == ("waiting_approval", True)
    with pytest.raises(Refused, match="waiting_approval"):
        replay.start(one, by=planner)
    for own in (planner, access.SYSTEM):
        with pytest.raises(Refused, match="second person"):
            replay.approve(one, by=own)
    with pytest.raises(IntegrityError, match="replay_approver_is_not_the_planner"), transaction.atomic():
        Replay.objects.filter(pk=one.pk).update(approved_by=planner.user, approved_at=timezone.now())
    with pytest.raises(IntegrityError, match="replay_runs_when_approved"), transaction.atomic():
        Replay.objects.filter(pk=one.pk).update(status="running")
    replay.approve(one, by=second)
    replay.start(one, by=planner)
    assert one.status == "running"
    assert AuditEntry.objects.get(verb="replays.approve").actor == "second"


@pytest.mark.usefixtures("arrived")
def test_a_second_person_may_say_no_with_a_reason(settings: LazySettings) -> None:
    """Nothing has moved, nothing will."""
    settings.REPLAY_APPROVAL_ITEMS = 1
    second = access.person(world.user("second", "hub.approve_replay"))
    one = plan()
    with pytest.raises(Refused, match="reason"):
        replay.reject(one, reason=" ", by=second)
    replay.reject(one, reason="not at month end", by=second)
    assert one.status == "cancelled"
    assert set(results(one).values()) == {"pending"}


@pytest.mark.usefixtures("arrived")
def test_cancelling_in_the_middle_leaves_the_rest_untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was begun gets its result; what was not begun is as it was."""
    repair(monkeypatch)
    monkeypatch.setattr(replaying, "BATCH", 1)
    one = plan()
    replay.start(one, by=access.SYSTEM)
    assert replaying.step() == 1
    replay.cancel(one, reason="enough", by=access.SYSTEM)
    finish(one)
    assert list(results(one).values()) == ["done", *["pending"] * 5]
    assert statuses()["M2"] == "stopped"
    assert (one.status, one.finished_at is not None) == ("cancelled", True)


@pytest.mark.usefixtures("arrived")
def test_a_paused_replay_begins_nothing_and_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pause, nothing moves; resume, the rest is done."""
    monkeypatch.setattr(replaying, "BATCH", 2)
    one = plan()
    replay.start(one, by=access.SYSTEM)
    replaying.step()
    replay.pause(one, by=access.SYSTEM)
    finish(one)
    assert replay.counts(one)["pending"] == 4
    replay.resume(one, by=access.SYSTEM)
    finish(one)
    assert (one.status, replay.counts(one)["pending"]) == ("done", 0)


def test_so_many_items_are_under_way_at_once_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes in by the doors is not pushed back behind a long replay."""
    world.receive(*(dft(f"M{n}", f"A{n}", ft1(f"T{n}", "STENT", "1", "2000")) for n in range(6)))
    world.run_until_quiet()
    monkeypatch.setattr(replaying, "UNDER_WAY", 4)
    one = plan()
    replay.start(one, by=access.SYSTEM)
    assert replaying.drain() == 4
    assert replay.counts(one) == {"pending": 2, "moving": 4, "done": 0, "skipped": 0, "failed": 0}


BAD_FILTERS = (
    ({}, "from which moment"), ({"status": "applied"}, "from which moment"), ({"status": "lost"}, "is not one of"),
    ({"since": "yesterday"}, "moment with Z"), ({"since": "2026-11-22T08:00:00"}, "moment with Z"),
    ({"endpoint": "nowhere", "status": "stopped"}, "code of an endpoint"), ({"case": "x"}, "number of a case"),
    ({"colour": "red"}, "no filter of messages"), ({"status": "stopped", "key": "A\x00"}, "NUL"),
)  # fmt: skip


@pytest.mark.parametrize(("filters", "words"), BAD_FILTERS, ids=range(len(BAD_FILTERS)))
def test_a_choice_that_is_wrong_or_reads_too_much_is_refused(filters: dict[str, str], words: str) -> None:
    """With a sentence that says what to write; no plan is left behind."""
    with pytest.raises(Refused, match=words):
        replay.plan("messages", filters, reason=WHY, by=access.SYSTEM)
    assert not Replay.objects.exists()


@pytest.mark.usefixtures("arrived")
def test_a_plan_needs_a_reason_a_match_and_takes_no_more_than_it_says() -> None:
    """The oldest ones are taken, and the plan says that there are more."""
    for filters, reason, limit, words in (
        ({"since": since()}, " ", 5, "reason"), ({"since": since()}, WHY, 0, "1 to"),
        ({"since": since(), "key": "nobody"}, WHY, 5, "Nothing matches"),
    ):  # fmt: skip
        with pytest.raises(Refused, match=words):
            replay.plan("messages", filters, reason=reason, limit=limit, by=access.SYSTEM)
    one = replay.plan("messages", {"since": since()}, reason=WHY, limit=2, by=access.SYSTEM)
    assert (one.count, one.more, list(results(one))) == (2, True, ["M0", "M1"])
    assert not replay.plan("messages", {"since": since()}, reason=WHY, limit=6, by=access.SYSTEM).more


@pytest.mark.usefixtures("arrived")
def test_nobody_plans_or_moves_another_facilitys_messages() -> None:
    """A plan holds rows of the planner's facilities only; its verbs ask for all of its facilities."""
    stranger = access.person(world.user("stranger", "hub.plan_replay", "hub.run_replay", facility="NORTH"))
    with pytest.raises(Refused, match="Nothing matches"):
        replay.plan("messages", {"since": since()}, reason=WHY, by=stranger)
    one = plan()
    with pytest.raises(NotAllowed, match="facilities"):
        replay.start(one, by=stranger)
    assert not replay.visible(Replay.objects.all(), stranger).exists()
    nobody = access.person(world.user("nobody"))
    for verb in (replay.start, replay.pause, replay.resume, replay.approve):
        with pytest.raises(NotAllowed, match="permission"):
            verb(one, by=nobody)
    for ending in (replay.cancel, replay.reject):
        with pytest.raises(NotAllowed, match="permission"):
            ending(one, reason="r", by=nobody)
    with pytest.raises(NotAllowed, match="permission"):
        replay.plan("messages", {"since": since()}, reason=WHY, by=nobody)
    one.refresh_from_db()
    assert one.status == "planned"


@pytest.mark.usefixtures("arrived")
def test_the_cases_own_messages_can_be_chosen() -> None:
    """By the number of the case."""
    case = ExceptionCase.objects.order_by("pk").first()
    assert case is not None
    assert results(plan(case=str(case.pk))) == {"M0": "pending"}


def test_the_money_of_a_replay_is_that_of_its_charges() -> None:
    """To the cent, signed, and by currency."""
    world.receive(
        dft("M1", "A1", ft1("T1", "STENT", "1", "2000.10")),
        dft("M2", "A1", ft1("T2", "STENT", "-1", "-2000.10", kind="CD", original="T1")),
        dft("M3", "A1", ft1("T3", "GAUZE", "3", "13.50", "OR")),
    )
    world.run_until_quiet()
    total = sum((row.amount for row in Charge.objects.all()), Decimal(0))
    assert plan().worth == {"USD": f"{total:.4f}"}
    assert outbox.drain() == 0
