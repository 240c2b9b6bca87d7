"""Draining and sending again in the browser: who sees which button, and what the page says then."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from hub.models import Delivery, Endpoint, Replay, Webhook
from tests.hub.admin.conftest import text

WHY = {"drain-reason": "the partner moves tonight"}


def page(endpoint: Endpoint) -> str:
    """The endpoint's address."""
    return reverse("admin:hub_endpoint_change", args=[endpoint.pk])


def press(client: Client, endpoint: Endpoint, verb: str, data: dict[str, str] | None = None) -> int:
    """Press a button; the status of the answer."""
    return client.post(reverse("admin:hub_endpoint_verb", args=[endpoint.pk, verb]), data or {}).status_code


@pytest.mark.parametrize("code", ["carebill-river", "summit"])
def test_an_endpoint_is_drained_says_what_is_left_and_takes_again(
    house: Endpoint, login: Callable[..., Client], code: str
) -> None:
    """The page leads through it: drain, what is left, drained, take again."""
    client, door = login("integration"), Endpoint.objects.get(code=code)
    assert press(client, door, "drain") == 302
    door.refresh_from_db()
    assert door.draining_since is None  # no reason was given
    assert press(client, door, "drain", WHY) == 302
    shown = text(client.get(page(door)))
    assert ("Draining" in shown, "Take again" in shown, "Drain…" in shown) == (True, True, False)
    assert "the partner moves tonight" in shown
    Endpoint.objects.filter(pk=door.pk).update(draining_since=timezone.now() - timedelta(minutes=5))
    shown = text(client.get(page(door)))
    if code == "summit":  # a call is in doubt
        assert "Not drained yet: 1 call will come to an end by itself." in shown
    else:
        assert "It is drained: nothing of it is open." in shown
    listed = text(client.get(reverse("admin:hub_endpoint_changelist")))
    assert ("Drained" in listed) is (code != "summit")
    assert "akes nothing new" in text(client.get(reverse("admin:index"))) or code == "summit"
    assert press(client, door, "take_again") == 302
    door.refresh_from_db()
    assert door.draining_since is None


def test_whoever_may_not_drain_sees_no_button_and_is_refused(house: Endpoint, login: Callable[..., Client]) -> None:
    """A forged POST is a 403 and moves nothing."""
    client = login("finance")
    assert "Drain…" not in text(client.get(page(house)))
    assert press(client, house, "drain", WHY) == 403
    house.refresh_from_db()
    assert house.draining_since is None


def test_sending_again_is_planned_on_the_page_of_deliveries_and_tells_the_promise(
    house: Endpoint, login: Callable[..., Client]
) -> None:
    """The form offers it to whoever may; the plan waits for a second person and says what the partner promises."""
    Delivery.objects.filter(route="journals.post").update(status="delivered")
    client, url = login("integration"), reverse("admin:hub_replay_plan") + "?of=deliveries"
    assert "Send again to the partner what it was sent" in text(client.get(url))
    since = (timezone.localtime() - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M")
    data = {"mode": "resend", "to": "", "endpoint": "summit", "since": since, "limit": "10", "reason": "their restore"}
    answer = client.post(url, data)
    assert answer.status_code == 302
    one = Replay.objects.latest("pk")
    assert (one.mode, one.status, one.count) == ("resend", "waiting_approval", 1)
    shown = text(client.get(answer["Location"]))
    assert "It promises to know the key" in shown
    assert "Send again to the partner what it was sent" in shown


def test_a_copy_without_a_shadow_system_is_refused_in_words(house: Endpoint, login: Callable[..., Client]) -> None:
    """The form says what is missing; nothing is planned."""
    Delivery.objects.filter(route="journals.post").update(status="delivered")
    client, url = login("integration"), reverse("admin:hub_replay_plan") + "?of=deliveries"
    since = (timezone.localtime() - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M")
    before = Replay.objects.count()
    answer = client.post(url, {"mode": "copy", "to": "", "since": since, "limit": "10", "reason": "a test"})
    assert "no active outbound endpoint" in text(answer)
    assert Replay.objects.count() == before


def test_a_webhooks_secret_is_set_and_never_shown(house: Endpoint, login: Callable[..., Client]) -> None:
    """A bad one is refused in words; a good one is sealed; neither stands on any page."""
    client, hook = login("integration"), Webhook.objects.get(name="pager")
    change = reverse("admin:hub_webhook_change", args=[hook.pk])
    assert "Nothing is sent before it has a secret" in text(client.get(change))
    verb = reverse("admin:hub_webhook_verb", args=[hook.pk, "set_secret"])
    good = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
    for secret, words in (("dG9vc2hvcnQ=", "cannot be used"), (good, "is sealed")):
        answer = client.post(verb, {"set_secret-secret": secret}, follow=True)
        assert words in text(answer)
        assert secret not in text(answer)
    hook.refresh_from_db()
    assert hook.secret.startswith("v1.")
