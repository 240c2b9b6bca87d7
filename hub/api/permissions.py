"""The one way from a caller to a verb: permission of the role, narrowed by the key's scopes. No entry, no entrance."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from hub import access, machines
from hub.access import Actor
from hub.errors import NotAllowed

READS = frozenset({"list", "retrieve"})


def actor(request: Request) -> Actor:
    """Who acts: the key's actor, or the person of the browser session."""
    return request.auth if isinstance(request.auth, Actor) else access.person(request.user)


class VerbPermission(BasePermission):
    """Asks the view: `resource` names its scopes, `needs` the Django permissions of each of its actions.

    A browser session and a key take the same path; a key's scopes only ever take away.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        """False without a caller (401); raises `NotAllowed` with a text that says what is missing (403)."""
        if not request.user or not request.user.is_authenticated:
            return False
        action = getattr(view, "action", None)
        if action in (None, "metadata"):  # a method that the route does not know: the answer is 405, not 403
            return True
        by = actor(request)
        needs = getattr(view, "needs", {}).get(action)
        if not needs:
            raise NotAllowed("ACCESS_VERB", "Nobody may do this here: the route names no permission.")
        machines.require_scope(by, f"{view.resource}.{scope_verb(view, action)}")
        for permission in needs:
            access.require(by, permission)
        return True


def scope_verb(view: Any, action: str) -> str:
    """The verb in a scope: "read" for everything that only looks, else the action's own name."""
    return "read" if action in READS or action in getattr(view, "looks", ()) else action
