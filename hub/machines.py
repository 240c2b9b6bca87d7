"""Keys of machines: issued once, shown once, kept as a hash; each acts as its service account, narrowed by its scopes.

A key reads `tl_<prefix>_<secret>`: the prefix finds its row, the secret is 256 random bits. A fast hash is right here:
nobody can guess 256 bits, and a slow one would cost 0.3 s of processor time with every request.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from hub import access, audit
from hub.access import Actor
from hub.errors import NotAllowed, Refused
from hub.models import ApiKey

SCHEME = "bearer"
SECRET_BYTES = 32
MAX_DAYS = 400  # a year, and a month in which to rotate
USED_EVERY = timedelta(minutes=1)  # how often a busy key's row is written
SCOPE = re.compile(r"\*|[a-z][a-z_]*\.(\*|[A-Za-z0-9_][A-Za-z0-9_-]*)")  # after the dot: a verb, or an endpoint's code
KEY = re.compile(r"tl_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
# What an unknown prefix is compared with, so that it takes as long as a wrong secret.
NOBODY = hashlib.sha512(b"").digest()


def issue(user: Any, name: str, scopes: Sequence[str], expires_at: datetime, *, by: Actor) -> tuple[ApiKey, str]:
    """Make a key for a service account; returns its row and the key itself, which is not kept and never shown again.

    Raises `Refused` for a key that would be too much: no end, no name, no scope, a superuser's, or another person's
    (whoever holds it could approve what they proposed themselves).
    """
    access.require(by, "hub.add_apikey")
    scopes = sorted({scope.strip() for scope in scopes if scope.strip()})
    _check(user, name, scopes, expires_at, by)
    prefix = secrets.token_hex(6)
    text = f"tl_{prefix}_{secrets.token_urlsafe(SECRET_BYTES)}"
    with transaction.atomic():
        key = ApiKey.objects.create(
            prefix=prefix, digest=_digest(text), name=name.strip(), user=user, scopes=scopes, expires_at=expires_at
        )
        detail = {"account": user.get_username(), "scopes": scopes, "expires_at": expires_at.isoformat()}
        audit.record("machines.issue", by=by, subject=key, detail=detail)
    return key, text


def _check(user: Any, name: str, scopes: Sequence[str], expires_at: datetime, by: Actor) -> None:
    account = user.get_username()
    wrong = next((scope for scope in scopes if not SCOPE.fullmatch(scope)), None)
    days = (expires_at - timezone.now()).total_seconds() / 86_400
    own = by.is_system or user == by.user
    reasons = (
        (not name.strip(), "Give the key a name that says which machine holds it."),
        (not scopes, 'Name at least one scope, e.g. "charges.read" or "in.carebill".'),
        (wrong, f'"{wrong}" is not a scope; write "<resource>.<verb>", "<resource>.*" or "*".'),
        (days <= 0, "The key would have expired already; choose a later end."),
        (days > MAX_DAYS, f"A key lasts {MAX_DAYS} days at most; choose an earlier end and rotate it."),
        (not user.is_active, f"The account {account} is not active."),
        (user.is_superuser, f"{account} is a superuser: its key would have no limits. Use a service account."),
        (
            not own and user.has_usable_password(),
            f"{account} is a person's account: name a service account without a password, or four eyes become two.",
        ),
    )
    for is_so, text in reasons:
        if is_so:
            raise Refused("KEY_TERMS", text)


def revoke(key: ApiKey, *, by: Actor, reason: str = "") -> ApiKey:
    """End a key now; the next request with it is refused. Revoking it again changes nothing."""
    access.require(by, "hub.change_apikey")
    with transaction.atomic():
        stored = ApiKey.objects.select_for_update().get(pk=key.pk)
        if stored.revoked_at is None:
            stored.revoked_at = timezone.now()
            stored.save(update_fields=["revoked_at"])
            audit.record("machines.revoke", by=by, subject=stored, reason=reason)
    key.revoked_at = stored.revoked_at
    return key


def authenticate(authorization_header: str) -> Actor:
    """The actor behind `Bearer tl_...`. Raises `NotAllowed` (ACCESS_KEY) with one text whatever is wrong with it.

    Looked up with every request: a key that is revoked, or an account that is switched off, stops at once.
    """
    scheme, _, text = authorization_header.partition(" ")
    found = KEY.fullmatch(text.strip()) if scheme.lower() == SCHEME else None
    key = ApiKey.objects.select_related("user").filter(prefix=found[1]).first() if found else None
    matches = hmac.compare_digest(bytes(key.digest) if key else NOBODY, _digest(text.strip()))
    now = timezone.now()
    if key is None or not matches or key.revoked_at or key.expires_at <= now or not key.user.is_active:
        raise NotAllowed(
            "ACCESS_KEY",
            "This key is not valid: it is unknown, expired or revoked. Ask for a new one.",
        )
    _used(key, now)
    return Actor(f"api:{key.name} ({key.prefix})", key.user, frozenset(key.scopes))


def _used(key: ApiKey, now: datetime) -> None:
    """Note the use at most once a minute; two requests at once write it once."""
    stale = now - USED_EVERY
    if key.last_used_at is None or key.last_used_at <= stale:
        unused = Q(last_used_at__isnull=True) | Q(last_used_at__lte=stale)
        ApiKey.objects.filter(unused, pk=key.pk).update(last_used_at=now)


def permits(by: Actor, scope: str) -> bool:
    """Whether the key behind `by` covers `scope` ("charges.read"); people and the system are not limited by scopes."""
    if by.scopes is None:
        return True
    resource = scope.partition(".")[0]
    return not by.scopes.isdisjoint({scope, f"{resource}.*", "*"})


def require_scope(by: Actor, scope: str) -> None:
    """Raise `NotAllowed` unless the key behind `by` covers `scope`."""
    if not permits(by, scope):
        raise NotAllowed("ACCESS_SCOPE", f"This key does not cover {scope}. It needs that scope to be issued with it.")


def _digest(text: str) -> bytes:
    return hashlib.sha512(text.encode()).digest()
