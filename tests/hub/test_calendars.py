"""Business time: hours, holidays, nights in which the clock is changed, and two ways round the same deadline."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub import calendars
from hub.calendars import Calendar, due, latest_start, read_holidays, read_hours, worked

NEW_YORK = ZoneInfo("America/New_York")
OFFICE = Calendar(NEW_YORK, read_hours("mon-fri 08:00-12:00 13:00-17:00"), read_holidays("2026-11-26 Thanksgiving"))
ALWAYS = Calendar(NEW_YORK, read_hours("mon-sun 00:00-24:00"))
H = timedelta(hours=1)


def at(text: str, zone: ZoneInfo = NEW_YORK) -> datetime:
    """A local time, e.g. "2026-11-20 16:00"."""
    return datetime.fromisoformat(text).replace(tzinfo=zone)


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        ("2026-11-20 08:00", "2026-11-20 17:00", 8),  # a Friday without its lunch
        ("2026-11-20 16:00", "2026-11-23 09:00", 2),  # over a weekend
        ("2026-11-25 17:00", "2026-11-27 08:00", 0),  # Thanksgiving
        ("2026-11-20 12:30", "2026-11-20 12:45", 0),  # at lunch
        ("2026-11-20 09:00", "2026-11-20 08:00", 0),  # backwards
    ],
)
def test_only_working_hours_count(start: str, end: str, hours: int) -> None:
    """Nights, lunches, weekends and holidays are no time."""
    assert worked(OFFICE, at(start), at(end)) == hours * H


@pytest.mark.parametrize(
    ("start", "within", "expected"),
    [
        ("2026-11-20 16:00", 2, "2026-11-23 09:00"),
        ("2026-11-20 11:00", 1, "2026-11-20 12:00"),  # not after lunch: the time is over when work stops
        ("2026-11-21 03:00", 8, "2026-11-23 17:00"),
        ("2026-11-25 16:00", 2, "2026-11-27 09:00"),
    ],
)
def test_a_deadline_is_the_first_moment_at_which_its_hours_are_over(start: str, within: int, expected: str) -> None:
    """Counted on through closed doors."""
    assert due(OFFICE, at(start), within * H) == at(expected)


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-08", 23), ("2026-11-01", 25), ("2026-03-09", 24)], ids=["forward", "back", "usual"]
)
def test_a_day_has_the_hours_that_its_clock_shows(day: str, hours: int) -> None:
    """23 hours in spring, 25 in autumn."""
    start = at(f"{day} 00:00")
    assert worked(ALWAYS, start, at(f"{date.fromisoformat(day) + timedelta(days=1)} 00:00")) == hours * H


@pytest.mark.parametrize(
    ("hours", "worked_h"),
    [
        ("sun 02:00-03:00", 0),  # the hour that is not there
        ("sun 01:00-02:30", 1),
        ("sun 02:30-05:00", 2),
        ("sun 00:00-02:59 03:00-08:00", 7),
    ],
)
def test_what_the_clock_skips_is_no_working_time(hours: str, worked_h: int) -> None:
    """On 2026-03-08 in New York it is 03:00 when it should be 02:00."""
    calendar = Calendar(NEW_YORK, read_hours(hours))
    assert worked(calendar, at("2026-03-08 00:00"), at("2026-03-09 00:00")) == worked_h * H


def test_without_a_calendar_the_clock_counts() -> None:
    """Nights and weekends too."""
    start = at("2026-11-20 16:00")
    assert due(None, start, 20 * H) == start + 20 * H
    assert latest_start(None, start, 20 * H) == start - 20 * H
    assert worked(None, start, start + 3 * H) == 3 * H


def test_a_calendar_without_working_days_keeps_no_promise() -> None:
    """Nobody is late where nobody ever works: the answer is none, and not a loop."""
    never = Calendar(ZoneInfo("UTC"), ((),) * 7)
    now = datetime(2026, 11, 22, tzinfo=UTC)
    assert (due(never, now, H), latest_start(never, now, H), worked(never, now - H, now)) == (None, None, timedelta(0))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no hours at all"),
        ("mon", "names no hours"),
        ("funday 08:00-09:00", "does not begin with days"),
        ("fri-mon 08:00-09:00", "does not begin with days"),
        ("mon 8-9", "no time of day"),
        ("mon 09:00-08:00", "ends before it begins"),
        ("mon 08:00-12:00 11:00-13:00", "overlap"),
        ("mon-fri 08:00-12:00\nwed 11:59-13:00", "overlap"),
    ],
)
def test_hours_that_cannot_be_read_are_named(text: str, said: str) -> None:
    """The line, and what to write instead."""
    with pytest.raises(ValueError, match=said):
        read_hours(text)


def test_holidays_that_cannot_be_read_are_named() -> None:
    """The line, and what to write instead."""
    assert read_holidays("2026-12-25 Christmas\n\n2027-01-01") == {date(2026, 12, 25), date(2027, 1, 1)}
    with pytest.raises(ValueError, match="Christmas 2026"):
        read_holidays("Christmas 2026-12-25")


# --- properties ------------------------------------------------------------------------------------------------------
ZONES = st.sampled_from(["UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu"])
MOMENTS = st.integers(1_735_689_600, 1_830_211_200).map(lambda second: datetime.fromtimestamp(second, UTC))
SPANS = st.integers(1, 40 * 60).map(lambda minutes: timedelta(minutes=minutes))


@st.composite
def weeks(draw: st.DrawFn) -> tuple[calendars.Hours, ...]:
    """A week with up to three spans a day and at least one in all."""
    days = []
    for _ in range(7):
        marks = sorted(draw(st.lists(st.integers(0, calendars.MIDNIGHT), max_size=6, unique=True)))
        days.append(tuple(zip(marks[0::2], marks[1::2], strict=False)))
    if not any(days):
        days[0] = ((480, 1020),)
    return tuple(days)


@st.composite
def some_calendars(draw: st.DrawFn) -> Calendar:
    """Any week in any of the zones, with a few holidays."""
    holidays = draw(st.frozensets(st.dates(date(2025, 1, 1), date(2027, 12, 31)), max_size=5))
    return Calendar(ZoneInfo(draw(ZONES)), draw(weeks()), holidays)


@settings(max_examples=150, deadline=None)
@given(some_calendars(), MOMENTS, SPANS)
def test_at_the_deadline_exactly_the_promised_time_was_worked(
    calendar: Calendar, start: datetime, within: timedelta
) -> None:
    """Not a second less, and a second before it the promise was not broken yet."""
    end = due(calendar, start, within)
    if end is not None:
        assert worked(calendar, start, end) == within
        assert worked(calendar, start, end - timedelta(seconds=1)) < within


@settings(max_examples=150, deadline=None)
@given(some_calendars(), MOMENTS, SPANS, st.integers(-3 * 86_400, 3 * 86_400))
def test_looking_back_from_now_finds_the_same_ones_late_as_looking_ahead_from_each(
    calendar: Calendar, now: datetime, within: timedelta, off_s: int
) -> None:
    """`start <= latest_start(now)` says what `due(start) <= now` says, near the edge and far from it."""
    edge = latest_start(calendar, now, within)
    start = (edge or now) + timedelta(seconds=off_s)
    end = due(calendar, start, within)
    assert (edge is not None and start <= edge) == (end is not None and end <= now)


@settings(max_examples=100, deadline=None)
@given(some_calendars(), MOMENTS, SPANS, SPANS)
def test_working_time_adds_up(calendar: Calendar, start: datetime, one: timedelta, two: timedelta) -> None:
    """What lies between two moments is the same with a stop on the way."""
    middle, end = start + one, start + one + two
    total = worked(calendar, start, end)
    assert total == worked(calendar, start, middle) + worked(calendar, middle, end)
    assert timedelta(0) <= total <= end - start
