"""The case of a missing mapping, through the pages: propose, approve by somebody else, watch, closed."""

import json
from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from billing.models import Charge
from hub import outbox, pipeline
from hub.models import AuditEntry, Endpoint, ExceptionCase, Waiting
from mappings.models import Mapping
from tests.hub.admin.conftest import text


def page_of(case: ExceptionCase) -> str:
    """The case's address."""
    return reverse("admin:hub_exceptioncase_change", args=[case.pk])


def verb(case: ExceptionCase, name: str) -> str:
    """The address of one of its verbs."""
    return reverse("admin:hub_exceptioncase_verb", args=[case.pk, name])


def propose(client: Client, case: ExceptionCase, **given: str) -> Any:
    """Post the propose form."""
    return client.post(verb(case, "propose"), {f"propose-{k}": v for k, v in given.items()}, follow=True)


def test_the_page_says_what_is_missing_and_what_it_is_worth(case: ExceptionCase, login: Callable[..., Client]) -> None:
    """Code, facility, lines, messages, money, likely targets with the reason, and all that waits."""
    response = login("finance").get(page_of(case))
    page = text(response)
    stake = response.context["stake"]
    assert (stake.lines, stake.messages, stake.said) == (2, 2, "$6,620.00")
    for said in ("CATHLAB2", "RIVER", "Propose", "$6,000.00", "$620.00"):
        assert said in page
    (block,) = response.context["healing"]
    assert {target.code for target in block.context["offered"]} == {"R110", "R115", "R140"}


def test_a_mapping_heals_with_one_click_of_a_second_person(
    case: ExceptionCase, login: Callable[..., Client], person: Callable[..., User]
) -> None:
    """F-A1: one proposes, another approves, everything that waited goes through, the case closes by itself."""
    author, approver = login("finance"), login("approver")
    assert "Somebody else approves it" in text(propose(author, case, target="R115"))
    mapping = Mapping.objects.get(status="proposed")
    assert (mapping.source_code, mapping.target_code, mapping.proposed_by.username) == (
        "CATHLAB2",
        "R115",
        "the.finance",
    )
    assert "Approve and release" not in text(author.get(page_of(case)))
    assert "Approve and release 2 lines, $6,620.00" in text(approver.get(page_of(case)))

    answer = approver.post(verb(case, "approve"), {"approve-mapping": mapping.pk})
    assert answer["Location"] == f"{page_of(case)}?of=2"
    watching = text(approver.get(answer["Location"]))
    assert "0 of 2 lines went through." in watching
    assert "data-progress" in watching
    pipeline.drain()
    outbox.drain()
    progress = reverse("admin:hub_exceptioncase_progress", args=[case.pk]) + "?of=2"
    assert json.loads(approver.get(progress).content) == {
        "done": 2, "of": 2, "left": 0, "finished": True, "said": "2 of 2 lines went through.",
    }  # fmt: skip
    case.refresh_from_db()
    assert (case.status, Waiting.objects.count()) == ("resolved", 0)
    assert set(Charge.objects.filter(source_department="CATHLAB2").values_list("status", flat=True)) == {"captured"}
    closed = text(approver.get(answer["Location"]))
    assert "The case closed by itself" in closed
    assert "data-progress" not in closed
    history = closed[closed.index('id="history"') :]
    assert "put what waits back into the queue" in history
    assert "resolved it" in history


def test_nobody_approves_their_own_proposal(case: ExceptionCase, login: Callable[..., Client]) -> None:
    """F-A3: not even by a POST of their own making, not even a superuser; it is refused and written down."""
    client = login("superuser")
    propose(client, case, target="R115")
    mapping = Mapping.objects.get(status="proposed")
    page = text(client.get(page_of(case)))
    assert "somebody else has to approve it" in page
    assert client.post(verb(case, "approve"), {"approve-mapping": mapping.pk}).status_code == 403
    direct = reverse("admin:mappings_mapping_verb", args=[mapping.pk, "approve"])
    assert client.post(direct).status_code == 403
    mapping.refresh_from_db()
    assert mapping.status == "proposed"
    assert AuditEntry.objects.filter(verb="access.denied").count() == 2


def test_the_second_of_two_approvers_is_told_and_nothing_moves_twice(
    case: ExceptionCase, login: Callable[..., Client]
) -> None:
    """A double click, or two people at once: the later one reads that it was decided already."""
    propose(login("finance"), case, target="R115")
    mapping = Mapping.objects.get(status="proposed")
    first, second = login("approver"), login("approver", name="another.approver")
    first.post(verb(case, "approve"), {"approve-mapping": mapping.pk})
    answer = text(second.post(verb(case, "approve"), {"approve-mapping": mapping.pk}, follow=True))
    assert "somebody decided it" in answer
    assert AuditEntry.objects.filter(verb="mappings.approve").count() == 1


def test_a_target_that_is_not_there_is_refused_in_words(case: ExceptionCase, login: Callable[..., Client]) -> None:
    """An unknown code, two different targets, or none: a message on the page, and no mapping."""
    client = login("finance")
    assert "Nothing was done" in text(propose(client, case, target="NOWHERE"))
    assert "Keep one of them" in text(propose(client, case, target="R115", choice="R110"))
    assert "Tick one of the suggestions" in text(propose(client, case))
    assert not Mapping.objects.filter(status="proposed").exists()


def test_a_proposal_that_changed_is_never_approved_unseen(case: ExceptionCase, login: Callable[..., Client]) -> None:
    """A stale page names the proposal it showed; when that is rejected meanwhile, its button approves nothing."""
    author, approver = login("finance"), login("approver")
    propose(author, case, target="R115")
    shown = Mapping.objects.get(status="proposed")
    approver.post(verb(case, "reject"), {"reject-mapping": shown.pk, "reject-reason": "It is the lab downstairs."})
    propose(author, case, target="R110")
    answer = text(approver.post(verb(case, "approve"), {"approve-mapping": shown.pk}, follow=True))
    assert "somebody decided it" in answer
    assert sorted(Mapping.objects.exclude(status="approved").values_list("target_code", "status")) == [
        ("R110", "proposed"), ("R115", "rejected"),
    ]  # fmt: skip


def test_a_case_is_taken_given_and_waived_with_a_reason(
    case: ExceptionCase, login: Callable[..., Client], person: Callable[..., User]
) -> None:
    """The verbs of every case; waiving without a reason is refused."""
    client = login("finance")
    other = person("finance", name="other.finance")
    client.post(verb(case, "take"))
    case.refresh_from_db()
    assert (case.status, case.assignee and case.assignee.username) == ("assigned", "the.finance")
    client.post(verb(case, "assign"), {"assign-to": other.pk})
    case.refresh_from_db()
    assert case.assignee == other
    client.post(verb(case, "waive"), {"waive-reason": ""})
    case.refresh_from_db()
    assert case.status == "assigned"
    client.post(verb(case, "waive"), {"waive-reason": "The department closed."})
    case.refresh_from_db()
    assert (case.status, case.reason) == ("waived", "The department closed.")


def test_a_case_that_something_waits_for_cannot_be_resolved(case: ExceptionCase, login: Callable[..., Client]) -> None:
    """The button is there, disabled, with the reason; a forged POST reads the same reason."""
    client = login("finance")
    assert "Documents still wait for it" in text(client.get(page_of(case)))
    answer = text(client.post(verb(case, "resolve"), {"resolve-reason": "done"}, follow=True))
    assert "2 documents still wait" in answer
    case.refresh_from_db()
    assert case.status == "open"


def test_a_retry_without_a_cure_says_that_everything_still_waits(
    case: ExceptionCase, login: Callable[..., Client]
) -> None:
    """Nothing changed, so nothing goes through, and the page stops watching."""
    client = login("finance")
    answer = client.post(verb(case, "retry"))
    pipeline.drain()
    page = text(client.get(answer["Location"]))
    assert "0 of 2 lines went through. 2 still wait." in page
    assert "data-progress" not in page


def test_the_list_stands_by_money_and_shows_open_ones_first(house: Endpoint, login: Callable[..., Client]) -> None:
    """Open cases by default, worth most on top; closed ones by their own chip."""
    client = login("finance")
    url = reverse("admin:hub_exceptioncase_changelist")
    worths = [row.worth for row in client.get(url).context["listing"].slice.rows]
    assert worths == sorted(worths, reverse=True)
    assert len(worths) == ExceptionCase.objects.filter(status="open").count()
    assert "No cases here" in text(client.get(url + "?status=resolved"))
