"""What every response gets: a strict content security policy, no caching of anything private, a correlation id."""

from collections.abc import Callable

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from hub import ids

Next = Callable[[HttpRequest], HttpResponse]


class ContentSecurityPolicy:
    """`settings.SECURE_CSP` as a header. Nothing inline, nothing from elsewhere."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response
        self.policy = "; ".join(f"{name} {' '.join(sources)}" for name, sources in settings.SECURE_CSP.items())

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", self.policy)
        return response


class NoStore:
    """Pages about patients' accounts must not stay in a shared computer's cache."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not request.path.startswith(f"/{settings.STATIC_URL.lstrip('/')}"):
            response.headers.setdefault("Cache-Control", "no-store")
        return response


class Correlation:
    """One id for everything that a request causes: bound to the logs, sent back to the caller."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.correlation_id = ids.uuid7()  # type: ignore[attr-defined]
        with structlog.contextvars.bound_contextvars(correlation_id=str(request.correlation_id)):  # type: ignore[attr-defined]
            response = self.get_response(request)
        response.headers["X-Correlation-Id"] = str(request.correlation_id)  # type: ignore[attr-defined]
        return response
