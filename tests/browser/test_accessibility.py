"""axe on the pages that staff live in, light and dark, wide and narrow: no violation, and nothing on the console."""

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext

from billing.models import Charge
from hub.models import Delivery, Endpoint, ExceptionCase, Message
from mappings.models import Mapping

pytestmark = pytest.mark.browser


# Looked at in all four combinations; the rest in two that differ in both.
MAIN = ["/", "/hub/exceptioncase/", "/hub/message/", "/billing/charge/", "/mappings/mapping/", "/hub/endpoint/"]


def pages() -> list[str]:
    """The lists, and one row of each kind."""
    return [
        "/",
        "/setup/",
        "/hub/exceptioncase/",
        "/hub/message/",
        "/hub/message/?q=nothing+like+it",
        "/billing/charge/",
        "/reconciliation/",
        "/erp/journal/",
        "/hub/delivery/",
        "/hub/dispatch/",
        "/mappings/mapping/",
        "/mappings/mapping/add/",
        "/mappings/mapping/import/",
        "/mappings/department/",
        "/hub/endpoint/",
        "/password_change/",
        f"/hub/exceptioncase/{ExceptionCase.objects.get(code='MAP_MISSING').pk}/change/",
        f"/hub/message/{Message.objects.get(control_id='M1').pk}/change/",
        f"/billing/charge/{Charge.objects.filter(status='held').values_list('pk', flat=True)[0]}/change/",
        f"/hub/delivery/{Delivery.objects.values_list('pk', flat=True)[0]}/change/",
        f"/hub/endpoint/{Endpoint.objects.get().pk}/change/",
        f"/mappings/mapping/{Mapping.objects.values_list('pk', flat=True)[0]}/change/",
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_no_page_has_a_violation(
    traffic: Endpoint, enter: Callable[..., BrowserContext], width: int, scheme: str
) -> None:
    """0 axe violations on every page; `enter` fails the test for anything that the console complains of."""
    page = enter("integration", width=width, scheme=scheme).new_page()
    for path in pages() if (width, scheme) in {(1440, "light"), (390, "dark")} else MAIN:
        answer = page.goto(path)
        assert answer is not None
        assert answer.status in {200, 403}, path
        found = Axe().run(page).response["violations"]
        assert [(rule["id"], rule["nodes"][0]["html"]) for rule in found] == [], path


def test_the_log_in_page_has_none_either(traffic: Endpoint, enter: Callable[..., BrowserContext]) -> None:
    """The way in, for a stranger."""
    context = enter("integration")
    context.clear_cookies()
    page = context.new_page()
    page.goto("/login/")
    assert Axe().run(page).response["violations"] == []
