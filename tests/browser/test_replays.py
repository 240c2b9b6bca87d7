"""Replays and the editor in a real browser: from a list to the plan to the results, and a stopped message mended."""

import re
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, expect

from hub import bodies
from hub.models import Endpoint, Message
from tests import world
from tests.world import dft, ft1

pytestmark = pytest.mark.browser
BAD = ft1("T9", "STENT", "1", "2000", service="not a day")


@pytest.fixture
def stopped(traffic: Endpoint) -> Message:
    """One more message, which cannot be read, and one behind it."""
    world.receive(dft("M8", "A9", BAD), dft("M9", "A9", ft1("T8", "STENT", "1", "2000")))
    world.run_until_quiet()
    return Message.objects.get(control_id="M8")


def clean(page: Page) -> None:
    """0 axe violations."""
    found = Axe().run(page).response["violations"]
    assert [(rule["id"], rule["nodes"][0]["html"]) for rule in found] == [], page.url


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_a_replay_is_planned_from_the_list_started_and_followed_to_its_end(
    stopped: Message, enter: Callable[..., BrowserContext], width: int, scheme: str
) -> None:
    """The page moves on by itself when the last item has its result."""
    page = enter("integration", width=width, scheme=scheme).new_page()
    page.goto("/hub/message/?status=stopped")
    page.get_by_role("link", name="Replay these…").click()
    clean(page)
    page.get_by_label("Reason").fill("the sender's clock was wrong")
    page.get_by_role("button", name="Show the plan").click()
    expect(page.get_by_text("Nothing has moved yet")).to_be_visible()
    clean(page)
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("heading", name="On its way")).to_be_visible()
    world.run_until_quiet()
    expect(page.get_by_role("heading", name="How far it came")).to_be_visible()
    expect(page.get_by_text("It stopped again: ", exact=False)).to_be_visible()
    clean(page)
    page.goto("/hub/replay/")
    clean(page)


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_a_stopped_message_is_mended_in_the_editor(
    stopped: Message, enter: Callable[..., BrowserContext], width: int, scheme: str
) -> None:
    """What was not touched comes out byte for byte; the copy's page links the original."""
    page = enter("integration", width=width, scheme=scheme).new_page()
    page.goto(f"/hub/message/{stopped.pk}/change/")
    page.get_by_text("Open it for editing").click()
    clean(page)
    page.locator("#id_edit-reason").fill("the day was no day")
    page.get_by_role("button", name="Open it").click()
    clean(page)
    text = page.get_by_label("The message, one segment a line")
    text.fill(text.input_value().replace("not a day", f"{world.TODAY:%Y%m%d}"))
    page.get_by_role("button", name="Hand the copy in").click()
    expect(page.get_by_text("This is the copy", exact=False)).to_be_visible()
    copy = Message.objects.order_by("-received_at").first()
    assert copy is not None
    assert bodies.of(copy) == bodies.of(stopped).replace(b"not a day", f"{world.TODAY:%Y%m%d}".encode())
    assert re.search(str(copy.pk), page.url)
    page.get_by_role("link", name=str(stopped.pk)).click()
    expect(page.get_by_text("An edited copy took its place", exact=False)).to_be_visible()
    clean(page)
