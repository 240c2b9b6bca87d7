"""What staff promise: deadlines of steps, business calendars, documents that must come."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from hub import latecases, navigation, promises, shapes
from hub.access import ROLES
from hub.admin.base import EditableAdmin
from hub.admin.columns import Column, Filter, by_field
from hub.models import BusinessCalendar, Deadline, Endpoint, Expectation
from hub.viewer import Viewer, viewer


def step_labels() -> dict[str, str]:
    """Every step of every journey as staff read it."""
    return {step.name: step.label for step in promises.steps()}


class DeadlineForm(forms.ModelForm):
    """The step is chosen and not typed, and the place is one of the person's own."""

    who: ClassVar[Viewer]
    step = forms.ChoiceField(choices=lambda: list(step_labels().items()))

    class Meta:
        model = Deadline
        fields = ("step", "facility", "department", "minutes", "calendar", "active")

    def clean_facility(self) -> str:
        """A facility that the person sees; all of them only for who sees all."""
        facility = str(self.cleaned_data["facility"])
        if self.who.facilities is not None and facility not in self.who.facilities:
            raise forms.ValidationError("Name a facility that you have access to.")
        return facility


def _state(row: Deadline | BusinessCalendar) -> Any:
    return shapes.pill("active", "Counts") if getattr(row, "active", True) else shapes.pill("inactive", "Off")


@admin.register(Deadline)
class DeadlineAdmin(EditableAdmin):
    """How long a step may take at one place."""

    intro = "How long each step may take. The most specific deadline counts: department, then facility, then all."
    form = DeadlineForm
    facility_field = "facility"
    order = ("step", "facility", "department")
    columns = (
        Column("Step", lambda d: step_labels().get(d.step, d.step)),
        Column("Facility", lambda d: d.facility or "all", "short"),
        Column("Department", lambda d: d.department or "all", "short"),
        Column("Minutes", "minutes", "num"),
        Column("Counted in", lambda d: d.calendar.name if d.calendar else "the clock"),
        Column("Status", _state, "status"),
    )
    teaches = (
        "No deadlines of your own.",
        "Each step has a usual one, shown on the page of late journeys. Add one where your hospital promises another.",
    )

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """The form of this person."""
        form: Any = super().get_form(request, obj, change, **kwargs)
        form.who = viewer(request)  # the class is made anew for each request
        return form

    def listed(self, queryset: QuerySet[Any], who: Viewer) -> QuerySet[Any]:
        """With the calendar's name."""
        return queryset.select_related("calendar")

    def state(self, row: Deadline) -> Any:
        """Whether it counts."""
        return _state(row)


@admin.register(BusinessCalendar)
class CalendarAdmin(EditableAdmin):
    """The hours in which somebody works."""

    intro = "Working hours and holidays. Deadlines that name a calendar count its hours only."
    order = ("name",)
    columns = (
        Column("Name", "name"),
        Column("Time zone", "time_zone", "code"),
        Column("Hours", lambda c: " · ".join(c.hours.splitlines())),
        Column("Holidays", lambda c: shapes.count(len([x for x in c.holidays.splitlines() if x.strip()]), "day")),
    )
    teaches = ("No calendars.", "Without one a deadline is counted by the clock, nights and weekends included.")


def expected(rule: Expectation) -> str:
    """What a rule expects, in a few words."""
    if rule.kind == "daily":
        return f"by {rule.by_time:%H:%M} each day"
    return f"{rule.fact} within {rule.minutes} min"


def _rule_state(rule: Expectation) -> Any:
    if not rule.active:
        return shapes.pill("inactive", "Off")
    missing = sum(place.count for place in latecases.places(rule.step).values())
    return shapes.pill("open", f"{missing:,} missing") if missing else shapes.pill("active", "Comes")


@admin.register(Expectation)
class ExpectationAdmin(EditableAdmin):
    """A document that must come."""

    intro = "Documents that must come: a fact after each message, or a message by a time of day."
    facility_field = "endpoint__facility"
    order = ("name",)
    fieldsets = (
        (None, {"fields": ("name", "kind", "endpoint", "message_kind", "calendar", "owner", "active")}),
        ("A fact follows each message", {"fields": ("fact", "minutes")}),
        ("A message comes every day", {"fields": ("by_time",)}),
    )
    columns = (
        Column("Name", "name"),
        Column("Endpoint", lambda e: e.endpoint.name),
        Column("Message", lambda e: e.message_kind or "every kind", "code"),
        Column("Expected", expected),
        Column("Case for", lambda e: ROLES.get(e.owner, e.owner)),
        Column("Status", _rule_state, "status"),
    )
    filters = (Filter("kind", "What", Expectation.KINDS, by_field("kind")),)
    teaches = ("Nothing is expected.", "Add a rule for a document whose absence nobody would notice until it is late.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With the endpoint's name."""
        return super().get_queryset(request).select_related("endpoint", "calendar")

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Inbound endpoints only."""
        if db_field.name == "endpoint":
            kwargs["queryset"] = viewer(request).scope(Endpoint.objects.filter(direction="in"))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def state(self, row: Expectation) -> Any:
        """Whether anything is missing."""
        return _rule_state(row)


navigation.put(
    "Systems",
    navigation.Link("Deadlines", "admin:hub_deadline_changelist", "hub.view_deadline", "How long a step may take"),
    navigation.Link(
        "Business calendars", "admin:hub_businesscalendar_changelist", "hub.view_businesscalendar",
        "Working hours and holidays",
    ),
    navigation.Link(
        "Expected documents", "admin:hub_expectation_changelist", "hub.view_expectation", "What must come, and by when"
    ),
)  # fmt: skip
