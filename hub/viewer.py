"""Who looks at a page or an answer: an actor whose facilities are looked up once per request."""

from functools import cached_property
from typing import TypeVar

from django.db import models
from django.http import HttpRequest

from hub import access
from hub.access import Actor

M = TypeVar("M", bound=models.Model)


class Viewer:
    """The same rules as `hub.access`, remembered for one request."""

    def __init__(self, actor: Actor, path: str = "") -> None:
        self.actor = actor
        self.path = path

    @cached_property
    def facilities(self) -> frozenset[str] | None:
        """The facility codes this person sees; None means all of them."""
        return access.facilities(self.actor)

    def scope(self, queryset: models.QuerySet[M], field: str = "facility") -> models.QuerySet[M]:
        """`access.scope` without asking for the grants again: a page narrows a dozen querysets."""
        return queryset if self.facilities is None else queryset.filter(**{f"{field}__in": self.facilities})

    def may(self, permission: str) -> bool:
        """Whether this person holds the permission."""
        return bool(self.actor.user.is_active and self.actor.user.has_perm(permission))


def viewer(request: HttpRequest) -> Viewer:
    """The request's viewer, made once."""
    found: Viewer | None = getattr(request, "_throughline_viewer", None)
    if found is None:
        found = request._throughline_viewer = Viewer(access.person(request.user), request.path)  # type: ignore[attr-defined]
    return found
