"""The page of what is late: by journey and place, with money, age and the case; and nobody sees another's facility."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from hub import lateness, pipeline
from hub.models import AuditEntry, BusinessCalendar, Deadline, Endpoint, ExceptionCase, Overdue
from tests import world
from tests.hub.admin.conftest import text
from tests.world import dft, ft1

Login = Callable[..., Client]


@pytest.fixture
def late(network: Endpoint) -> ExceptionCase:
    """Two charges whose cost is not allocated in time; returns their case."""
    world.receive(dft("M1", "A1", ft1("T1", "STENT", "1", "2000")), dft("M2", "A2", ft1("T2", "STENT", "1", "500.50")))
    pipeline.drain()
    lateness.look(timezone.now() + timedelta(minutes=20))
    return ExceptionCase.objects.get(code="JOURNEY_LATE")


def test_the_page_says_what_is_late_where_what_it_is_worth_and_leads_to_the_case(
    late: ExceptionCase, login: Login
) -> None:
    """The journey's steps stand as a strip; the late one has its figure, its money and its way on."""
    page = text(login("finance").get(reverse("admin:late")))
    assert page.index("Cost allocated") < page.index("Journal posted") < page.index("Billing told")
    assert "2 items" in page
    assert "$2,500.50" in page
    assert "RIVER" in page
    assert reverse("admin:hub_exceptioncase_change", args=[late.pk]) in page
    assert f"{reverse('admin:hub_overdue_changelist')}?step=charge_to_cost.cost_allocated&amp;facility=RIVER" in page


def test_a_page_without_anything_late_says_so_and_tells_what_is_promised(network: Endpoint, login: Login) -> None:
    """Whoever looks sees that it is looked at, and how long each step may take."""
    page = text(login("finance").get(reverse("admin:late")))
    assert "Nothing is late." in page
    assert "within 15 min" in page
    assert "within 4 h" in page


def test_the_case_lists_its_members_and_a_member_shows_how_far_its_journey_came(
    late: ExceptionCase, login: Login
) -> None:
    """From the case to the item, from the item to the delivery that holds it."""
    client = login("finance")
    page = text(client.get(reverse("admin:hub_exceptioncase_change", args=[late.pk])))
    members = list(Overdue.objects.filter(case=late))
    assert len(members) == 2
    for member in members:
        assert reverse("admin:hub_overdue_change", args=[member.pk]) in page
        assert str(member.correlation_id) in page
    item = text(client.get(reverse("admin:hub_overdue_change", args=[members[0].pk])))
    assert "To come" in item
    assert reverse("admin:hub_delivery_change", args=[members[0].subject_id]) in item
    assert "The message behind it" in item


def test_another_facility_is_neither_shown_nor_counted(late: ExceptionCase, login: Login) -> None:
    """Who sees NORTH alone sees nothing late, and no item."""
    client = login("finance", "NORTH")
    page = text(client.get(reverse("admin:late")))
    assert "Nothing is late." in page
    assert "2,500" not in page
    item = Overdue.objects.filter(case=late).first()
    assert item is not None
    assert client.get(reverse("admin:hub_overdue_change", args=[item.pk])).status_code == 404


def test_the_page_is_closed_to_those_without_a_role(network: Endpoint, login: Login) -> None:
    """403, not an empty page."""
    assert login("").get(reverse("admin:late")).status_code == 403


def deadline(**changes: Any) -> dict[str, Any]:
    """What the form of a deadline posts."""
    return {"step": "charge_to_cost.journal_posted", "facility": "RIVER", "minutes": "90", "active": "on", **changes}


def test_a_deadline_is_set_up_on_a_page_and_its_history_kept(network: Endpoint, login: Login) -> None:
    """The step is chosen from those there are; an audit entry says who did it."""
    client, url = login("integration"), reverse("admin:hub_deadline_add")
    assert client.post(url, deadline(step="no.such_step")).status_code == 200
    assert Deadline.objects.count() == 0
    assert client.post(url, deadline()).status_code == 302
    made = Deadline.objects.get()
    assert (made.minutes, made.facility) == (90, "RIVER")
    assert made.history.count() == 1  # type: ignore[attr-defined]
    assert AuditEntry.objects.filter(verb="admin.create", subject_type="hub.deadline").count() == 1


@pytest.mark.parametrize(("facility", "code"), [("NORTH", 302), ("RIVER", 200), ("", 200)])
def test_nobody_promises_for_a_facility_that_they_do_not_see(
    network: Endpoint, login: Login, facility: str, code: int
) -> None:
    """Nor for all of them."""
    client = login("integration", "NORTH")
    assert client.post(reverse("admin:hub_deadline_add"), deadline(facility=facility)).status_code == code
    assert Deadline.objects.count() == (code == 302)


def test_a_calendar_that_cannot_be_read_is_sent_back_with_the_line(network: Endpoint, login: Login) -> None:
    """The form says which line and what to write."""
    client, url = login("integration"), reverse("admin:hub_businesscalendar_add")
    said = {"name": "Office", "time_zone": "UTC", "hours": "mon-fri 8-17", "holidays": ""}
    page = text(client.post(url, said))
    assert "is no time of day; write for example: 08:00-17:00" in page
    assert client.post(url, {**said, "hours": "mon-fri 08:00-17:00"}).status_code == 302
    assert BusinessCalendar.objects.get().name == "Office"
