"""Every page for every role: it opens for whoever may see it, and refuses everybody else in so many words."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from hub import access
from hub.models import Endpoint, ExceptionCase, Message
from tests.hub.admin.conftest import text

ROLES = [*access.ROLES, "", "superuser"]


def sites() -> list[Any]:
    """Every registered ModelAdmin."""
    return list(admin.site._registry.values())


def name(owner: Any, page: str) -> str:
    """The URL name of one of its pages."""
    return f"admin:{owner.opts.app_label}_{owner.opts.model_name}_{page}"


@pytest.mark.parametrize("role", ROLES)
def test_every_list_and_every_row_opens_for_whoever_may_see_it(
    house: Endpoint, person: Callable[..., User], role: str
) -> None:
    """Lists and rows answer 200 with the view permission and 403 without; nothing ever answers 500."""
    user = person(role)
    client = Client()
    client.force_login(user)
    seen = 0
    for owner in sites():
        expected = 200 if user.has_perm(f"{owner.opts.app_label}.view_{owner.opts.model_name}") else 403
        row = owner.model._default_manager.first()
        assert row is not None, f"the house has no {owner.opts.label}"
        pages = (reverse(name(owner, "changelist")), reverse(name(owner, "change"), args=[row.pk]))
        for url in pages:
            assert client.get(url).status_code == expected, f"{role or 'nobody'} at {url}"
        seen += 1
    assert seen == len(sites())
    assert seen >= 25


@pytest.mark.parametrize("role", ROLES)
def test_the_way_to_something_new_is_open_only_with_the_permission(
    house: Endpoint, person: Callable[..., User], role: str
) -> None:
    """Add pages answer 200 exactly where `has_add_permission` says so, else 403."""
    user = person(role)
    client = Client()
    client.force_login(user)
    opened = []
    for owner in sites():
        response = client.get(reverse(name(owner, "add")))
        assert response.status_code in {200, 403}, owner.opts.label
        if response.status_code == 200:
            opened.append(owner.opts.label_lower)
    evidence = {"hub.message", "billing.charge", "erp.journal", "hub.delivery", "hub.dispatch", "hub.auditentry"}
    assert not evidence & set(opened)
    if role in {"", "auditor"}:
        assert opened == []


@pytest.mark.parametrize("role", ROLES)
def test_the_first_page_and_the_set_up_open_for_everybody_on_the_staff(
    house: Endpoint, login: Callable[..., Client], role: str
) -> None:
    """Somebody without a role sees what to do about it, not an error."""
    client = login(role)
    first, setup = client.get(reverse("admin:index")), client.get(reverse("admin:setup"))
    assert (first.status_code, setup.status_code) == (200, 200)
    if role == "":
        assert "Your account has no role" in text(first)


def test_nobody_sees_anything_before_logging_in(house: Endpoint) -> None:
    """Every page leads a stranger to the log-in page and shows nothing."""
    for owner in sites():
        url = reverse(name(owner, "changelist"))
        response = Client().get(url)
        assert response.status_code == 302
        assert response["Location"].startswith(reverse("admin:login"))


def test_rows_of_another_facility_are_not_there(house: Endpoint, login: Callable[..., Client]) -> None:
    """Who sees NORTH alone gets 404 for a message of RIVER, and an empty list."""
    client = login("integration", "NORTH")
    message = Message.objects.get(control_id="M1")
    assert client.get(reverse("admin:hub_message_change", args=[message.pk])).status_code == 404
    assert "No messages in this window" in text(client.get(reverse("admin:hub_message_changelist")))
    assert client.post(reverse("admin:hub_message_verb", args=[message.pk, "retry"])).status_code == 404


def test_every_answer_carries_the_strict_policy_and_is_not_stored(
    house: Endpoint, login: Callable[..., Client]
) -> None:
    """No page allows anything inline or from elsewhere, and no page stays in a cache."""
    client = login("finance")
    for url in ("admin:index", "admin:hub_exceptioncase_changelist"):
        response = client.get(reverse(url))
        assert response["Content-Security-Policy"].startswith("default-src 'self'")
        assert "unsafe" not in response["Content-Security-Policy"]
        assert "no-store" in response["Cache-Control"]


@pytest.mark.parametrize("role", ["superuser", "finance", "integration"])
def test_no_page_writes_script_or_style_into_its_markup(
    house: Endpoint, login: Callable[..., Client], role: str
) -> None:
    """No <style>, no style=, no on...= and no script without an address, on any page of any model."""
    client = login(role)
    for owner in sites():
        row = owner.model._default_manager.first()
        urls = [
            reverse(name(owner, "changelist")),
            reverse(name(owner, "change"), args=[row.pk]),
            reverse(name(owner, "add")),
        ]
        for url in urls:
            response = client.get(url)
            if response.status_code == 200:
                # A webhook's form shows the address that staff typed; nothing is loaded from it.
                page = text(response).lower().replace('value="http://pager.example.org/hooks/throughline"', "")
                for bad in (
                    "<style",
                    " style=",
                    "<script>",
                    " onclick=",
                    " onload=",
                    "javascript:",
                    "http://",
                    "https://",
                ):
                    assert bad not in page.replace('xmlns="http://www.w3.org/2000/svg"', ""), f"{bad} at {url}"


def test_the_sidebar_counts_what_waits(house: Endpoint, login: Callable[..., Client]) -> None:
    """One open case, two held charges, one proposed mapping: the badges say so."""
    sidebar = login("finance").get(reverse("admin:index")).context["sidebar"]
    counts = {entry["name"]: entry["count"] for entry in sidebar}
    assert list(counts) == ["Today", "Cases", "Charges", "Journals", "Messages", "Deliveries", "Mappings", "Set-up"]
    assert counts["Cases"] == ExceptionCase.objects.filter(status="open").count()
    assert counts["Charges"] == 2
    assert counts["Mappings"] == 1


def test_the_log_in_page_needs_no_third_party(db: None) -> None:
    """It answers with our theme and no trace of another product's header."""
    page = text(Client().get(reverse("admin:login")))
    assert "Throughline" in page
    assert "Django" not in page
