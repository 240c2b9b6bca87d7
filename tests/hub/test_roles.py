"""Which role may what."""

from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command

from hub import roles
from hub.access import ROLES
from hub.errors import HubError

pytestmark = pytest.mark.django_db


def test_every_role_has_its_group_and_nobody_in_it() -> None:
    """The command makes the six groups with exactly the permissions of the table, and no account."""
    call_command("roles")
    for role in ROLES:
        group = Group.objects.get(name=role)
        found = group.permissions.select_related("content_type")
        assert {f"{one.content_type.app_label}.{one.codename}" for one in found} == set(roles.PERMISSIONS[role])
        assert group.user_set.count() == 0
    assert set(roles.PERMISSIONS) == set(ROLES)
    assert get_user_model().objects.filter(is_active=True).count() == 0


def test_a_second_run_changes_nothing_and_keeps_what_staff_added() -> None:
    """Idempotent; a permission that a hospital gave a role stays."""
    roles.apply()
    extra = Permission.objects.get(codename="change_facility", content_type__app_label="mappings")
    Group.objects.get(name="finance").permissions.add(extra)
    assert set(roles.apply().values()) == {0}
    assert Group.objects.get(name="finance").permissions.filter(pk=extra.pk).exists()


def test_the_auditor_moves_nothing_and_the_approver_prepares_nothing() -> None:
    """An auditor only views; an approver approves and never proposes."""
    assert all(name.partition(".")[2].startswith("view_") for name in roles.PERMISSIONS["auditor"])
    assert "mappings.propose_mapping" not in roles.PERMISSIONS["approver"]
    assert "mappings.approve_mapping" in roles.PERMISSIONS["approver"]


def test_nobody_edits_evidence_or_grants_roles() -> None:
    """No role changes messages, charges, journals, facts or audit entries, or gives anybody permissions."""
    evidence = {"message", "charge", "journal", "journalline", "fact", "auditentry", "user", "group", "permission"}
    everything = {name for names in roles.PERMISSIONS.values() for name in names}
    forbidden = {f"{verb}_{noun}" for verb in ("add", "change", "delete") for noun in evidence}
    assert not {name.partition(".")[2] for name in everything} & forbidden


def test_raw_messages_are_for_those_who_work_on_them() -> None:
    """Raw bytes hold what a chart holds: only revenue cycle and integration see them."""
    seers = {role for role, names in roles.PERMISSIONS.items() if "hub.view_raw_message" in names}
    assert seers == {"revenue_cycle", "integration"}


def test_a_permission_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slip in the table stops with the permission's name."""
    monkeypatch.setitem(roles.PERMISSIONS, "auditor", ("hub.view_unicorn",))
    with pytest.raises(HubError, match=r"hub\.view_unicorn"):
        roles.apply()


def test_after_migrate_waits_for_the_last_app(monkeypatch: pytest.MonkeyPatch) -> None:
    """Permissions of all apps are there only after the last one: the groups are filled once, then."""
    calls: list[Any] = []
    monkeypatch.setattr(roles, "apply", lambda: calls.append(1))
    for config in apps.get_app_configs():
        roles.after_migrate(app_config=config)
    assert calls == [1]
