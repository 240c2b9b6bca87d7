"""The page that looks inside messages: for whoever may, by POST alone, and on from where a slice ended."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from hub import ids
from hub.models import AuditEntry, Endpoint
from hub.search import content, walk
from hub.search.walk import Found
from tests.hub.admin.conftest import rows, text

URL = "/hub/message/search/"


def test_words_inside_messages_are_found_on_the_page(house: Endpoint, login: Callable[..., Client]) -> None:
    """Two messages hold GAUZE; each row leads to its message; the words stand in no address and no audit entry."""
    client = login("integration")
    page = client.post(URL, {"words": "gauze river", "days": "7"})
    assert text(page).count("/change/") == 2
    assert "2 found" in text(page)
    assert "that is all of it" in text(page)
    assert "?" not in page.request["PATH_INFO"] + page.request["QUERY_STRING"]
    (entry,) = AuditEntry.objects.filter(verb="messages.search")
    assert (entry.actor, entry.count) == ("the.integration", 2)
    assert "gauze" not in str(entry.detail).lower()


def test_nothing_found_says_what_to_do(house: Endpoint, login: Callable[..., Client]) -> None:
    """And a word that cannot be one is refused beside the field."""
    client = login("integration")
    assert "Look further back" in text(client.post(URL, {"words": "nobody99", "days": "1"}))
    assert "SEARCH_WORDS" in text(client.post(URL, {"words": "ab", "days": "1"}))
    assert "0 found" not in text(client.get(URL))


def test_a_slice_that_ended_early_says_how_far_and_goes_on(
    house: Endpoint, login: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The place is kept in the form of the button; pressed, the search goes on from there."""
    reached, asked = ids.uuid7(), []

    def stub(probe: object, **given: object) -> Found:
        asked.append(given["before"])
        return Found([], reached, 3.0) if len(asked) == 1 else Found([], None, 0.1)

    monkeypatch.setattr(content, "walk", stub)
    client = login("integration")
    page = text(client.post(URL, {"words": "nobody99", "days": "31"}))
    assert "Go on further back" in page
    assert "data-onward" in page
    form = client.post(URL, {"words": "nobody99", "days": "31"}).context["form"]
    assert form.fields["words"].required
    client.post(URL, {"words": "nobody99", "days": "31", "before": str(reached)})
    assert asked[2] == reached
    assert walk.BUDGET_S == 3


@pytest.mark.parametrize("role", ["approver", "finance", "auditor", "supply_chain"])
def test_whoever_may_not_search_is_refused_and_it_is_kept(
    house: Endpoint, login: Callable[..., Client], role: str
) -> None:
    """No link, no page, a trace."""
    client = login(role)
    assert "Search inside" not in text(client.get(reverse("admin:hub_message_changelist")))
    assert client.post(URL, {"words": "gauze", "days": "7"}).status_code == 403
    assert AuditEntry.objects.filter(verb="access.denied").count() == 1
    assert not AuditEntry.objects.filter(verb="messages.search").exists()


def test_the_box_of_the_list_finds_by_every_key(house: Endpoint, login: Callable[..., Client]) -> None:
    """Account, transaction id, item code and control id lead to their messages, without a window of time."""
    client = login("integration")
    for term, count in (("A1", 2), ("T3", 1), ("GAUZE", 2), ("M3", 1), (str(rows().pk), 1), ("nobody", 0)):
        page = client.get(reverse("admin:hub_message_changelist"), {"q": term})
        assert len(page.context["listing"].rows) == count, term
