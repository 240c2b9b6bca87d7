"""Partners' secrets: sealed at rest, opened by the ring, rotated without a moment of plain text."""

import base64
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command

from hub import vault
from hub.models import AuditEntry, Endpoint, Partner


def key(letter: str) -> str:
    """A ring entry of that name."""
    return f"{letter}:{base64.b64encode(letter.encode() * 32).decode()}"


@pytest.fixture(autouse=True)
def ring(settings: Any) -> Any:
    """A ring with one key."""
    settings.VAULT_KEYS = [key("a")]
    return settings


def test_a_sealed_secret_opens_and_tells_its_key() -> None:
    """What is sealed opens again, names its key, hides its text, and looks different each time."""
    one, two = vault.seal("tökén"), vault.seal("tökén")
    assert vault.open_(one) == vault.open_(two) == "tökén"
    assert one.startswith("v1.a.")
    assert one != two
    assert vault.open_(vault.seal("")) == ""


def test_the_first_key_seals_and_all_of_them_open(ring: Any) -> None:
    """A new key in front seals from then on; what the old one sealed still opens and is stale."""
    old = vault.seal("token")
    ring.VAULT_KEYS = [key("b"), key("a")]
    new = vault.seal("token")
    assert (new.startswith("v1.b."), vault.open_(old)) == (True, "token")
    assert (vault.stale(old), vault.stale(new)) == (True, False)


def test_a_missing_key_is_named(ring: Any) -> None:
    """A secret whose key left the ring says which key, and what to do."""
    sealed = vault.seal("token")
    ring.VAULT_KEYS = [key("b")]
    with pytest.raises(vault.VaultError, match=r"'a'.*not in THROUGHLINE_VAULT_KEYS") as error:
        vault.open_(sealed)
    assert error.value.code == "VAULT_KEY"


def test_a_changed_secret_does_not_open(ring: Any) -> None:
    """A flipped bit, another key of the same name, or a renamed key id: all of it is refused."""
    sealed = vault.seal("token")
    head, body = sealed.rsplit(".", 1)
    box = bytearray(base64.urlsafe_b64decode(body))
    box[-1] ^= 1
    ring.VAULT_KEYS = [key("a"), "c:" + base64.b64encode(b"a" * 32).decode()]
    for bad in (f"{head}.{base64.urlsafe_b64encode(bytes(box)).decode()}", f"v1.c.{body}"):
        with pytest.raises(vault.VaultError) as error:
            vault.open_(bad)
        assert error.value.code == "VAULT_BROKEN"


@pytest.mark.parametrize("bad", ["", "token", "v1.a", "v1.a.!!", "v2.a.AAAA", "v1.a.AAAA"])
def test_what_is_not_sealed_is_refused_without_repeating_it(bad: str) -> None:
    """Plain text in the column is told as such and never echoed."""
    with pytest.raises(vault.VaultError) as error:
        vault.open_(bad)
    assert error.value.code == "VAULT_FORMAT"
    assert "token" not in error.value.text


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ([], "is empty"),
        (["a"], "Entry 1"),
        ([key("a"), "b:c2hvcnQ="], "Entry 2"),
        (["a b:" + base64.b64encode(b"k" * 32).decode()], "Entry 1"),
        ([key("a"), key("a")], "two keys called 'a'"),
    ],
)
def test_a_wrong_ring_stops_with_a_sentence_that_holds_no_key(ring: Any, keys: list[str], text: str) -> None:
    """A ring that cannot be used is told by its entry's number, never by its content."""
    ring.VAULT_KEYS = keys
    with pytest.raises(ImproperlyConfigured, match=text) as error:
        vault.seal("token")
    assert "c2hvcnQ" not in str(error.value)


def endpoint(code: str, secret: str) -> Endpoint:
    """An outbound endpoint with this sealed secret."""
    partner, _ = Partner.objects.get_or_create(code="summit", defaults={"kind": "erp"})
    return Endpoint.objects.create(
        partner=partner, code=code, direction="out", format="rest_ledger", transport="http", secret=secret
    )


@pytest.mark.django_db
def test_rotation_seals_everything_with_the_first_key(ring: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """After rotate_vault the old key can go; a second run changes nothing; one audit entry for each secret."""
    endpoint("one", vault.seal("first")), endpoint("none", "")
    ring.VAULT_KEYS = [key("b"), key("a")]
    call_command("rotate_vault")
    sealed = Endpoint.objects.get(code="one").secret
    call_command("rotate_vault")
    assert Endpoint.objects.get(code="one").secret == sealed
    ring.VAULT_KEYS = [key("b")]
    assert vault.open_(sealed) == "first"
    assert AuditEntry.objects.filter(verb="vault.rotate").count() == 1
    assert capsys.readouterr().out.splitlines() == ["one: sealed anew", "one: is sealed with the first key"]


@pytest.mark.django_db
def test_rotation_names_what_does_not_open_and_goes_on(ring: Any) -> None:
    """A secret that nobody can open is named and kept, the others are rotated."""
    lost = endpoint("lost", vault.seal("x"))
    ring.VAULT_KEYS = [key("c")]
    good = endpoint("later", vault.seal("y"))
    ring.VAULT_KEYS = [key("b"), key("c")]
    with pytest.raises(CommandError, match="1 could not be opened: lost"):
        call_command("rotate_vault")
    assert Endpoint.objects.get(pk=lost.pk).secret == lost.secret
    assert vault.stale(Endpoint.objects.get(pk=good.pk).secret) is False
