"""Idempotency-Key on every mutating call (IETF draft-07): sent twice, done once, answered twice with the same bytes.

The answer is saved in the transaction of the effect. What failed left nothing behind, neither effect nor answer, and
may be sent again with the same key. While a request is being worked on, an advisory lock of its transaction says so
to the others; a process that dies gives it back.
"""

import hashlib
import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from hub import bulk
from hub.access import Actor
from hub.api import permissions, problems
from hub.models import SavedAnswer

HEADER = "Idempotency-Key"
KEEP_DAYS = 7  # a weekend's outage and the days in which somebody looks into it
# Visible ASCII; the draft writes the key as a quoted string, most clients send it bare. Both mean the same key.
KEY = re.compile(r'"([\x21\x23-\x7e]{1,255})"|([\x21\x23-\x7e]{1,255})')


def once(request: Request, effect: Callable[[], Response]) -> HttpResponse:
    """Run `effect` and save its answer, or give the saved answer of the same request again.

    Raises `Problem`: 400 without a usable key, 409 while the same key is being worked on, 422 where the key was used
    for something else. Whatever `effect` raises rolls everything back.
    """
    key = _key(request)
    scope = (caller(permissions.actor(request)), str(request.method), request.path)
    fingerprint = _fingerprint(request)
    with transaction.atomic():
        if not _lock(*scope, key):
            raise problems.Problem(
                problems.IN_PROGRESS, "A request with this Idempotency-Key is being worked on. Ask again in a second."
            )
        actor, method, path = scope
        saved = SavedAnswer.objects.filter(actor=actor, method=method, path=path, key=key).first()
        if saved is None:
            saved = _run(effect, scope, key, fingerprint)
        elif bytes(saved.fingerprint) != fingerprint:
            raise problems.Problem(
                problems.KEY_REUSED, "This Idempotency-Key was used with another body. Use a new key for a new request."
            )
    return _answer(saved)


def _run(effect: Callable[[], Response], scope: tuple[str, str, str], key: str, fingerprint: bytes) -> SavedAnswer:
    response = effect()
    actor, method, path = scope
    return SavedAnswer.objects.create(
        actor=actor,
        method=method,
        path=path,
        key=key,
        fingerprint=fingerprint,
        status=response.status_code,
        location=response.headers.get("Location", ""),
        body=JSONRenderer().render(response.data),
    )


def _answer(saved: SavedAnswer) -> HttpResponse:
    """The first caller gets the saved bytes too, so that the second one cannot see a difference."""
    headers = {"Location": saved.location} if saved.location else None
    return HttpResponse(bytes(saved.body), status=saved.status, content_type="application/json", headers=headers)


def _key(request: Request) -> str:
    text = request.headers.get(HEADER, "").strip()
    found = KEY.fullmatch(text)
    if found is None:
        reason = "has 1 to 255 visible ASCII characters" if text else "is required: choose one per request"
        raise problems.Problem(problems.INVALID, f"{HEADER} {reason}, e.g. a UUID. Sent again, it must be the same.")
    return found[1] or found[2]


def caller(by: Actor) -> str:
    """Whose keys they are: one machine's (its name ends with the key's prefix) or one person's, who may be renamed."""
    return f"user:{by.user.pk}" if by.scopes is None else by.name


def _fingerprint(request: Request) -> bytes:
    """SHA-256 of what was asked for; spaces and the order of fields do not make another request."""
    body: Any = request.data
    canonical = json.dumps([request.method, request.path, body], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).digest()


def _lock(*parts: Any) -> bool:
    """Held until the transaction ends. Two keys that share 64 bits of hash would only be told to ask again."""
    digest = hashlib.sha256("\x00".join(parts).encode()).digest()
    number = int.from_bytes(digest[:8], "big", signed=True)
    return bool(bulk.fetch("SELECT pg_try_advisory_xact_lock(%s)", [number])[0][0])


def prune(*, before: datetime | None = None) -> int:
    """Forget answers older than `KEEP_DAYS`; returns how many. A second call finds nothing to do."""
    limit = before or timezone.now() - timedelta(days=KEEP_DAYS)
    return SavedAnswer.objects.filter(created_at__lt=limit).delete()[0]
