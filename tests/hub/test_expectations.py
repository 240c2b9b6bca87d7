"""Documents that did not happen: what must follow, what must come by a time of day, and what feeds usually send."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from hub import bulk, expectations, lateness, outbox, pipeline, tasks, volumes
from hub.alerts import sensors
from hub.alerts.watch import watch
from hub.models import (
    AlertEpisode,
    AlertRule,
    BusinessCalendar,
    Endpoint,
    ExceptionCase,
    Expectation,
    FeedHour,
    Message,
    Overdue,
    Watermark,
)
from tests import world
from tests.world import dft, ft1

pytestmark = pytest.mark.django_db
MINUTE, HOUR, DAY, WEEK = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)


@pytest.fixture
def door() -> Endpoint:
    """A feed's door into the small network."""
    world.masters()
    made = world.billing()
    tasks.ensure_lanes()
    return made


def follows(door: Endpoint, **changes: Any) -> Expectation:
    """A captured charge within half an hour of every DFT."""
    said = {"name": "charges are captured", "kind": "follows", "endpoint": door, "message_kind": "DFT^P03"}
    rule = Expectation.objects.create(**{**said, "fact": "charge.captured/1", "minutes": 30, **changes})
    Expectation.objects.filter(pk=rule.pk).update(created_at=timezone.now() - DAY)
    return rule


def after(span: timedelta) -> datetime:
    """So long after now."""
    return timezone.now() + span


def missing() -> int:
    """How many documents are missing now."""
    return Overdue.objects.filter(step__startswith="expected.", over_at=None).count()


def test_a_message_that_nothing_follows_opens_one_case_that_closes_when_it_comes(door: Endpoint) -> None:
    """Two messages that nobody reads are missed once their time is over; read at last, they are missed no more."""
    follows(door)
    world.receive(dft("M1", "A1", ft1("T1", "STENT")), dft("M2", "A2", ft1("T2", "STENT")))
    lateness.look(after(29 * MINUTE))
    assert missing() == 0
    for minutes in (31, 32, 60):
        lateness.look(after(minutes * MINUTE))
    case = ExceptionCase.objects.get()
    assert (case.code, case.owner, case.facility, case.partner) == (
        "DOCUMENT_MISSING",
        "integration",
        "RIVER",
        "carebill",
    )
    assert "2 items late at RIVER" in case.text
    assert "to be followed by charge.captured/1 within 30 min" in case.text
    assert missing() == 2
    pipeline.drain()
    lateness.look(after(61 * MINUTE))
    case.refresh_from_db()
    assert (case.status, missing(), ExceptionCase.objects.filter(code=case.code).count()) == ("resolved", 0, 1)


def test_a_dft_whose_cost_is_not_allocated_is_a_document_that_did_not_happen(door: Endpoint) -> None:
    """The fact may come from another app, two hops on: it has the message's correlation id."""
    follows(door, fact="cost.allocated/1")
    world.receive(dft("M1", "A1", ft1("T1", "STENT")))
    pipeline.drain()
    lateness.look(after(31 * MINUTE))
    assert missing() == 1
    outbox.drain()
    lateness.look(after(32 * MINUTE))
    assert missing() == 0


def test_F_O2_a_message_that_is_committed_behind_the_mark_is_judged(door: Endpoint) -> None:
    """Its id is older than what was judged already, by less than the overlap."""
    follows(door)
    lateness.look(after(40 * MINUTE))
    (answer,) = world.receive(dft("M1", "A1", ft1("T1", "STENT")))
    assert answer == "AA"
    lateness.look(after(41 * MINUTE))
    assert missing() == 1


def test_what_nothing_follows_by_right_is_not_missed(door: Endpoint) -> None:
    """Refused, skipped, waived and replaced messages; messages of another kind; a rule that is off."""
    rule = follows(door)
    world.receive(*(dft(f"M{n}", f"A{n}", ft1(f"T{n}", "STENT")) for n in range(5)))
    for number, status in enumerate(("refused", "skipped", "waived", "replaced")):
        Message.objects.filter(control_id=f"M{number}").update(status=status)
    Message.objects.filter(control_id="M4").update(kind="ADT^A01")
    lateness.look(after(40 * MINUTE))
    assert missing() == 0
    Message.objects.update(status="received", kind="DFT^P03")
    Expectation.objects.filter(pk=rule.pk).update(looked_to=None)
    lateness.look(after(41 * MINUTE))
    assert missing() == 5
    Expectation.objects.filter(pk=rule.pk).update(active=False)
    lateness.look(after(42 * MINUTE))
    assert (missing(), ExceptionCase.objects.get().status) == (0, "resolved")


def test_a_long_time_is_judged_in_batches_and_nothing_is_left_out(
    door: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mark stands at the last one of a full batch; the next look goes on from there."""
    monkeypatch.setattr(expectations, "BATCH", 2)
    follows(door)
    world.receive(*(dft(f"M{n}", f"A{n}", ft1(f"T{n}", "STENT")) for n in range(5)))
    found = []
    for minutes in range(31, 36):
        lateness.look(after(minutes * MINUTE))
        found.append(missing())
    assert found[-1] == 5
    assert found[0] == 2


# --- every day -------------------------------------------------------------------------------------------------------
def daily(door: Endpoint, now: datetime, **changes: Any) -> Expectation:
    """Charges by eight, UTC; the rule is a week old."""
    said = {
        "name": "charges by eight",
        "kind": "daily",
        "endpoint": door,
        "message_kind": "DFT^P03",
        "by_time": time(8),
    }
    rule = Expectation.objects.create(**{**said, **changes})
    Expectation.objects.filter(pk=rule.pk).update(created_at=now - WEEK)
    return rule


def test_a_document_that_does_not_come_by_its_time_is_missed_once_and_its_coming_ends_it(door: Endpoint) -> None:
    """None by eight: one case; the first one afterwards closes it."""
    today = timezone.now().replace(hour=8, minute=0, second=0, microsecond=0)
    eight = today if today < timezone.now() else today - DAY
    daily(door, eight)
    lateness.look(eight - MINUTE)
    Overdue.objects.all().delete()  # of the day before, which is not this test's business
    ExceptionCase.objects.all().delete()
    for minutes in (1, 2, 30):
        lateness.look(eight + minutes * MINUTE)
    assert missing() == 1
    assert ExceptionCase.objects.get().code == "DOCUMENT_MISSING"
    assert (
        "A DFT^P03 of CareBill Riverside is to come by 08:00 each day; none came." in ExceptionCase.objects.get().text
    )
    world.receive(dft("M1", "A1", ft1("T1", "STENT")))
    lateness.look(timezone.now() + MINUTE)
    assert missing() == 0
    assert ExceptionCase.objects.get().status == "resolved"


def test_a_new_rule_waits_for_its_first_whole_interval(door: Endpoint) -> None:
    """Made at noon, it says nothing about eight o'clock that day."""
    rule = daily(door, timezone.now())
    Expectation.objects.filter(pk=rule.pk).update(created_at=timezone.now() - HOUR)
    lateness.look(timezone.now())
    assert missing() == 0


def test_days_on_which_nobody_works_have_no_document(door: Endpoint) -> None:
    """After a Friday the next time is Monday's, by the clock of the calendar's own place."""
    office = BusinessCalendar.objects.create(
        name="Office", time_zone="America/New_York", holidays="2026-11-26 Thanksgiving"
    )
    sunday = datetime(2026, 11, 29, 20, tzinfo=UTC)
    friday, wednesday = expectations.due_times(time(8), office, sunday)
    assert (friday, wednesday) == (datetime(2026, 11, 27, 13, tzinfo=UTC), datetime(2026, 11, 25, 13, tzinfo=UTC))


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "follows", "minutes": 5},
        {"kind": "follows", "fact": "x/1"},
        {"kind": "daily"},
        {"kind": "daily", "by_time": time(8), "minutes": 5},
        {"kind": "never", "by_time": time(8)},
    ],
)
def test_the_database_refuses_a_rule_that_says_half(door: Endpoint, wrong: dict[str, Any]) -> None:
    """What follows needs a fact and minutes; what comes daily a time, and neither."""
    with pytest.raises(IntegrityError), transaction.atomic():
        Expectation.objects.create(name="half", endpoint=door, **wrong)


# --- what is usual ---------------------------------------------------------------------------------------------------
def test_messages_are_counted_once_by_the_hour(door: Endpoint) -> None:
    """Looks that overlap in time do not count twice; what is younger than a minute waits for the next."""
    start = timezone.now()
    volumes.look(start)  # the mark stands a minute back
    world.receive(*(dft(f"M{n}", f"A{n}", ft1(f"T{n}", "STENT")) for n in range(3)))
    for seconds in (30, 130, 140, 200):
        volumes.look(start + timedelta(seconds=seconds))
    counted = list(FeedHour.objects.values_list("endpoint_id", "messages"))
    assert sum(number for _, number in counted) == 3
    assert {endpoint for endpoint, _ in counted} == {door.pk}


def volume(door: Endpoint, hour: datetime, messages: int) -> None:
    """What was counted in an hour."""
    bulk.run(
        "INSERT INTO hub_feedhour VALUES (%s, %s, %s) ON CONFLICT (endpoint_id, hour) DO UPDATE"
        " SET messages = excluded.messages",
        [door.pk, hour, messages],
    )


@pytest.fixture
def custom(door: Endpoint) -> datetime:
    """Four weeks of a hundred messages in this hour of the week; returns the beginning of the last whole hour."""
    last = datetime(2026, 6, 17, 14, tzinfo=UTC)
    for weeks in range(1, 5):
        volume(door, last - weeks * WEEK, 100)
    Watermark.objects.update_or_create(name=volumes.NAME, defaults={"looked_to": last + HOUR + 5 * MINUTE})
    return last


def test_a_silent_feed_alerts_once_and_recovers_once_against_its_usual_volume(
    door: Endpoint, custom: datetime, mailoutbox: list[Any]
) -> None:
    """An hour of 5 where 100 are usual is one message; the next hour of 90 is the other one."""
    AlertRule.objects.all().update(active=False)
    AlertRule.objects.create(name="volume", kind="below_usual", mail_to="ines@hospital.example", owner="integration")
    volume(door, custom, 5)
    for minutes in (6, 7, 8):
        watch(custom + HOUR + minutes * MINUTE)
    assert [mail.subject for mail in mailoutbox] == [f"[Throughline] volume: {door.code}"]
    assert "sent 5 messages in its last whole hour; 100 are usual at this time of the week" in mailoutbox[0].body
    for weeks in range(1, 5):
        volume(door, custom + HOUR - weeks * WEEK, 100)
    volume(door, custom + HOUR, 90)
    Watermark.objects.update(looked_to=custom + 2 * HOUR + MINUTE)
    for minutes in (2, 3):
        watch(custom + 2 * HOUR + minutes * MINUTE)
    assert [mail.subject for mail in mailoutbox[1:]] == [f"[Throughline] Over: volume: {door.code}"]
    assert AlertEpisode.objects.count() == 1
    assert ExceptionCase.objects.get().status == "resolved"


def test_a_feed_of_which_too_little_is_known_is_not_judged(door: Endpoint, custom: datetime) -> None:
    """One week is no custom, 10 messages are no volume, and a paused feed is quiet by will."""
    rule = AlertRule.objects.create(name="volume", kind="below_usual")
    now = custom + HOUR + 6 * MINUTE
    assert [reading.subject for reading in sensors.readings(rule, now)] == [door.code]
    Endpoint.objects.update(paused=True)
    assert sensors.readings(rule, now) == []
    Endpoint.objects.update(paused=False)
    FeedHour.objects.filter(hour__lt=custom - WEEK).delete()
    assert sensors.readings(rule, now) == []
    for weeks in range(1, 5):
        volume(door, custom - weeks * WEEK, 10)
    assert sensors.readings(rule, now) == []


def test_the_same_hour_is_that_of_the_local_clock(door: Endpoint, settings: Any) -> None:
    """A week across the change to winter time is 169 hours long: nine o'clock is compared with nine o'clock."""
    settings.TIME_ZONE = "America/New_York"
    nine = datetime(2026, 11, 3, 14, tzinfo=UTC)  # 09:00 EST, two days after the change
    assert volumes._weeks_before(nine, 1) == datetime(2026, 10, 27, 13, tzinfo=UTC)  # 09:00 EDT
