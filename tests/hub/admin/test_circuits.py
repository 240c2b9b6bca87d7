"""The circuit on an endpoint's page: what it says to whoever is on call, and what they may press."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from hub.models import AuditEntry, Breaker, Endpoint, Partner
from tests.hub.admin.conftest import text


@pytest.fixture
def erp(house: Endpoint) -> Endpoint:
    """An outbound endpoint that failed five times in a row."""
    partner = Partner.objects.create(code="ledgerly", name="Ledgerly", kind="erp")
    made = Endpoint.objects.create(
        partner=partner, code="ledgerly", name="Ledgerly", direction="out", format="rest_ledger", transport="http",
        settings={"base_url": "http://127.0.0.1:9"},
    )  # fmt: skip
    now = timezone.now()
    Breaker.objects.create(
        endpoint=made, status="open", failures=5, openings=1, opened_at=now, probe_at=now + timedelta(seconds=9),
        code="ERP_UNREACHABLE", text="no connection: ConnectError",
    )  # fmt: skip
    return made


def page(client: Client, endpoint: Endpoint) -> str:
    """The endpoint's page as text."""
    return text(client.get(reverse("admin:hub_endpoint_change", args=[endpoint.pk])))


def press(client: Client, endpoint: Endpoint, verb: str, reason: str) -> int:
    """One button's POST; returns the status."""
    url = reverse("admin:hub_endpoint_verb", args=[endpoint.pk, verb])
    return client.post(url, {f"{verb}-reason": reason}).status_code


def test_an_open_circuit_says_since_when_why_and_what_happens_next(erp: Endpoint, login: Callable[..., Client]) -> None:
    """On the endpoint's page, in the list, and on the first page."""
    client = login("integration")
    told = page(client, erp)
    assert "5 calls in a row failed. The last one said: no connection: ConnectError." in told
    assert "an answer closes the circuit by itself" in told
    assert "Circuit open" in told
    assert "Circuit open" in text(client.get(reverse("admin:hub_endpoint_changelist")))
    assert "Circuit open" in text(client.get(reverse("admin:index")))


def test_it_is_closed_and_opened_with_a_reason_that_stands_in_the_history(
    erp: Endpoint, login: Callable[..., Client]
) -> None:
    """Both verbs are the integration engineer's; a reason is needed."""
    client = login("integration")
    press(client, erp, "close_circuit", "")
    assert Breaker.objects.get().status == "open"
    press(client, erp, "close_circuit", "Their night shift called.")
    assert Breaker.objects.get().status == "closed"
    assert "Their night shift called." in page(client, erp)
    press(client, erp, "open_circuit", "They restore a backup.")
    breaker = Breaker.objects.get()
    assert (breaker.status, breaker.text) == ("open", "Opened by the.integration.")
    assert "They restore a backup." in page(client, erp)
    verbs = AuditEntry.objects.filter(verb__startswith="endpoints.").values_list("verb", flat=True).order_by("id")
    assert list(verbs) == ["endpoints.close_circuit", "endpoints.open_circuit"]


def test_nobody_else_switches_a_circuit(erp: Endpoint, login: Callable[..., Client]) -> None:
    """The auditor sees it and has no button; a forged POST is refused, written down, and moves nothing."""
    client = login("auditor")
    told = page(client, erp)
    assert "Open since" in told
    assert "Close the circuit" not in told
    assert press(client, erp, "close_circuit", "Because.") == 403
    assert Breaker.objects.get().status == "open"
    assert AuditEntry.objects.filter(verb="access.denied").count() == 1


def test_terms_that_nobody_can_follow_are_refused_in_words(erp: Endpoint, login: Callable[..., Client]) -> None:
    """A longest wait that is shorter than the first, a pause of nothing, a pace of no calls: nothing is saved."""
    client = login("integration")
    url = reverse("admin:hub_endpoint_change", args=[erp.pk])
    good = {
        "partner": erp.partner_id, "name": "Ledgerly", "active": "on", "format": "rest_ledger", "transport": "http",
        "concurrency": 1, "backlog_limit": 1, "silent_after_minutes": 0, "settings": "{}", "production": "on",
        "retry_first_s": "5", "retry_factor": "2", "retry_cap_s": "86400", "retry_age_h": "75",
        "breaker_failures": "3", "breaker_pause_s": "30", "breaker_cap_s": "600", "calls_per_minute": "60",
        "calls_burst": "5", "_save": "1",
    }  # fmt: skip
    wrong = {
        "retry_cap_s": ("1", "the longest wait no shorter than the first"),
        "breaker_pause_s": ("0", "the first pause is more than 0 s"),
        "calls_per_minute": ("0", "at least 1 call in a minute"),
    }
    for field, (value, said) in wrong.items():
        assert said in text(client.post(url, {**good, field: value}))
    erp.refresh_from_db()
    assert (erp.retry_first_s, erp.calls_per_minute) == (0.5, None)
    assert client.post(url, good).status_code == 302
    erp.refresh_from_db()
    assert (erp.retry_first_s, erp.retry_cap_s, erp.breaker_failures, erp.calls_per_minute) == (5, 86400, 3, 60)
    assert erp.history.first().retry_cap_s == 86400


def test_a_door_that_only_receives_is_not_asked_how_to_send(house: Endpoint, login: Callable[..., Client]) -> None:
    """Inbound endpoints have no circuit, no pace and no retries."""
    told = page(login("integration"), house)
    assert "Trying again" not in told
    assert "circuit" not in told.lower()
