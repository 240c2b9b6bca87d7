"""Business time: weekly hours in a time zone, holidays, and how much of it lies between two moments. Plain arithmetic.

Moments are aware datetimes, answers are in UTC. A day has the hours that its own clock shows: what the clock skips in
spring is no working time, and of an hour that comes twice in autumn a time of day means the first.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MIDNIGHT = 24 * 60
# A promise that is not kept within so many days of a calendar is a mistake in the calendar.
FARTHEST_DAYS = 1100
ZERO = timedelta(0)
Hours = tuple[tuple[int, int], ...]  # opens and closes, in minutes of the day


@dataclass(frozen=True, slots=True)
class Calendar:
    """When somebody works: `week` holds the hours of Monday to Sunday, in order and apart from each other."""

    zone: ZoneInfo
    week: tuple[Hours, ...]
    holidays: frozenset[date] = frozenset()

    def hours(self, day: date) -> list[tuple[datetime, datetime]]:
        """The working hours of one day as moments, in order."""
        if day in self.holidays:
            return []
        spans = [tuple(_moment(day, minute, self.zone) for minute in span) for span in self.week[day.weekday()]]
        return [(opens, closes) for opens, closes in spans if opens < closes]


def read_hours(text: str) -> tuple[Hours, ...]:
    """A week out of lines such as "mon-fri 08:00-12:00 13:00-17:00". `ValueError` names the line that is wrong."""
    week: list[list[tuple[int, int]]] = [[] for _ in DAYS]
    for line in text.splitlines():
        if not line.strip():
            continue
        days, *spans = line.lower().split()
        if not spans:
            raise ValueError(f"“{line.strip()}” names no hours; write for example: mon-fri 08:00-17:00")
        for number in _days(days, line):
            week[number] += [_span(span, line) for span in spans]
    for number, hours in enumerate(week):
        hours.sort()
        if any(closes > opens for (_, closes), (opens, _) in pairwise(hours)):
            raise ValueError(f"The hours of {DAYS[number]} overlap.")
    if not any(week):
        raise ValueError("There are no hours at all; write for example: mon-fri 08:00-17:00")
    return tuple(tuple(hours) for hours in week)


def read_holidays(text: str) -> frozenset[date]:
    """Days out of lines such as "2026-12-25 Christmas". `ValueError` names the line that is wrong."""
    found = set()
    for line in text.splitlines():
        if line.strip():
            try:
                found.add(date.fromisoformat(line.split()[0]))
            except ValueError:
                text = f"“{line.strip()}” does not begin with a day; write for example: 2026-12-25 Christmas"
                raise ValueError(text) from None
    return frozenset(found)


def worked(calendar: Calendar | None, start: datetime, end: datetime) -> timedelta:
    """The working time between two moments; without a calendar all time counts."""
    if end <= start:
        return ZERO
    if calendar is None:
        return end - start
    spans = _forward(calendar, start, end)
    return sum((max(min(closes, end) - max(opens, start), ZERO) for opens, closes in spans), ZERO)


def due(calendar: Calendar | None, start: datetime, within: timedelta) -> datetime | None:
    """The first moment at which so much working time has gone by since `start`; None where that never comes."""
    if calendar is None:
        return (start + within).astimezone(UTC)
    left = within
    for opens, closes in _forward(calendar, start, start + timedelta(days=FARTHEST_DAYS)):
        begins = max(opens, start)
        if closes - begins >= left:
            return begins + left
        left -= max(closes - begins, ZERO)
    return None


def latest_start(calendar: Calendar | None, now: datetime, within: timedelta) -> datetime | None:
    """The last moment from which so much working time has gone by until `now`: what began then or before is late.

    None where nothing is. The other side of `due`: `start <= latest_start(now)` where `due(start) <= now`.
    """
    if calendar is None:
        return (now - within).astimezone(UTC)
    left = within
    for opens, closes in _backward(calendar, now):
        ends = min(closes, now)
        if ends - opens >= left:
            return ends - left
        left -= max(ends - opens, ZERO)
    return None


def _forward(calendar: Calendar, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    day, last = start.astimezone(calendar.zone).date(), end.astimezone(calendar.zone).date()
    while day <= last:
        yield from calendar.hours(day)
        day += timedelta(days=1)


def _backward(calendar: Calendar, now: datetime) -> Iterator[tuple[datetime, datetime]]:
    day = now.astimezone(calendar.zone).date()
    for back in range(FARTHEST_DAYS):
        yield from reversed(calendar.hours(day - timedelta(days=back)))


def _moment(day: date, minute: int, zone: ZoneInfo) -> datetime:
    """A time of day as a moment. One that the clock skips is the moment of the skip."""
    local = datetime.combine(day, time.min) + timedelta(minutes=minute)
    early, late = (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if early <= late:
        return early
    before, after = late, early  # in the gap: the clock of before the change stands before it, the other behind it
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = (before + (after - before) / 2).replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after


def _days(text: str, line: str) -> range:
    first, _, last = text.partition("-")
    if first not in DAYS or (last or first) not in DAYS or DAYS.index(last or first) < DAYS.index(first):
        raise ValueError(f"“{line.strip()}” does not begin with days; write for example: mon-fri 08:00-17:00")
    return range(DAYS.index(first), DAYS.index(last or first) + 1)


def _span(text: str, line: str) -> tuple[int, int]:
    opens, _, closes = text.partition("-")
    try:
        begins, ends = _minute(opens), _minute(closes)
    except ValueError:
        raise ValueError(f"“{text}” in “{line.strip()}” is no time of day; write for example: 08:00-17:00") from None
    if begins >= ends:
        raise ValueError(f"“{text}” ends before it begins; midnight at the end of a day is 24:00.")
    return begins, ends


def _minute(text: str) -> int:
    if text == "24:00":
        return MIDNIGHT
    at = time.fromisoformat(text)
    if at.second or at.microsecond or at.tzinfo:
        raise ValueError(text)
    return at.hour * 60 + at.minute
