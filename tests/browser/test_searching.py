"""Searching inside messages in a real browser: found, nothing found, going on by itself, and stopped by a person."""

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, expect

from hub import ids
from hub.models import Endpoint
from hub.search import content
from hub.search.walk import Found

pytestmark = pytest.mark.browser


def clean(page: Page) -> None:
    """0 axe violations."""
    found = Axe().run(page).response["violations"]
    assert [(rule["id"], rule["nodes"][0]["html"]) for rule in found] == [], page.url


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_words_are_found_and_lead_to_their_message(
    traffic: Endpoint, enter: Callable[..., BrowserContext], width: int, scheme: str
) -> None:
    """From the list to the search to a message; what was looked for never stands in the address."""
    page = enter("integration", width=width, scheme=scheme).new_page()
    page.goto("/hub/message/")
    page.get_by_role("link", name="Search inside…").click()
    clean(page)
    page.get_by_label("Words").fill("balloon river")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.get_by_role("heading", name="1 found")).to_be_visible()
    assert page.url.endswith("/hub/message/search/")
    clean(page)
    page.get_by_role("link", name="M1").click()
    expect(page.get_by_role("heading", name="DFT^P03 M1")).to_be_visible()


def test_a_search_that_found_nothing_yet_goes_on_until_somebody_stops_it(
    traffic: Endpoint, enter: Callable[..., BrowserContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slice after slice by itself; after Stop no further one is asked for; the button takes it on again."""
    slices = []

    def endless(*_: object, **given: object) -> Found:
        slices.append(given["before"])
        return Found([], ids.uuid7(), 3.0)

    monkeypatch.setattr(content, "walk", endless)
    page = enter("integration").new_page()
    page.goto("/hub/message/search/")
    page.get_by_label("Words").fill("nobody99")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.get_by_text("Going on further back")).to_be_visible()
    for _ in range(100):
        if len(slices) >= 3:
            break
        page.wait_for_timeout(100)
    assert len(slices) >= 3
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped.")).to_be_visible()
    seen = len(slices)
    page.wait_for_timeout(1500)
    assert len(slices) == seen
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()
    page.get_by_role("button", name="Go on further back").click()
    expect(page.get_by_text("Going on further back")).to_be_visible()
    assert len(slices) > seen
