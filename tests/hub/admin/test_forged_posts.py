"""S-8: whatever is posted by hand, evidence does not move, and the rest moves only with the permission for it."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from hub.admin.base import EvidenceAdmin
from hub.models import AuditEntry, Endpoint, ExceptionCase, Message, Partner

POWERS = ["view", "add", "change", "delete", "superuser"]


def forger(person: Callable[..., User], power: str) -> Client:
    """A member of staff with one kind of permission on every model there is, and "view" so that pages open."""
    user = person("superuser" if power == "superuser" else "")
    if power != "superuser":
        granted = Permission.objects.filter(codename__startswith=f"{power}_")
        user.user_permissions.set([*granted, *Permission.objects.filter(codename__startswith="view_")])
    client = Client()
    client.force_login(user)
    return client


def snapshot(owner: Any) -> list[Any]:
    """All rows of a model as they stand, without what a log-in changes."""
    fields = [field.attname for field in owner.opts.concrete_fields if field.name not in {"last_login", "updated_at"}]
    return sorted(map(repr, owner.model._default_manager.values_list(*fields)))


@pytest.mark.parametrize("power", POWERS)
def test_forged_posts_move_no_evidence(house: Endpoint, person: Callable[..., User], power: str) -> None:
    """Add, change, delete, mass action, list edit: all refused for every kind of user, and nothing has moved."""
    client = forger(person, power)
    tried = 0
    for owner in admin.site._registry.values():
        if not isinstance(owner, EvidenceAdmin) or owner.opts.label_lower == "hub.auditentry":
            continue
        page = f"admin:{owner.opts.app_label}_{owner.opts.model_name}"
        row = owner.model._default_manager.first()
        fields = {field.name: "1" for field in owner.opts.concrete_fields}
        before = snapshot(owner)
        posts = (
            (reverse(f"{page}_changelist"), {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}),
            (reverse(f"{page}_changelist"), {"form-TOTAL_FORMS": 1, "form-INITIAL_FORMS": 1, "_save": "1", **fields}),
            (reverse(f"{page}_change", args=[row.pk]), {**fields, "status": "waived", "_save": "1"}),
            (reverse(f"{page}_delete", args=[row.pk]), {"post": "yes"}),
            (reverse(f"{page}_add"), {**fields, "_save": "1"}),
        )
        for url, body in posts:
            status = client.post(url, body).status_code
            # A form of our own may say what is wrong with it (200): what counts is that nothing moved.
            assert status in {403, 404, 405} or (url.endswith("/add/") and status == 200), f"{power} at {url}: {status}"
            tried += 1
        assert snapshot(owner) == before, f"{power} moved {owner.opts.label}"
    assert tried >= 80


@pytest.mark.parametrize("power", ["view", "add", "delete"])
def test_what_staff_set_up_changes_only_with_the_change_permission(
    house: Endpoint, person: Callable[..., User], power: str
) -> None:
    """A view-, add- or delete-only user posts a complete, valid change form and gets 403; the row stays as it was."""
    client = forger(person, power)
    partner = Partner.objects.get(code="carebill")
    url = reverse("admin:hub_partner_change", args=[partner.pk])
    assert client.post(url, {"name": "Mine now", "kind": "erp", "active": "on", "_save": "1"}).status_code == 403
    assert client.post(reverse("admin:hub_partner_delete", args=[partner.pk]), {"post": "yes"}).status_code == 403
    partner.refresh_from_db()
    assert (partner.name, partner.kind) == ("CareBill", "billing")


def test_with_the_change_permission_it_changes_and_is_told(house: Endpoint, person: Callable[..., User]) -> None:
    """The same form by somebody who may: saved, with who and what in the history."""
    client = forger(person, "change")
    partner = Partner.objects.get(code="carebill")
    url = reverse("admin:hub_partner_change", args=[partner.pk])
    body = {"name": "CareBill West", "kind": "billing", "active": "on", "_save": "1"}
    assert client.post(url, body).status_code == 302
    partner.refresh_from_db()
    assert partner.name == "CareBill West"
    entry = AuditEntry.objects.get(verb="admin.change", subject_id=str(partner.pk))
    assert entry.detail == {"changed": [{"changed": {"fields": ["Name"]}}]}
    page = client.get(url).content.decode()
    assert "<del>CareBill</del>" in page
    assert "<ins>CareBill West</ins>" in page


@pytest.mark.parametrize("verb", ["take", "assign", "retry", "resolve", "waive", "propose", "approve", "reject"])
def test_a_forged_verb_is_refused_and_written_down(case: ExceptionCase, person: Callable[..., User], verb: str) -> None:
    """An auditor may look at cases; every verb posted by hand answers 403, moves nothing and leaves a trace."""
    client = Client()
    client.force_login(person("auditor"))
    url = reverse("admin:hub_exceptioncase_verb", args=[case.pk, verb])
    assert client.post(url, {f"{verb}-reason": "because", "propose-target": "R115"}).status_code == 403
    case.refresh_from_db()
    assert case.status == "open"
    trace = AuditEntry.objects.get(verb="access.denied")
    assert (trace.actor, trace.subject_id, trace.detail) == ("the.auditor", str(case.pk), {"verb": verb})


def test_verbs_are_posted_with_a_token_or_not_at_all(case: ExceptionCase, person: Callable[..., User]) -> None:
    """GET answers 405, and a POST without the CSRF token 403; nothing moves."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(person("finance"))
    url = reverse("admin:hub_exceptioncase_verb", args=[case.pk, "take"])
    assert client.get(url).status_code == 405
    assert client.post(url).status_code == 403
    case.refresh_from_db()
    assert case.status == "open"


def test_a_verb_that_does_not_exist_is_not_found(case: ExceptionCase, login: Callable[..., Client]) -> None:
    """An unknown verb answers 404."""
    url = reverse("admin:hub_exceptioncase_verb", args=[case.pk, "explode"])
    assert login("finance").post(url).status_code == 404


def test_nobody_makes_themselves_more_than_they_are(house: Endpoint, person: Callable[..., User]) -> None:
    """Every user permission does not make a superuser, widen one's own facilities, or take a superuser over."""
    root = person("superuser", name="root")
    user = person("", "NORTH")
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="auth"))
    client = Client()
    client.force_login(user)
    url = reverse("admin:auth_user_change", args=[user.pk])
    body = {
        "username": "the.", "is_superuser": "on", "is_staff": "on", "is_active": "on", "groups": ["1"],
        "facility_grants-TOTAL_FORMS": "1", "facility_grants-INITIAL_FORMS": "0", "facility_grants-0-facility": "*",
        "_save": "1",
    }  # fmt: skip
    client.post(url, body)
    user.refresh_from_db()
    assert (user.is_superuser, user.groups.count()) == (False, 0)
    assert list(user.facility_grants.values_list("facility", flat=True)) == ["NORTH"]
    before = root.password
    password = {"password1": "a new one for root 1", "password2": "a new one for root 1"}
    taken = client.post(reverse("admin:auth_user_password_change", args=[root.pk]), password)
    assert taken.status_code == 403
    root.refresh_from_db()
    assert root.password == before


def test_a_session_that_lost_its_role_moves_nothing(case: ExceptionCase, person: Callable[..., User]) -> None:
    """F-A3: a page opened in a role that was taken away meanwhile cannot press its buttons any more."""
    user = person("finance")
    client = Client()
    client.force_login(user)
    page = reverse("admin:hub_exceptioncase_change", args=[case.pk])
    assert "Take it" in client.get(page).content.decode()
    user.groups.clear()
    assert client.post(reverse("admin:hub_exceptioncase_verb", args=[case.pk, "take"])).status_code == 403
    assert client.get(page).status_code == 403
    case.refresh_from_db()
    assert case.status == "open"


def test_a_stopped_message_moves_by_its_verb_alone(house: Endpoint, login: Callable[..., Client]) -> None:
    """An integration engineer waives a stopped message with a reason; without one nothing moves."""
    message = Message.objects.get(control_id="M2")
    Message.objects.filter(pk=message.pk).update(status="stopped", problem_code="BUG", problem="Something broke.")
    client = login("integration")
    url = reverse("admin:hub_message_verb", args=[message.pk, "waive"])
    answer = client.post(url, {"waive-reason": " "}, follow=True).content.decode()
    assert "Nothing was done" in answer
    message.refresh_from_db()
    assert message.status == "stopped"
    client.post(url, {"waive-reason": "Sent by mistake, billing confirmed."})
    message.refresh_from_db()
    assert message.status == "waived"
    assert AuditEntry.objects.get(verb="messages.waive").reason == "Sent by mistake, billing confirmed."
