"""The pages of replays and of the editor: plan from a list, look, approve, start, watch; a copy and its original."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from hub import bodies, replaying
from hub.models import AuditEntry, Endpoint, Message, Replay
from tests import world
from tests.world import dft, ft1

pytestmark = pytest.mark.django_db
BAD = ft1("T0", "STENT", "1", "2000", service="not a day")
LIST, PLAN = "admin:hub_message_changelist", "admin:hub_replay_plan"


@pytest.fixture
def stopped(network: Endpoint) -> Message:
    """A message that cannot be read, and one behind it."""
    world.receive(dft("M0", "A1", BAD), dft("M1", "A1", ft1("T1", "STENT", "1", "2000")))
    world.run_until_quiet()
    return Message.objects.select_related("endpoint").get(status="stopped")


def page(client: Client, name: str, *args: Any) -> str:
    """A page's text."""
    answer = client.get(reverse(name, args=args))
    assert answer.status_code == 200
    return answer.content.decode()


def plan(client: Client, **fields: str) -> Replay:
    """Plan in the form; returns the plan."""
    body = {"status": "stopped", "limit": "10", "reason": "the clock was wrong"} | fields
    answer = client.post(reverse(PLAN) + "?of=messages", body)
    assert answer.status_code == 302, answer.content.decode()
    return Replay.objects.latest("pk")


@pytest.mark.usefixtures("stopped")
def test_a_list_leads_to_the_plan_with_its_own_filters(login: Callable[..., Client]) -> None:
    """Status, endpoint, search and window of time come along; whoever may not plan sees no button."""
    door = Endpoint.objects.get(direction="in")
    query = f"?status=applied&endpoint={door.pk}&q=A1&when=7d"
    engineer, finance = login("integration"), login("finance")
    shown = engineer.get(reverse(LIST) + query).content.decode()
    link = re.search(r'href="([^"]+)">Replay these…', shown)
    assert link
    form = engineer.get(link[1].replace("&amp;", "&")).content.decode()
    assert '<option value="applied" selected>' in form
    assert f'<option value="{door.code}" selected>' in form
    assert 'name="key" value="A1"' in form
    assert 'value="messages"' not in form  # the kind of replay is no kind of message
    assert re.search(r'name="since" value="\d{4}-\d\d-\d\dT\d\d:\d\d"', form)
    assert "Replay these…" not in page(finance, LIST)
    assert finance.get(reverse(PLAN)).status_code == 403


def test_the_plan_is_seen_before_it_is_started_and_followed_after(
    stopped: Message, login: Callable[..., Client]
) -> None:
    """Money, counts, destination first; then a bar; then each item's result with its reason."""
    client = login("integration")
    one = plan(client)
    shown = page(client, "admin:hub_replay_change", one.pk)
    assert "Nothing has moved yet" in shown
    assert "DFT^P03 from CareBill Riverside to charges.dft" in shown
    client.post(reverse("admin:hub_replay_verb", args=[one.pk, "start"]))
    assert "data-progress" in page(client, "admin:hub_replay_change", one.pk)
    world.run_until_quiet()
    state = client.get(reverse("admin:hub_replay_progress", args=[one.pk])).json()
    assert state == {"done": 1, "of": 1, "said": "1 of 1 have their result.", "finished": True}
    shown = page(client, "admin:hub_replay_change", one.pk)
    assert "1 item failed" in shown
    assert "It stopped again: " in shown
    assert "data-progress" not in shown
    assert f"Replay {one.pk}" in page(client, "admin:hub_message_change", stopped.pk)


@pytest.mark.usefixtures("stopped")
def test_a_second_person_approves_on_the_page_and_the_planner_is_told_so(
    login: Callable[..., Client], settings: Any
) -> None:
    """The planner's page has no way round; finance approves, integration starts."""
    settings.REPLAY_APPROVAL_ITEMS = 1
    engineer, finance = login("integration"), login("finance")
    one = plan(engineer, status="", since=f"{world.TODAY:%Y-%m-%d}T00:00")
    assert one.status == "waiting_approval"
    assert engineer.post(reverse("admin:hub_replay_verb", args=[one.pk, "approve"])).status_code == 403
    engineer.post(reverse("admin:hub_replay_verb", args=[one.pk, "start"]))
    one.refresh_from_db()
    assert one.status == "waiting_approval"
    assert "Approve" in page(finance, "admin:hub_replay_change", one.pk)
    finance.post(reverse("admin:hub_replay_verb", args=[one.pk, "approve"]), {"approve-reason": "seen"})
    engineer.post(reverse("admin:hub_replay_verb", args=[one.pk, "start"]))
    engineer.post(reverse("admin:hub_replay_verb", args=[one.pk, "cancel"]), {"cancel-reason": "enough"})
    one.refresh_from_db()
    assert (one.status, one.approved_by.get_username() if one.approved_by else "") == ("cancelled", "the.finance")
    assert replaying.step() == 0


@pytest.mark.usefixtures("stopped")
def test_a_plan_that_cannot_be_made_keeps_the_form_and_says_why(login: Callable[..., Client]) -> None:
    """Nothing is planned."""
    answer = login("integration").post(
        reverse(PLAN) + "?of=deliveries", {"limit": "10", "reason": "why"}, follow=True
    )  # fmt: skip
    assert "Say from which moment on" in answer.content.decode()
    assert not Replay.objects.exists()


def test_a_stopped_message_is_edited_in_the_browser_and_both_pages_lead_to_each_other(
    stopped: Message, login: Callable[..., Client]
) -> None:
    """A reason opens the editor, the copy is applied, the original keeps its bytes; the look is audited."""
    client = login("integration")
    assert "Edit and resubmit" in page(client, "admin:hub_message_change", stopped.pk)
    edit, send = (reverse(f"admin:hub_message_{verb}", args=[stopped.pk]) for verb in ("edit", "resubmit"))
    refused = client.post(edit, {"edit-reason": " "}, follow=True).content.decode()
    assert "say why you edit it" in refused
    assert "ZZCANARY" not in refused
    opened = client.post(edit, {"edit-reason": "wrong day"}).content.decode()
    assert "not a day" in opened
    assert AuditEntry.objects.get(verb="messages.reveal").reason == "wrong day"
    lines = bodies.of(stopped).decode().replace("\r", "\r\n")
    same = client.post(send, {"text": lines, "reason": "r", "codec": "utf-8"}).content.decode()
    assert "RESUBMIT_SAME" in same
    mended = lines.replace("not a day", f"{world.TODAY:%Y%m%d}")
    client.post(send, {"text": mended, "reason": "wrong day", "codec": "utf-8"})
    world.run_until_quiet()
    assert list(Message.objects.order_by("id").values_list("status", flat=True)) == ["replaced", "applied", "applied"]
    copy = Message.objects.order_by("id")[1]
    assert str(copy.pk) in page(client, "admin:hub_message_change", stopped.pk)
    assert str(stopped.pk) in page(client, "admin:hub_message_change", copy.pk)
    assert "Edit and resubmit" not in page(client, "admin:hub_message_change", copy.pk)


def test_nobody_without_the_permission_opens_the_editor(stopped: Message, login: Callable[..., Client]) -> None:
    """403 and a trace; a GET shows nothing."""
    edit, send = (reverse(f"admin:hub_message_{verb}", args=[stopped.pk]) for verb in ("edit", "resubmit"))
    clerk = login("revenue_cycle")
    for url, body in ((edit, {"edit-reason": "r"}), (send, {"text": "MSH", "reason": "r", "codec": "utf-8"})):
        assert clerk.post(url, body).status_code == 403
        assert clerk.get(url).status_code == 405
    assert AuditEntry.objects.filter(verb="access.denied").count() == 2
    assert Message.objects.get(pk=stopped.pk).status == "stopped"
