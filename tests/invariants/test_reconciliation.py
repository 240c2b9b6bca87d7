"""Every dollar accounted for: the balances, their page with the lines behind each figure, and the API."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from billing import reconciliation
from hub.models import Endpoint
from tests import world
from tests.hub.admin.conftest import text
from tests.invariants.conftest import run

SEEN = ("billing.view_charge", "hub.view_message")


def today() -> date:
    """The installation's day."""
    return timezone.localdate()


def balances(**given: Any) -> list[reconciliation.Balance]:
    """The balances of yesterday and today: the house may have been built before midnight."""
    return reconciliation.balances(today() - timedelta(days=1), today(), **given)


def browser(*permissions: str, facility: str = "*") -> Client:
    """Somebody with these permissions who sees one facility."""
    client = Client()
    client.force_login(world.user(f"reader-{User.objects.count()}", *permissions, facility=facility))
    return client


def test_in_is_posted_plus_all_the_rest_to_the_cent(sound: world.Erp) -> None:
    """One interface, one facility: each line stands under one figure, and nothing is left over."""
    (balance,) = balances()
    assert balance.lines == {
        "posted": 2, "reversed": 2, "in_flight": 4, "held": 2, "rejected": 1, "duplicate": 1, "waived": 0,
    }  # fmt: skip
    assert balance.money == {
        "posted": Decimal(6620), "reversed": Decimal(-6000), "in_flight": Decimal("6004.50"), "held": Decimal(1860),
        "rejected": Decimal(0), "duplicate": Decimal(620), "waived": Decimal(0),
    }  # fmt: skip
    assert (balance.lines_in, balance.money_in) == (12, Decimal("9104.50"))
    assert (balance.lines_missing, balance.difference, balance.balanced) == (0, Decimal(0), True)


def test_a_line_that_was_deleted_is_missed_with_its_money(sound: world.Erp) -> None:
    """Its message still holds it, and the ledger was told of it: the row is gone, the difference is not."""
    run("DELETE FROM billing_charge WHERE line_key = 'T2'")
    found = {one.currency: one for one in balances()}
    assert found["USD"].difference == Decimal(620)
    assert found[""].lines_missing == 1
    assert not any(one.balanced for one in found.values())


def test_an_amount_that_was_altered_is_a_difference(sound: world.Erp) -> None:
    """A cent is enough, and the line behind the difference is named."""
    run("UPDATE billing_charge SET amount = amount - 0.01 WHERE line_key = 'T1'")
    (balance,) = balances()
    assert balance.difference == Decimal("0.01")
    place = (balance.endpoint_id, "RIVER", balance.day, "USD")
    (wrong,) = reconciliation.charge_ids(place, "difference")
    assert [(wrong,)] == run("SELECT id FROM billing_charge WHERE line_key = 'T1'")
    assert len(reconciliation.charge_ids(place, "held")) == 2


def test_other_facilities_and_days_have_rows_of_their_own(sound: world.Erp) -> None:
    """Nobody sees another facility's money, and a day without messages has no row."""
    assert balances(facilities={"NORTH"}) == []
    assert balances(endpoint_id=10**9) == []
    assert reconciliation.balances(date(2020, 1, 1), date(2020, 1, 2)) == []


def test_messages_are_counted_by_what_became_of_them(sound: world.Erp) -> None:
    """What was not read yet has no money in the sums; it is told by number."""
    total: dict[str, int] = {}
    for counts in reconciliation.messages(today() - timedelta(days=1), today()).values():
        for status, number in counts.items():
            total[status] = total.get(status, 0) + number
    assert total == {"applied": 9, "held": 2, "stopped": 1, "blocked": 1, "received": 1, "refused": 1}


def test_the_page_shows_that_all_is_accounted_for_and_leads_to_the_lines(sound: world.Erp) -> None:
    """Each figure is a link to its rows; a difference says what to do."""
    client = browser(*SEEN)
    page = text(client.get(reverse("admin:reconciliation")))
    assert "Everything is accounted for." in page
    assert "$6,004.50" in page
    day = balances()[0].day
    query = {"day": day, "interface": "carebill-river", "facility": "RIVER", "currency": "USD", "figure": "held"}
    answer = client.get(reverse("admin:reconciliation_lines"), query)
    assert sorted(charge.line_key[:2] for charge in answer.context["shown"]["charges"]) == ["T2", "T3"]
    run("UPDATE billing_charge SET amount = amount + 7 WHERE line_key = 'T1'")
    page = text(client.get(reverse("admin:reconciliation"), {"day": day}))
    assert "Something is not accounted for." in page
    assert "figure=difference" in page
    answer = client.get(reverse("admin:reconciliation_lines"), {**query, "figure": "difference"})
    assert [charge.line_key for charge in answer.context["shown"]["charges"]] == ["T1"]


def test_the_page_is_for_those_who_may_see_charges_of_the_facility(sound: world.Erp) -> None:
    """Without the permission 403; with another facility no rows, and 404 for lines that are asked for by address."""
    assert browser("hub.view_message").get(reverse("admin:reconciliation")).status_code == 403
    assert browser("hub.view_message").get(reverse("admin:reconciliation_lines")).status_code == 403
    north = browser(*SEEN, facility="NORTH")
    page = text(north.get(reverse("admin:reconciliation")))
    assert "No charge lines on these days." in page
    assert "CareBill" not in page
    query = {"day": today(), "interface": "carebill-river", "facility": "RIVER", "currency": "USD", "figure": "held"}
    assert north.get(reverse("admin:reconciliation_lines"), query).status_code == 404
    for wrong in ({"figure": "all"}, {"day": "never"}, {"interface": "none"}):
        assert browser(*SEEN).get(reverse("admin:reconciliation_lines"), query | wrong).status_code == 404


def test_a_page_that_would_take_too_long_asks_for_fewer_days(sound: world.Erp, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database ends the statement; the reader is told what to choose."""
    monkeypatch.setattr(reconciliation, "SUMS", "SELECT pg_sleep(30)")
    monkeypatch.setattr("billing.reconciliation.PATIENCE_S", 0.05)
    assert "These days hold too much" in text(browser(*SEEN).get(reverse("admin:reconciliation")))


def test_the_api_has_the_same_patience_and_says_what_to_ask_for(
    sound: world.Erp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 with a sentence, and a caller that goes on; without its words no question holds the database."""
    monkeypatch.setattr(reconciliation, "SUMS", "SELECT pg_sleep(30)")
    monkeypatch.setattr(reconciliation, "PATIENCE_S", 0.05)
    answer = browser(*SEEN).get("/api/v1/reconciliation")
    assert (answer.status_code, answer.json()["code"]) == (503, "API_UNAVAILABLE")
    assert "ask for fewer days" in answer.json()["detail"]


@pytest.mark.parametrize("query", [{"day": "2026-13-45"}, {"day": "1200-01-01"}, {"span": "100d"}, {"day": "x" * 900}])
def test_the_page_takes_no_nonsense(sound: world.Erp, query: dict[str, str]) -> None:
    """What is not a day that was leads to the usual days."""
    assert browser(*SEEN).get(reverse("admin:reconciliation"), query).context["days"].chosen == "7d"


def test_the_api_tells_the_same(sound: world.Erp) -> None:
    """By interface, facility, day and currency, with the figures as text and the difference beside them."""
    client = browser(*SEEN)
    (row,) = client.get("/api/v1/reconciliation", {"interface": "carebill-river"}).json()
    assert (row["interface"], row["facility"], row["lines_in"], row["money_in"]) == (
        "carebill-river", "RIVER", 12, "9104.5000",
    )  # fmt: skip
    assert (row["money"]["held"], row["lines"]["held"]) == ("1860.0000", 2)
    assert (row["difference"], row["lines_missing"], row["balanced"]) == ("0.0000", 0, True)
    assert client.get("/api/v1/reconciliation", {"interface": "nobody"}).json() == []
    assert browser(*SEEN, facility="NORTH").get("/api/v1/reconciliation").json() == []
    assert browser("hub.view_message").get("/api/v1/reconciliation").status_code == 403
    for query in ({"from_day": "2026-01-01", "to_day": "2026-03-01"}, {"to_day": "soon"}, {"since": "2026-01-01"}):
        assert client.get("/api/v1/reconciliation", query).status_code == 400


def test_an_interface_that_was_switched_off_keeps_its_balances(sound: world.Erp) -> None:
    """What came in through it does not go away with it."""
    Endpoint.objects.filter(direction="in").update(active=False)
    assert "CareBill Riverside" in text(browser(*SEEN).get(reverse("admin:reconciliation")))
