"""An endpoint's secret: set on its page, sealed before it is stored, shown to nobody, audited."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from hub import access, interventions, vault
from hub.errors import NotAllowed, Refused
from hub.models import AuditEntry, Endpoint
from tests.hub.admin.conftest import text

SECRET = "tok-3f9a7c-VERY-secret"


@pytest.fixture
def out(house: Endpoint) -> Endpoint:
    """The door to the ERP."""
    return Endpoint.objects.get(code="summit")


def door(endpoint: Endpoint) -> str:
    """Where the button posts to."""
    return reverse("admin:hub_endpoint_verb", args=[endpoint.pk, "set_secret"])


def test_a_secret_is_sealed_audited_and_shown_nowhere(out: Endpoint, login: Callable[..., Client]) -> None:
    """What is stored opens with the vault alone; no page, audit entry or history row holds the secret."""
    client = login("integration")
    page = reverse("admin:hub_endpoint_change", args=[out.pk])
    assert 'type="password"' in text(client.get(page))
    answer = text(client.post(door(out), {"set_secret-secret": f" {SECRET}\n"}, follow=True))
    out.refresh_from_db()
    assert SECRET not in out.secret
    assert vault.open_(out.secret) == SECRET
    assert "is sealed. The next call uses it." in answer
    assert "A secret is kept, sealed." in answer
    for shown in (answer, text(client.get(page)), text(client.get(reverse("admin:hub_endpoint_changelist")))):
        assert SECRET not in shown
        assert out.secret not in shown
    entry = AuditEntry.objects.get(verb="endpoints.set_secret")
    assert (entry.actor, entry.subject_id) == ("the.integration", str(out.pk))
    assert SECRET not in repr(AuditEntry.objects.values_list())
    assert SECRET not in repr(list(out.history.values()))


@pytest.mark.parametrize("secret", ["", "  ", "two\nlines", "naïve"])
def test_a_secret_that_no_call_could_carry_is_refused(out: Endpoint, login: Callable[..., Client], secret: str) -> None:
    """Empty, with a line break, beyond ASCII: the page says so, repeats nothing of it, and the old one stays."""
    kept = interventions.set_secret(out, secret=SECRET, by=access.SYSTEM).secret
    answer = text(login("integration").post(door(out), {"set_secret-secret": secret}, follow=True))
    assert "Nothing was done" in answer
    assert "naïve" not in answer
    out.refresh_from_db()
    assert out.secret == kept


def test_only_who_may_change_endpoints_sets_secrets(out: Endpoint, login: Callable[..., Client]) -> None:
    """The button is not there for others; a forged POST answers 403, moves nothing and leaves a trace."""
    client = login("auditor")
    assert "Set the secret" not in text(client.get(reverse("admin:hub_endpoint_change", args=[out.pk])))
    assert client.post(door(out), {"set_secret-secret": SECRET}).status_code == 403
    out.refresh_from_db()
    assert out.secret == ""
    assert AuditEntry.objects.get(verb="access.denied").detail == {"verb": "set_secret"}


def test_the_verb_itself_holds_permission_facility_and_direction(out: Endpoint, person: Callable[..., User]) -> None:
    """Whoever calls it: no permission, another facility, or an inbound door is refused, and nothing is stored."""
    north = person("", "NORTH")
    north.user_permissions.add(Permission.objects.get(codename="change_endpoint"))
    Endpoint.objects.filter(pk=out.pk).update(facility="RIVER")
    out.refresh_from_db()
    for by in (person("auditor"), north):
        with pytest.raises(NotAllowed):
            interventions.set_secret(out, secret=SECRET, by=access.person(by))
    inbound = Endpoint.objects.get(code="carebill-river")
    with pytest.raises(Refused, match="Only an outbound endpoint"):
        interventions.set_secret(inbound, secret=SECRET, by=access.SYSTEM)
    assert Endpoint.objects.exclude(secret="").count() == 0
    assert AuditEntry.objects.filter(verb="endpoints.set_secret").count() == 0
