"""Journeys: what staff promise (deadlines, business hours, documents that must come), and what is late."""

from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django.core.exceptions import ValidationError
from django.db import models
from simple_history.models import HistoricalRecords

from hub import calendars
from hub.access import ROLES


class BusinessCalendar(models.Model):
    """The hours in which somebody works: a week in a time zone, and the days on which nobody does."""

    name = models.CharField(max_length=80, unique=True)
    time_zone = models.CharField(max_length=40, default="UTC", help_text="As in America/New_York.")
    hours = models.TextField(
        default="mon-fri 08:00-17:00", help_text="A line for each: mon-fri 08:00-12:00 13:00-17:00. Midnight is 24:00."
    )
    holidays = models.TextField(blank=True, help_text="A day on each line: 2026-12-25 Christmas.")
    history = HistoricalRecords()

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def rules(self) -> calendars.Calendar:
        """The same for arithmetic; `ValueError` where the text cannot be read."""
        return calendars.Calendar(
            ZoneInfo(self.time_zone), calendars.read_hours(self.hours), calendars.read_holidays(self.holidays)
        )

    def clean(self) -> None:
        """Everything can be read: said beside the field that is wrong."""
        wrong: dict[str, Any] = {}
        if self.time_zone not in available_timezones():
            wrong["time_zone"] = f"{self.time_zone} is no time zone; write for example America/New_York."
        for name, read in (("hours", calendars.read_hours), ("holidays", calendars.read_holidays)):
            try:
                read(getattr(self, name))
            except ValueError as error:
                wrong[name] = str(error)
        if wrong:
            raise ValidationError(wrong)


class Deadline(models.Model):
    """How long a step of a journey may take at one place. The most specific one counts: department, facility, all."""

    step = models.CharField(max_length=80)  # "charge_to_cost.journal_posted"
    facility = models.CharField(max_length=20, blank=True, help_text="Our facility code; empty for all.")
    department = models.CharField(max_length=40, blank=True, help_text="Our department code; empty for all of them.")
    minutes = models.PositiveIntegerField(help_text="From the beginning of the step.")
    calendar = models.ForeignKey(
        BusinessCalendar, models.PROTECT, null=True, blank=True, related_name="deadlines",
        help_text="Counts its working hours only; empty: the clock.",
    )  # fmt: skip
    active = models.BooleanField(default=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ("step", "facility", "department")
        constraints = (
            models.UniqueConstraint(fields=["step", "facility", "department"], name="deadline_is_one_per_place"),
            models.CheckConstraint(
                condition=models.Q(department="") | ~models.Q(facility=""),
                name="deadline_department_has_a_facility",
                violation_error_message="Name the facility of the department, too.",
            ),
            models.CheckConstraint(
                condition=models.Q(minutes__gte=1), name="deadline_is_a_time",
                violation_error_message="A deadline is at least 1 minute.",
            ),
        )  # fmt: skip

    def __str__(self) -> str:
        return " ".join(filter(None, (self.step, self.facility, self.department)))


class Expectation(models.Model):
    """A document that must come: a fact after each message of an endpoint, or a message by a time of each day."""

    KINDS = {"follows": "A fact follows each message", "daily": "A message comes every day"}
    name = models.CharField(max_length=120, unique=True)
    kind = models.CharField(max_length=10, choices=KINDS.items())
    endpoint = models.ForeignKey("hub.Endpoint", models.PROTECT, related_name="+")
    message_kind = models.CharField(max_length=40, blank=True, help_text="As in DFT^P03; empty for every kind.")
    fact = models.CharField(max_length=60, blank=True, help_text="The fact that must follow, as in cost.allocated/1.")
    minutes = models.PositiveIntegerField(null=True, blank=True, help_text="Within which it must follow.")
    by_time = models.TimeField(null=True, blank=True, help_text="By when it must have come each day.")
    calendar = models.ForeignKey(
        BusinessCalendar, models.PROTECT, null=True, blank=True, related_name="expectations",
        help_text="Counts its working hours, and its days, only; empty: the clock, every day.",
    )  # fmt: skip
    owner = models.CharField(max_length=40, choices=ROLES.items(), default="integration")
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    looked_to = models.DateTimeField(null=True, editable=False)  # messages before it were judged
    heard_at = models.DateTimeField(null=True, editable=False)  # when the last message of the kind came
    history = HistoricalRecords(excluded_fields=["looked_to", "heard_at"])

    class Meta:
        ordering = ("name",)
        verbose_name = "expected document"
        constraints = (
            models.CheckConstraint(
                condition=models.Q(kind="follows", minutes__isnull=False, minutes__gte=1, by_time__isnull=True)
                & ~models.Q(fact="")
                | models.Q(kind="daily", minutes__isnull=True, by_time__isnull=False, fact=""),
                name="expectation_says_what_and_when",
                violation_error_message="What follows needs a fact and minutes; what comes daily a time, and neither.",
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def step(self) -> str:
        """What its late rows are filed under."""
        return f"expected.{self.pk}"


class Overdue(models.Model):
    """Something that is late or was; or, with no `late_at`, that will be soon and is watched. Derived, never edited."""

    step = models.CharField(max_length=80)
    subject_id = models.UUIDField()  # the delivery or message that waits; for a day's document a moment as an id
    fact_id = models.UUIDField(null=True)
    correlation_id = models.UUIDField(null=True)
    message_id = models.UUIDField(null=True)
    key = models.CharField(max_length=200, blank=True)
    facility = models.CharField(max_length=20, blank=True)
    department = models.CharField(max_length=40, blank=True)
    scope = models.CharField(max_length=40, blank=True)  # the department, where a deadline of its own counts
    amount = models.DecimalField(max_digits=19, decimal_places=4, default=0)
    currency = models.CharField(max_length=3, default="USD")
    since = models.DateTimeField()
    late_at = models.DateTimeField(null=True)  # when it was found to be late
    case = models.ForeignKey("hub.ExceptionCase", models.PROTECT, null=True, related_name="overdue")
    over_at = models.DateTimeField(null=True)  # when it was found to have come through

    class Meta:
        verbose_name = "late item"
        indexes = (
            models.Index(fields=["step", "subject_id"], name="overdue_open", condition=models.Q(over_at__isnull=True)),
        )
        constraints = (
            models.UniqueConstraint(fields=["step", "subject_id"], name="overdue_is_one"),
            models.CheckConstraint(
                condition=models.Q(over_at__isnull=True) | models.Q(late_at__isnull=False),
                name="overdue_that_is_over_was_late",
            ),
        )

    def __str__(self) -> str:
        return f"{self.step} {self.key}"


class FeedHour(models.Model):
    """How many messages an endpoint sent in an hour: what is usual is read from the same hours of former weeks."""

    pk = models.CompositePrimaryKey("endpoint_id", "hour")
    endpoint_id = models.BigIntegerField()
    hour = models.DateTimeField()  # its beginning
    messages = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.endpoint_id} {self.hour:%Y-%m-%d %H} h"


class Watermark(models.Model):
    """How far a look that reads what is new has come."""

    name = models.CharField(max_length=40, primary_key=True)
    looked_to = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
