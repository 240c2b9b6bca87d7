"""Set-up pages: keys are shown once, doors are paused with a reason, shares add up, people stay within bounds."""

import re
from collections.abc import Callable

from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from erp.models import SplitRule
from hub import machines
from hub.models import ApiKey, AuditEntry, Endpoint
from tests.hub.admin.conftest import text


def test_a_key_is_shown_once_works_and_is_revoked(house: Endpoint, login: Callable[..., Client]) -> None:
    """The answer to the form holds the key, no later page does; it opens the API until it is revoked."""
    client = login("superuser")
    account = User.objects.create_user("warehouse")  # a service account: nobody logs in as it
    body = {"name": "Finance warehouse", "user": account.pk, "scopes": "charges.read", "days": 30}
    page = text(client.post(reverse("admin:hub_apikey_add"), body))
    found = re.search(r"tl_[0-9a-f]{12}_[\w-]+", page)
    assert found
    secret = found[0]
    assert machines.authenticate(f"Bearer {secret}").user == account
    key = ApiKey.objects.get(name="Finance warehouse")
    row = reverse("admin:hub_apikey_change", args=[key.pk])
    for url in (row, reverse("admin:hub_apikey_changelist")):
        assert secret not in text(client.get(url))
    client.post(reverse("admin:hub_apikey_verb", args=[key.pk, "revoke"]))
    key.refresh_from_db()
    assert key.revoked_at is not None
    assert "Revoked" in text(client.get(row))


def test_a_key_that_would_be_too_much_is_refused_in_words(house: Endpoint, login: Callable[..., Client]) -> None:
    """A scope that is none: the form says so, and no key is made."""
    account = User.objects.get(username="author")
    body = {"name": "Bad", "user": account.pk, "scopes": "everything!", "days": 30}
    page = text(login("superuser").post(reverse("admin:hub_apikey_add"), body))
    assert "is not a scope" in page
    assert not ApiKey.objects.filter(name="Bad").exists()


def test_an_endpoint_is_paused_with_a_reason_and_goes_on(house: Endpoint, login: Callable[..., Client]) -> None:
    """Pause and resume are verbs of the page; who and why stands in its history."""
    client = login("integration")
    url = reverse("admin:hub_endpoint_change", args=[house.pk])
    client.post(reverse("admin:hub_endpoint_verb", args=[house.pk, "pause"]), {"pause-reason": "Upgrade of the feed."})
    house.refresh_from_db()
    assert house.paused
    page = text(client.get(url))
    assert "Upgrade of the feed." in page
    assert "Paused" in page
    client.post(reverse("admin:hub_endpoint_verb", args=[house.pk, "resume"]))
    house.refresh_from_db()
    assert not house.paused


def test_an_approver_does_not_pause_anything(house: Endpoint, login: Callable[..., Client]) -> None:
    """The button is not there, and the POST is refused and written down."""
    client = login("approver")
    url = reverse("admin:hub_endpoint_change", args=[house.pk])
    assert "Pause" not in text(client.get(url))
    assert client.post(reverse("admin:hub_endpoint_verb", args=[house.pk, "pause"])).status_code == 403
    house.refresh_from_db()
    assert not house.paused
    assert AuditEntry.objects.filter(verb="access.denied").count() == 1


def shares(*percents: str) -> dict[str, str]:
    """A new split rule's form with these shares."""
    body = {
        "facility": "RIVER", "department": "R140", "valid_from": "2026-01-01", "_save": "1",
        "shares-TOTAL_FORMS": str(len(percents)), "shares-INITIAL_FORMS": "0",
    }  # fmt: skip
    for number, percent in enumerate(percents):
        body |= {f"shares-{number}-cost_center": f"CC-R1{number}0", f"shares-{number}-percent": percent}
    return body


def test_shares_that_do_not_add_up_are_refused_on_the_page(house: Endpoint, login: Callable[..., Client]) -> None:
    """99 % is refused with the sum; 100 % is saved."""
    client = login("superuser")
    url = reverse("admin:erp_splitrule_add")
    answer = client.post(url, shares("60", "39"))
    assert "The shares add up to 99 %, not to 100 %." in text(answer)
    assert not SplitRule.objects.filter(department="R140").exists()
    assert client.post(url, shares("60", "40")).status_code == 302
    assert SplitRule.objects.get(department="R140").shares.count() == 2


def test_a_user_is_made_given_a_role_and_a_facility(house: Endpoint, login: Callable[..., Client]) -> None:
    """First a name and a password, then role and facility; both are audited, and no password is shown."""
    client = login("superuser")
    password = "a long one for a nurse"
    body = {"username": "nora", "password1": password, "password2": password, "usable_password": "true"}
    assert client.post(reverse("admin:auth_user_add"), body).status_code == 302
    nora = User.objects.get(username="nora")
    url = reverse("admin:auth_user_change", args=[nora.pk])
    change = {
        "username": "nora", "is_active": "on", "is_staff": "on", "groups": [str(_role("finance"))],
        "facility_grants-TOTAL_FORMS": "1", "facility_grants-INITIAL_FORMS": "0", "facility_grants-0-facility": "RIVER",
        "_save": "1",
    }  # fmt: skip
    assert client.post(url, change).status_code == 302
    assert list(nora.facility_grants.values_list("facility", flat=True)) == ["RIVER"]
    assert nora.has_perm("mappings.propose_mapping")
    verbs = AuditEntry.objects.filter(subject_id=str(nora.pk), subject_type="auth.user").values_list("verb", flat=True)
    assert sorted(verbs) == ["admin.change", "admin.create"]
    page = text(client.get(url))
    assert "pbkdf2" not in page
    assert "md5$" not in page


def _role(name: str) -> int:
    return Group.objects.get(name=name).pk
