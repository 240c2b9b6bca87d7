"""The story that the product exists for: a missing mapping is healed by two people, with one click each."""

import re
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from playwright.sync_api import BrowserContext, expect

from billing.models import Charge
from hub import outbox, pipeline
from hub.models import Endpoint, ExceptionCase, Waiting
from mappings.models import Mapping

pytestmark = pytest.mark.browser
Enter = Callable[..., BrowserContext]


def work() -> None:
    """What the workers do, in a thread of their own with their own connection."""

    def run() -> None:
        try:
            pipeline.drain()
            outbox.drain()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(timeout=60)
    assert not thread.is_alive()


def test_two_people_heal_a_missing_mapping(traffic: Endpoint, enter: Enter) -> None:
    """Finance proposes, an approver approves with one click and watches it go through; the case is closed by itself."""
    finance = enter("finance").new_page()
    finance.goto("/")
    finance.get_by_role("link", name=re.compile("CATHLAB2")).first.click()
    expect(finance.get_by_role("heading", level=1)).to_contain_text("CATHLAB2")
    finance.get_by_label("Another department").or_(finance.get_by_label("Our department")).fill("R115")
    finance.get_by_role("button", name="Propose").click()
    expect(finance.get_by_role("status")).to_contain_text("Somebody else approves it")
    expect(finance.get_by_text("You proposed it, so somebody else has to approve it")).to_be_visible()
    expect(finance.get_by_role("button", name="Approve")).to_have_count(0)

    approver = enter("approver").new_page()
    approver.goto("/hub/exceptioncase/")
    approver.get_by_role("link", name=re.compile("CATHLAB2")).click()
    approver.get_by_role("button", name="Approve and release 2 lines, $6,620.00").click()
    expect(approver.get_by_text("0 of 2 lines went through.").first).to_be_visible()
    work()
    expect(approver.get_by_text("The case closed by itself")).to_be_visible(timeout=20_000)
    expect(approver.get_by_text("2 of 2 lines went through.").first).to_be_visible()
    expect(approver.locator("h1 .pill")).to_have_text("Resolved")

    assert ExceptionCase.objects.get(code="MAP_MISSING").status == "resolved"
    assert Waiting.objects.count() == 0
    assert Mapping.objects.get(source_code="CATHLAB2").approved_by.username == "the.approver"  # type: ignore[union-attr]
    assert set(Charge.objects.filter(source_department="CATHLAB2").values_list("status", flat=True)) == {"captured"}


def test_it_works_without_scripts_too(traffic: Endpoint, enter: Enter) -> None:
    """The same on a browser without JavaScript: forms post, and the page that watches reloads itself."""
    finance = enter("finance", scripts=False).new_page()
    case = ExceptionCase.objects.get(code="MAP_MISSING")
    finance.goto(f"/hub/exceptioncase/{case.pk}/change/")
    finance.get_by_label("Another department").or_(finance.get_by_label("Our department")).fill("R115")
    finance.get_by_role("button", name="Propose").click()
    approver = enter("approver", scripts=False).new_page()
    approver.goto(f"/hub/exceptioncase/{case.pk}/change/")
    approver.get_by_role("button", name=re.compile("Approve and release")).click()
    expect(approver.get_by_text("0 of 2 lines went through.").first).to_be_visible()
    work()
    expect(approver.get_by_text("The case closed by itself")).to_be_visible(timeout=20_000)


def test_a_keyboard_is_enough(traffic: Endpoint, enter: Enter) -> None:
    """The first Tab offers to skip the menu; Enter on it leads to the page itself."""
    page = enter("finance").new_page()
    page.goto("/")
    page.keyboard.press("Tab")
    focused: Any = page.evaluate("document.activeElement.textContent")
    assert focused == "Skip to the page"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_the_theme_is_kept(traffic: Endpoint, enter: Enter) -> None:
    """Somebody who chooses dark finds it dark on the next page, whatever the system says."""
    page = enter("finance").new_page()
    page.goto("/")
    page.get_by_role("button", name="Dark theme").click()
    page.goto("/hub/message/")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    expect(page.get_by_role("button", name="Light theme")).to_be_visible()


def test_a_phone_opens_the_menu_and_nothing_runs_off_the_side(traffic: Endpoint, enter: Enter) -> None:
    """At 390 pixels the menu opens by its button, and no page is wider than the screen."""
    page = enter("finance", width=390).new_page()
    case = ExceptionCase.objects.get(code="MAP_MISSING")
    for path in ("/", "/hub/message/", "/billing/charge/", f"/hub/exceptioncase/{case.pk}/change/", "/setup/"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
    button = page.get_by_role("button", name="Menu")
    expect(page.get_by_role("navigation", name="Main")).to_be_hidden()
    button.click()
    expect(button).to_have_attribute("aria-expanded", "true")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Charges").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Charges")
