"""The first page: figures that add up to the cent, in few queries, none of which counts a whole table."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Sum
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from billing.models import Charge
from hub import dashboard
from hub.models import Dispatch, Endpoint, ExceptionCase, Message
from tests.hub.admin.conftest import text

MOST_QUERIES = 15


def panel(client: Client, title: str) -> Any:
    """One panel's values on the first page."""
    panels = client.get(reverse("admin:index")).context["panels"]
    return next(found for found in panels if found["title"] == title)


def test_captured_is_posted_plus_in_flight_plus_held_to_the_cent(house: Endpoint, login: Callable[..., Client]) -> None:
    """The tiles add up, to what the database holds and to what the page says."""
    client = login("finance")
    (book,) = panel(client, "Money of the last 24 hours")["books"]
    tiles = {status: total for status, _, total, _ in book["tiles"]}
    stored = dict(Charge.objects.values_list("status").annotate(total=Sum("amount")))
    assert tiles == {"posted": Decimal(0), "captured": stored["captured"], "held": stored["held"]}
    assert book["captured"] == sum(tiles.values()) == Decimal("8633.60")
    assert book["received"] == sum(stored.values())
    page = text(client.get(reverse("admin:index")))
    for shown in ("$8,633.60", "$6,620.00", "$2,013.60"):
        assert shown in page


def test_what_is_older_than_a_day_is_not_counted(house: Endpoint, login: Callable[..., Client]) -> None:
    """A second look, a day and a minute later, finds nothing of today."""
    later = timezone.now() + timedelta(hours=24, minutes=1)
    from_billing = next(p for p in dashboard.panels if p.title == "Money of the last 24 hours")
    who = _viewer(login)
    assert from_billing.load(who, later)["books"] == []


def test_a_part_of_a_cent_is_shown_and_not_lost(house: Endpoint, login: Callable[..., Client]) -> None:
    """An amount with four decimals is shown with four, so that the sum on the screen stays true."""
    held = Charge.objects.filter(status="held").first()
    assert held is not None
    Charge.objects.filter(pk=held.pk).update(amount=Decimal("0.0125"))
    assert "0.0125" in text(login("finance").get(reverse("admin:index")))


def test_the_first_page_takes_at_most_fifteen_queries(house: Endpoint, person: Callable[..., User]) -> None:
    """Session, user, permissions, facilities, sidebar and all panels together, whatever the person sees."""
    for name, facility in (("wide", "*"), ("narrow", "RIVER")):
        client = Client()
        client.force_login(person("finance", facility, name=name))
        with CaptureQueriesContext(connection) as told:
            assert client.get(reverse("admin:index")).status_code == 200
        assert len(told) <= MOST_QUERIES, [query["sql"][:80] for query in told]


def test_cases_are_told_by_owner_with_their_money(house: Endpoint, login: Callable[..., Client]) -> None:
    """The unmapped department's case is finance's, worth both of its lines."""
    found = panel(login("finance"), "Open cases by money")
    by_owner = {row["owner"]: (row["number"], row["waits"]) for row in found["owners"]}
    assert by_owner["finance"] == (ExceptionCase.objects.filter(owner="finance").count(), Decimal("6620.0000"))
    assert found["cases"][0].worth == Decimal(6620)


@pytest.mark.parametrize(
    ("minutes", "paused", "expected"),
    [(5, False, "talking"), (90, False, "quiet"), (5, True, "paused"), (60 * 30, False, "quiet")],
)
def test_a_feed_says_whether_it_talks(
    house: Endpoint, login: Callable[..., Client], minutes: int, paused: bool, expected: str
) -> None:
    """Talking within its limit, quiet beyond it or after a day without any message, paused when somebody paused it."""
    now = timezone.now() + timedelta(minutes=minutes)
    Endpoint.objects.filter(pk=house.pk).update(paused=paused)
    (feed,) = next(p for p in dashboard.panels if p.title == "Feeds").load(_viewer(login), now)["feeds"]
    assert feed.state == expected


def test_a_call_in_doubt_is_told_before_anything_else(house: Endpoint, login: Callable[..., Client]) -> None:
    """The partner's row says in doubt, and leads to the calls in doubt."""
    (row,) = panel(login("integration"), "Partners")["partners"]
    assert row[2] == "in_doubt"
    assert row[1]["doubt"] == Dispatch.objects.filter(status="in_doubt").count() == 1


def test_figures_are_of_the_own_facilities_only(house: Endpoint, login: Callable[..., Client]) -> None:
    """Who sees NORTH alone sees no money and no feed of RIVER."""
    client = login("finance", "NORTH")
    assert panel(client, "Money of the last 24 hours")["books"] == []
    assert panel(client, "Feeds")["feeds"] == []
    assert panel(client, "Open cases by money")["cases"] == []


def test_lists_of_big_tables_are_never_counted(house: Endpoint, login: Callable[..., Client]) -> None:
    """No list page counts messages, charges, deliveries, journals or audit entries; badges stop at a limit."""
    client = login("superuser")
    for name in ("hub_message", "billing_charge", "hub_delivery", "hub_dispatch", "erp_journal", "hub_auditentry"):
        with CaptureQueriesContext(connection) as told:
            client.get(reverse(f"admin:{name}_changelist"))
        for query in told:
            if "count(" in query["sql"].lower():
                assert "LIMIT 1000" in query["sql"], query["sql"]


def test_every_figure_leads_to_its_rows(house: Endpoint, login: Callable[..., Client]) -> None:
    """The held tile leads to a list of exactly the held charges of the day."""
    client = login("finance")
    listing = client.get(reverse("admin:billing_charge_changelist") + "?status=held&when=24h").context["listing"]
    assert {row.status for row in listing.slice.rows} == {"held"}
    assert len(listing.slice.rows) == Charge.objects.filter(status="held").count() == 2
    assert ExceptionCase.objects.filter(code="MAP_MISSING").count() == 1
    assert Message.objects.filter(status="held").count() == 2


def _viewer(login: Callable[..., Client]) -> Any:
    client = login("superuser", name="looker")
    return client.get(reverse("admin:index")).wsgi_request._throughline_viewer
