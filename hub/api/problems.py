"""Every error as problem+json (RFC 9457): what happened, and what the caller should do. Never a trace, never a payload.

`code` is stable and for programs: an exception code of ours (docs/exceptions.md) or one of `KINDS`. `instance` is the
request's correlation id, under which the logs tell the rest.
"""

import math
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404
from rest_framework import exceptions, status
from rest_framework.response import Response

from hub import errors, ids

log = structlog.get_logger(__name__)
MEDIA_TYPE = "application/problem+json"
TYPE = "urn:throughline:problem:"
RETRY_AFTER_S = 5


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of the table in docs/integrating/api.md."""

    slug: str  # the last part of `type`
    status: int
    title: str
    code: str  # where the error brings none of its own


INVALID = Kind("invalid", 400, "The request is not well formed", "API_INVALID")
UNAUTHENTICATED = Kind("unauthenticated", 401, "Who is calling is not known", "API_UNAUTHENTICATED")
NOT_ALLOWED = Kind("not-allowed", 403, "The caller may not do this", "API_NOT_ALLOWED")
NOT_FOUND = Kind("not-found", 404, "There is nothing here for this caller", "API_NOT_FOUND")
NO_SUCH_METHOD = Kind("method-not-allowed", 405, "This resource does not know the method", "API_METHOD")
NOT_ACCEPTABLE = Kind("not-acceptable", 406, "Answers are JSON", "API_NOT_ACCEPTABLE")
REFUSED = Kind("refused", 409, "A rule forbids this move now", "API_REFUSED")
IN_PROGRESS = Kind("in-progress", 409, "The same request is still being worked on", "API_IN_PROGRESS")
TOO_LARGE = Kind("too-large", 413, "The body is too large", "API_TOO_LARGE")
NOT_JSON = Kind("unsupported-media-type", 415, "Bodies are JSON", "API_MEDIA_TYPE")
UNREADABLE = Kind("unreadable", 422, "The document cannot be read", "API_UNREADABLE")
KEY_REUSED = Kind("key-reused", 422, "The Idempotency-Key belongs to another request", "API_KEY_REUSED")
THROTTLED = Kind("throttled", 429, "Too many requests", "API_THROTTLED")
BUG = Kind("internal", 500, "Something is wrong on our side", "API_INTERNAL")
REJECTED = Kind("rejected-by-partner", 502, "The partner said no", "API_REJECTED")
UNKNOWN = Kind("outcome-unknown", 502, "Nobody knows yet whether the partner did it", "API_UNKNOWN")
UNAVAILABLE = Kind("unavailable", 503, "Not possible just now", "API_UNAVAILABLE")
KINDS = (
    INVALID, UNAUTHENTICATED, NOT_ALLOWED, NOT_FOUND, NO_SUCH_METHOD, NOT_ACCEPTABLE, REFUSED, IN_PROGRESS, TOO_LARGE,
    NOT_JSON, UNREADABLE, KEY_REUSED, THROTTLED, BUG, REJECTED, UNKNOWN, UNAVAILABLE,
)  # fmt: skip

# The first class that fits decides, so the narrow ones stand first.
BY_ERROR: tuple[tuple[type[Exception], Kind], ...] = (
    (errors.Transient, UNAVAILABLE),
    (errors.OutcomeUnknown, UNKNOWN),
    (errors.ParseError, UNREADABLE),
    (errors.Rejected, REJECTED),
    (errors.Permanent, REFUSED),
    (errors.NotAllowed, NOT_ALLOWED),
    (Http404, NOT_FOUND),
    (PermissionDenied, NOT_ALLOWED),
    (SuspiciousOperation, INVALID),
    (OperationalError, UNAVAILABLE),
    (InterfaceError, UNAVAILABLE),
)
BY_STATUS = {
    kind.status: kind
    for kind in (
        INVALID, UNAUTHENTICATED, NOT_ALLOWED, NOT_FOUND, NO_SUCH_METHOD, NOT_ACCEPTABLE, TOO_LARGE, NOT_JSON,
        THROTTLED, UNAVAILABLE,
    )
}  # fmt: skip


class Problem(exceptions.APIException):
    """An error that the API itself finds; `errors` names the fields."""

    def __init__(self, kind: Kind, detail: str, *, fields: Mapping[str, list[str]] | None = None) -> None:
        super().__init__(detail)
        self.kind = kind
        self.status_code = kind.status
        self.text = detail
        self.fields = dict(fields or {})


def handle(error: Exception, context: Mapping[str, Any]) -> Response:
    """REST framework's one exception handler: any error of any view, as a problem."""
    request = context.get("request")
    kind, code, detail = _read(error)
    if isinstance(error, errors.NotAllowed) and not getattr(getattr(request, "user", None), "is_authenticated", False):
        kind = UNAUTHENTICATED  # a name is missing, not a permission
    body: dict[str, Any] = {
        "type": TYPE + kind.slug,
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "code": code,
        "instance": f"urn:uuid:{getattr(request, 'correlation_id', None) or ids.uuid7()}",
    }
    if where := getattr(error, "where", ""):
        body["where"] = where
    if fields := _fields(error):
        body["errors"] = fields
    return Response(body, status=kind.status, headers=_headers(error, kind), content_type=MEDIA_TYPE)


def _read(error: Exception) -> tuple[Kind, str, str]:
    """Kind, code and text of an error."""
    if isinstance(error, Problem):
        return error.kind, error.kind.code, error.text
    if isinstance(error, exceptions.ValidationError):
        return INVALID, INVALID.code, "Look at `errors`: each names a field and what is wrong with it."
    if isinstance(error, exceptions.APIException):
        kind = BY_STATUS.get(error.status_code, BUG)
        codes = error.get_codes()
        named = codes if isinstance(codes, str) and codes.isupper() else kind.code
        return kind, named, str(error.detail)
    for class_, kind in BY_ERROR:
        if isinstance(error, class_):
            if isinstance(error, errors.HubError):
                return kind, error.code, error.text
            return kind, kind.code, DETAILS[kind.slug]
    return _bug(error)


# Texts for errors whose own words are Django's or the database's: those may quote what was sent.
DETAILS = {
    NOT_FOUND.slug: "It does not exist, or it belongs to a facility that you have no access to.",
    NOT_ALLOWED.slug: "You may not do this.",
    INVALID.slug: "The request cannot be understood.",
    UNAVAILABLE.slug: "The database does not answer just now. Nothing was changed; try again.",
}


def _bug(error: Exception) -> tuple[Kind, str, str]:
    """The outer door: recorded by place and class alone, since the text of an error may quote a patient's data."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames[-6:]]
    log.error("api_bug", error=type(error).__name__, places=places)
    return BUG, BUG.code, "This is our mistake, not yours. Report it with the `instance` given here."


def _fields(error: Exception) -> list[dict[str, str]]:
    """`[{"field": "reason", "text": "..."}]`; nested fields are joined with dots."""
    if isinstance(error, Problem):
        return [{"field": name, "text": text} for name, texts in error.fields.items() for text in texts]
    if not isinstance(error, exceptions.ValidationError):
        return []
    return list(_flatten("", error.detail))


def _flatten(path: str, detail: Any) -> Any:
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            yield from _flatten(f"{path}.{name}" if path else str(name), inner)
    elif isinstance(detail, list | tuple):
        for position, inner in enumerate(detail):
            nested = isinstance(inner, Mapping | list | tuple)
            yield from _flatten(f"{path}.{position}" if nested else path, inner)
    else:
        yield {"field": path, "text": str(detail)}


def _headers(error: Exception, kind: Kind) -> dict[str, str]:
    """WWW-Authenticate with a 401, Retry-After where waiting helps, Allow with a 405."""
    headers = {}
    if kind.status == status.HTTP_401_UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="throughline"'
    wait = getattr(error, "retry_after_s", None) or getattr(error, "wait", None)
    if kind in (UNAVAILABLE, THROTTLED, IN_PROGRESS):
        headers["Retry-After"] = str(math.ceil(wait or (1 if kind is IN_PROGRESS else RETRY_AFTER_S)))
    return headers
