"""Keys of machines: shown once, kept as a hash, refused in one voice, ended at once."""

import hashlib
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.utils import timezone

from hub import access, machines
from hub.access import SYSTEM, Actor
from hub.errors import NotAllowed, Refused
from hub.models import ApiKey, AuditEntry
from tests.hub.api import rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def service() -> Any:
    """A service account: it has no password."""
    return get_user_model().objects.create_user("feed")


def tomorrow() -> datetime:
    """The usual end of a test's key."""
    return timezone.now() + timedelta(days=1)


def issue(user: Any, *scopes: str) -> tuple[ApiKey, str]:
    """A key with these scopes, made by the system."""
    return machines.issue(user, "night feed", scopes or ("charges.read",), tomorrow(), by=SYSTEM)


def test_a_key_opens_the_door_for_its_service_account_with_its_scopes(service: Any) -> None:
    """The actor behind a key is the account, named after the key, and limited by its scopes."""
    key, text = issue(service, "charges.read", "in.carebill")
    actor = machines.authenticate(f"Bearer {text}")
    assert (actor.user, actor.name) == (service, f"api:night feed ({key.prefix})")
    assert actor.scopes == {"charges.read", "in.carebill"}


def test_only_a_hash_of_the_key_is_kept_and_the_secret_has_256_bits(service: Any) -> None:
    """Whoever reads the table or the audit trail learns no key."""
    key, text = issue(service)
    _, prefix, secret = text.split("_", 2)
    assert (prefix, len(secret)) == (key.prefix, 43)
    assert bytes(key.digest) == hashlib.sha512(text.encode()).digest()
    entry = AuditEntry.objects.get(verb="machines.issue")
    assert secret not in f"{entry.detail} {entry.reason} {ApiKey.objects.values_list().get()}"


def test_two_keys_never_look_alike(service: Any) -> None:
    """A hundred keys are a hundred secrets."""
    assert len({issue(service)[1] for _ in range(100)}) == 100


BAD_HEADERS = (
    "", "Bearer", "Bearer ", "Bearer tl_", "tl_{prefix}_{secret}", "Basic tl_{prefix}_{secret}",
    "Bearer tl_{prefix}_" + "A" * 43, "Bearer tl_000000000000_{secret}", "Bearer tl_{prefix}_{secret}x",
    "Bearer TL_{prefix}_{secret}", "Bearer tl_{prefix}_\x00", "Bearer \xe9\xff", "Bearer " + "x" * 100_000,
)  # fmt: skip


@pytest.mark.parametrize("header", BAD_HEADERS, ids=range(len(BAD_HEADERS)))
def test_every_wrong_header_gets_the_same_answer(service: Any, header: str) -> None:
    """Nobody can tell an unknown key from a wrong one."""
    _, text = issue(service)
    _, prefix, secret = text.split("_", 2)
    with pytest.raises(NotAllowed) as refusal:
        machines.authenticate(header.format(prefix=prefix, secret=secret))
    assert (refusal.value.code, refusal.value.text.split(":")[0]) == ("ACCESS_KEY", "This key is not valid")


def test_expired_revoked_and_switched_off_are_refused_with_that_same_text(service: Any) -> None:
    """What once was a key tells no more than what never was one."""
    texts = set()
    for end in ("expire", "revoke", "switch off"):
        key, text = issue(service)
        machines.authenticate(f"Bearer {text}")
        if end == "expire":
            ApiKey.objects.filter(pk=key.pk).update(expires_at=timezone.now())
        elif end == "revoke":
            machines.revoke(key, by=SYSTEM)
        else:
            get_user_model().objects.update(is_active=False)
        with pytest.raises(NotAllowed) as refusal:
            machines.authenticate(f"Bearer {text}")
        texts.add((refusal.value.code, refusal.value.text))
    assert len(texts) == 1


def test_F_R6_a_key_revoked_between_two_requests_is_refused_with_the_second(service: Any) -> None:
    """Nothing about a key is remembered from one request to the next."""
    reader = rows.user("billing.view_charge")
    caller = rows.Caller(reader, "charges.read")
    assert caller.get("/charges").status_code == 200
    machines.revoke(caller.key, by=SYSTEM, reason="lost")
    answer = caller.get("/charges")
    assert (answer.status_code, answer.json()["code"]) == (401, "ACCESS_KEY")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_the_use_of_a_key_is_noted_at_most_once_a_minute(service: Any) -> None:
    """A key that is used a thousand times a second does not write a thousand rows a second."""
    key, text = issue(service)
    with time_machine.travel(timezone.now(), tick=False) as clock:
        seen = []
        for _ in range(4):
            machines.authenticate(f"Bearer {text}")
            key.refresh_from_db()
            seen.append(key.last_used_at)
            clock.shift(timedelta(seconds=25))
    assert len(set(seen)) == 2
    assert seen[0] == seen[2]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "  "}, "name"),
        ({"scopes": []}, "at least one scope"),
        ({"scopes": ["charges"]}, "is not a scope"),
        ({"scopes": ["charges.read", "*.read"]}, "is not a scope"),
        ({"expires_at": timedelta(0)}, "expired already"),
        ({"expires_at": timedelta(days=401)}, "400 days at most"),
    ],
)
def test_a_key_that_would_be_too_much_is_refused(service: Any, change: dict[str, Any], words: str) -> None:
    """No key without an end, a name or a limit; the refusal says what to do and leaves nothing behind."""
    terms = {"name": "feed", "scopes": ["charges.read"], "expires_at": timedelta(days=1)} | change
    with pytest.raises(Refused, match=words):
        machines.issue(service, terms["name"], terms["scopes"], timezone.now() + terms["expires_at"], by=SYSTEM)
    assert not ApiKey.objects.exists()
    assert not AuditEntry.objects.exists()


def test_nobody_gets_a_key_that_acts_as_a_superuser_or_as_another_person() -> None:
    """With a colleague's key one could approve what one proposed; a superuser's would have no limits."""
    users = get_user_model().objects
    root = users.create_superuser("root", password="correct horse battery staple")
    person = users.create_user("nurse", password="correct horse battery staple")
    issuer = rows.user("hub.add_apikey")
    with pytest.raises(Refused, match="superuser"):
        issue(root)
    with pytest.raises(Refused, match="four eyes"):
        machines.issue(person, "mine", ["charges.read"], tomorrow(), by=access.person(issuer))
    assert not ApiKey.objects.exists()


def test_issuing_and_revoking_need_their_permissions(service: Any) -> None:
    """Whoever may not administer keys changes nothing."""
    nobody = access.person(rows.user())
    with pytest.raises(NotAllowed):
        machines.issue(service, "feed", ["*"], tomorrow(), by=nobody)
    key, _ = issue(service)
    with pytest.raises(NotAllowed):
        machines.revoke(key, by=nobody)
    key.refresh_from_db()
    assert (ApiKey.objects.count(), key.revoked_at) == (1, None)


def test_revoking_twice_keeps_the_first_time_and_is_audited_once(service: Any) -> None:
    """The second call is harmless."""
    key, _ = issue(service)
    first = machines.revoke(key, by=SYSTEM).revoked_at
    assert machines.revoke(ApiKey.objects.get(), by=SYSTEM).revoked_at == first
    assert AuditEntry.objects.filter(verb="machines.revoke").count() == 1


@pytest.mark.parametrize(
    ("scopes", "asked", "allowed"),
    [
        (None, "charges.read", True),
        ({"*"}, "charges.read", True),
        ({"charges.*"}, "charges.read", True),
        ({"charges.read"}, "charges.read", True),
        ({"charges.read"}, "charges.waive", False),
        ({"charges.*"}, "cases.read", False),
        ({"in.*"}, "in.carebill", True),
        ({"in.CareBill-1"}, "in.CareBill-1", True),
        ({"in.carebill"}, "in.summit", False),
        (set(), "charges.read", False),
    ],
)
def test_scopes_only_ever_take_away(scopes: set[str] | None, asked: str, allowed: bool) -> None:
    """A key covers what it names, its resource's star, or everything; a person is not limited by scopes."""
    actor = Actor("someone", scopes=None if scopes is None else frozenset(scopes))
    assert machines.permits(actor, asked) is allowed
    if allowed:
        machines.require_scope(actor, asked)
    else:
        with pytest.raises(NotAllowed, match=asked):
            machines.require_scope(actor, asked)


def test_the_command_issues_lists_and_revokes(service: Any) -> None:
    """The key alone goes to standard output, ready for a pipe; the list shows no secret."""
    out, err = StringIO(), StringIO()
    call_command("apikey", "issue", "--user=feed", "--name=night", "--scope=in.carebill", stdout=out, stderr=err)
    text = out.getvalue().strip()
    assert machines.authenticate(f"Bearer {text}").user == service
    prefix = text.split("_")[1]
    listed = StringIO()
    call_command("apikey", "list", stdout=listed)
    assert prefix in listed.getvalue()
    assert text not in listed.getvalue()
    call_command("apikey", "revoke", prefix, stdout=StringIO())
    with pytest.raises(NotAllowed):
        machines.authenticate(f"Bearer {text}")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["issue", "--user=nobody", "--name=x", "--scope=*"], "no account 'nobody'"),
        (["issue", "--user=feed", "--name=x", "--scope=oops"], "is not a scope"),
        (["revoke", "000000000000"], "no key"),
    ],
)
def test_the_command_says_in_a_sentence_what_is_wrong(service: Any, arguments: list[str], words: str) -> None:
    """No traceback for a typing error."""
    with pytest.raises(CommandError, match=words):
        call_command("apikey", *arguments)
