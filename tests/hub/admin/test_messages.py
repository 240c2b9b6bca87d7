"""The message page: what a person may read of it, and that looking is written down."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from hub.admin import raw
from hub.models import AuditEntry, Endpoint, Message
from tests.hub.admin.conftest import MESSAGES, rows, text

CANARY = "ZZCANARY"


def page_of(message: Message) -> str:
    """The message's address."""
    return reverse("admin:hub_message_change", args=[message.pk])


@pytest.mark.parametrize("role", ["integration", "revenue_cycle", "auditor", "superuser"])
def test_no_role_sees_a_patients_name_by_opening_a_page(
    house: Endpoint, login: Callable[..., Client], role: str
) -> None:
    """The name is covered on the page of the message, for everybody."""
    page = text(login(role).get(page_of(rows())))
    assert CANARY not in page
    assert "covered" in page


def test_revealing_needs_a_reason_is_shown_once_and_is_written_down(
    house: Endpoint, login: Callable[..., Client]
) -> None:
    """A POST with a reason answers with the name; the next look is covered again; who and why is kept."""
    client, message = login("integration"), rows()
    url = reverse("admin:hub_message_reveal", args=[message.pk])
    assert CANARY not in text(client.post(url, {"reveal-reason": ""}))
    assert not AuditEntry.objects.filter(verb="messages.reveal").exists()
    assert CANARY in text(client.post(url, {"reveal-reason": "Two patients mixed up, ticket 4711."}))
    assert CANARY not in text(client.get(page_of(message)))
    entry = AuditEntry.objects.get(verb="messages.reveal")
    assert (entry.actor, entry.subject_id) == ("the.integration", str(message.pk))
    assert entry.reason == "Two patients mixed up, ticket 4711."
    assert client.get(url).status_code == 405


def test_without_the_permission_there_is_nothing_to_reveal(house: Endpoint, login: Callable[..., Client]) -> None:
    """An approver reads routing and money; the reveal is refused and written down."""
    client, message = login("approver"), rows()
    page = text(client.get(page_of(message)))
    assert "STENT" in page
    assert "MRNA1" not in page
    url = reverse("admin:hub_message_reveal", args=[message.pk])
    assert client.post(url, {"reveal-reason": "curious"}).status_code == 403
    assert AuditEntry.objects.filter(verb="access.denied").count() == 1


def test_fields_carry_the_standards_names(house: Endpoint, login: Callable[..., Client]) -> None:
    """FT1-7 is called Transaction Code on the page."""
    page = text(login("integration").get(page_of(rows())))
    for said in ("FT1-7", "Transaction Code", "Financial Transaction", "Patient Identification"):
        assert said in page


def test_the_lineage_leads_from_the_message_to_the_ledger(house: Endpoint, login: Callable[..., Client]) -> None:
    """Arrival, charges, the case, facts and deliveries, in the order of causes."""
    response = login("superuser").get(page_of(rows()))
    blocks = {block.title: block for block in response.context["blocks"]}
    steps = blocks["What became of it, step by step"].context["steps"]
    titles = [step.title for step in steps]
    assert titles[0] == "Received and acknowledged"
    assert [title for title in titles if title.startswith("Charge ")] == ["Charge STENT", "Charge BALLOON"]
    assert "Told: charge.captured/1" in titles
    assert any(title.startswith("Case: ") for title in titles)
    assert titles.index("Told: charge.captured/1") > titles.index("Charge STENT")


def test_messages_are_found_by_control_id_key_and_id(house: Endpoint, login: Callable[..., Client]) -> None:
    """Each of the three finds exactly its messages; something else finds none and says so."""
    client = login("integration")
    url = reverse("admin:hub_message_changelist")

    def found(term: str) -> list[str]:
        listing = client.get(url, {"q": term}).context["listing"]
        return [row.control_id for row in listing.slice.rows]

    assert found("M2") == ["M2"]
    assert found(str(rows("M3").pk)) == ["M3"]
    assert sorted(found(rows("M1").key)) == ["M1", "M2"]
    assert found("no such thing") == []


def test_bytes_that_are_no_message_are_told_and_not_an_error(house: Endpoint, login: Callable[..., Client]) -> None:
    """A stored message that cannot be read opens all the same, and says why it cannot be read."""
    message = rows()
    Message.objects.filter(pk=message.pk).update(raw=b"\x00\xff not HL7")
    response = login("integration").get(page_of(message))
    assert response.status_code == 200
    assert response.context["unreadable"]


@given(st.binary(max_size=300))
def test_whatever_was_stored_can_be_shown(junk: bytes) -> None:
    """Any bytes, alone or behind a header, give segments or a sentence, and never anything else."""
    for stored in (junk, MESSAGES[0][:60] + junk):
        shown, sentence = raw.segments(stored, full=True)
        assert shown or sentence


def test_every_personal_field_is_covered_until_it_is_revealed() -> None:
    """With the permission and without a reveal, no personal field has a value; with it, each has."""
    stored = MESSAGES[0]
    covered, _ = raw.segments(stored, full=True)
    shown, _ = raw.segments(stored, full=True, reveal=True)
    personal = [field for segment in covered for field in segment.fields if field.masked]
    assert {field.place for field in personal} == {"PID-5", "PID-7"}
    assert [field.value for field in personal] == ["", ""]
    assert not [field for segment in shown for field in segment.fields if field.masked]
    outsider, _ = raw.segments(stored, full=False)
    open_ = {segment.name for segment in outsider if any(not field.masked for field in segment.fields)}
    assert open_ == {"MSH", "EVN", "FT1"}
