"""How long a step may take at a place: the hospital's deadlines, the most specific first, then the journey's own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hub import calendars
from hub.models import Deadline
from hub.routing import Journey, Milestone, Registry, registry

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Step:
    """A milestone of a journey. Its name stands in rows: "charge_to_cost.journal_posted"."""

    journey: Journey
    milestone: Milestone

    @property
    def name(self) -> str:
        return f"{self.journey.name}.{self.milestone.name}"

    @property
    def label(self) -> str:
        return f"{self.journey.label}: {self.milestone.label}"


@dataclass(frozen=True, slots=True)
class Promise:
    """What is promised at one place; "" stands for every facility or department."""

    within: timedelta
    facility: str = ""
    department: str = ""
    calendar: calendars.Calendar | None = None
    calendar_name: str = ""

    def covers(self, facility: str, department: str) -> bool:
        """Whether it counts for what happens there."""
        return self.facility in ("", facility) and self.department in ("", department)

    def latest_start(self, now: datetime) -> datetime | None:
        """What began then or before is late by now; None where nothing is."""
        return calendars.latest_start(self.calendar, now, self.within)

    def due(self, since: datetime) -> datetime | None:
        """When a step that began then is late."""
        return calendars.due(self.calendar, since, self.within)

    @property
    def said(self) -> str:
        """As in "2 h", "2 h of Ledger office"."""
        minutes = int(self.within / MINUTE)
        units = ((1440, 2, "days"), (60, 1, "h"), (1, 0, "min"))
        size, unit = next((s, unit) for s, least, unit in units if minutes % s == 0 and minutes >= least * s)
        return f"{minutes // size:,} {unit}" + (f" of {self.calendar_name}" if self.calendar else "")


def steps(known: Registry = registry) -> list[Step]:
    """Every step of every journey, in the order of registration."""
    return [Step(journey, milestone) for journey in known.of(Journey) for milestone in journey.milestones]


def of(step: Step) -> list[Promise]:
    """All that is promised for a step, the most specific first; the last one counts everywhere."""
    rows = Deadline.objects.filter(step=step.name, active=True).select_related("calendar")
    made = [
        Promise(
            row.minutes * MINUTE, row.facility, row.department,
            row.calendar.rules() if row.calendar else None, row.calendar.name if row.calendar else "",
        )
        for row in rows
    ]  # fmt: skip
    made.sort(key=lambda promise: (promise.department == "", promise.facility == ""))
    return [*made, Promise(step.milestone.within)]


def at(promises: Sequence[Promise], facility: str, department: str) -> Promise:
    """The promise that counts at a place."""
    return next(promise for promise in promises if promise.covers(facility, department))
