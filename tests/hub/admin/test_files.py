"""Folders in the admin: the endpoint's form, the test of its connection, and the page of files that were seen."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from hub import access, probing
from hub.errors import NotAllowed
from hub.models import AuditEntry, Endpoint, InboundFile, Message
from tests.faults import file_kit
from tests.faults.file_kit import Folder, batch, message
from tests.hub.admin.conftest import text


@pytest.fixture
def feed(network: Endpoint, tmp_path: Path, settings: Any) -> Folder:
    """A folder with one loaded and one quarantined file."""
    settings.FOLDER_ROOTS = [str(tmp_path)]
    made = file_kit.folder(tmp_path / "in", complete="rename")
    made.put("good.hl7", batch(message(1), message(2)))
    made.put("short.hl7", batch(message(3), count=2))
    assert made.look() == 2
    return made


def test_the_list_says_what_was_seen_and_what_came_of_it(feed: Folder, login: Callable[..., Client]) -> None:
    """Name, size, hash, when, how many messages, and why not; found by name and by whole hash."""
    client = login("integration")
    page = text(client.get(reverse("admin:hub_inboundfile_changelist")))
    row = InboundFile.objects.get(name="good.hl7")
    for shown in (
        "good.hl7",
        "short.hl7",
        bytes(row.sha256 or b"").hex()[:12],
        "2 of 2",
        "Quarantined",
        "IF_BATCH_COUNT",
    ):
        assert shown in page
    for term in ("good", bytes(row.sha256 or b"").hex()):
        found = text(client.get(reverse("admin:hub_inboundfile_changelist"), {"q": term}))
        assert "good.hl7" in found
        assert "short.hl7" not in found


def test_the_page_of_a_file_leads_to_its_messages(feed: Folder, login: Callable[..., Client]) -> None:
    """And a quarantined one says why, and where it lies."""
    client = login("integration")
    good, short = (InboundFile.objects.get(name=f"{name}.hl7") for name in ("good", "short"))
    page = text(client.get(reverse("admin:hub_inboundfile_change", args=[good.pk])))
    for control_id in ("F1", "F2"):
        stored = Message.objects.get(control_id=control_id)
        assert reverse("admin:hub_message_change", args=[stored.pk]) in page
    page = text(client.get(reverse("admin:hub_inboundfile_change", args=[short.pk])))
    assert "BTS-1 says 2, found 1" in page
    assert "Ask the sender for a whole file" in page
    assert "quarantine/short.hl7" in page


def test_files_of_another_facility_are_not_there(feed: Folder, login: Callable[..., Client]) -> None:
    """As their messages are not."""
    client = login("integration", "NORTH")
    row = InboundFile.objects.get(name="good.hl7")
    assert "good.hl7" not in text(client.get(reverse("admin:hub_inboundfile_changelist")))
    assert client.get(reverse("admin:hub_inboundfile_change", args=[row.pk])).status_code == 404


def test_the_form_says_what_is_wrong_with_the_settings(feed: Folder, login: Callable[..., Client]) -> None:
    """Beside the field, with the key and what would do; nothing is saved."""
    client = login("integration")
    url = reverse("admin:hub_endpoint_change", args=[feed.endpoint.pk])
    page = client.get(url)
    fields = {name: value for name, value in page.context["adminform"].form.initial.items() if value is not None}
    changed = {**fields, "settings": '{"complete": "soon", "max_bytes": 0}', "active": "on", "production": "on"}
    told = text(client.post(url, changed))
    for said in ("folder&quot; is missing", "one of stable, rename, marker", "1,000,000,000 at most"):
        assert said in told
    feed.endpoint.refresh_from_db()
    assert feed.endpoint.settings["complete"] == "rename"


def test_testing_the_connection_says_what_was_found(feed: Folder, login: Callable[..., Client]) -> None:
    """A button on the endpoint's page: a sentence either way, an audit entry each time, nothing left behind."""
    client = login("integration")
    url = reverse("admin:hub_endpoint_verb", args=[feed.endpoint.pk, "probe"])
    assert "can be read and written; 0 files lie in it" in text(client.post(url, follow=True))
    (feed.path / "done" / "good.hl7").unlink()
    (feed.path / "done").rmdir()
    assert "Is the share mounted?" in text(client.post(url, follow=True))
    found = AuditEntry.objects.filter(verb="endpoints.probe").order_by("pk").values_list("detail__found", flat=True)
    assert list(found) == ["ok", "IF_FOLDER"]
    assert feed.names() == []


def test_only_who_may_change_an_endpoint_may_test_it(feed: Folder, person: Callable[..., Any]) -> None:
    """It makes the hub connect to an address that a person chose."""
    with pytest.raises(NotAllowed):
        probing.probe(feed.endpoint, by=access.person(person("auditor")))
    assert AuditEntry.objects.filter(verb="endpoints.probe").count() == 0
