"""Who acts, what they may do, and whose rows they see. Every verb asks here; nobody can go round it."""

from dataclasses import dataclass
from typing import Any, TypeVar

from django.db import models

from hub.errors import NotAllowed

ALL = "*"
# Role (group) names are stable: cases are owned by them. What each may do is data: `hub.roles`.
ROLES = {
    "revenue_cycle": "Revenue cycle",
    "supply_chain": "Supply chain",
    "approver": "Approver",
    "finance": "Finance",
    "integration": "Integration engineer",
    "auditor": "Auditor",
}
M = TypeVar("M", bound=models.Model)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who is behind a verb: a person, a machine's key acting as its service account, or the system itself."""

    name: str  # as audit entries show it
    user: Any = None  # the Django user; None only for the system
    scopes: frozenset[str] | None = None  # an API key's limits; None means no further limit

    @property
    def is_system(self) -> bool:
        return self.user is None


SYSTEM = Actor("system")


def person(user: Any) -> Actor:
    """The actor for a logged-in user."""
    return Actor(user.get_username(), user)


def require(by: Actor, permission: str, *, facility: str | None = None) -> None:
    """Raise `NotAllowed` unless `by` holds the permission, and the facility where one is named."""
    if by.is_system:
        return
    if not by.user.is_active or not by.user.has_perm(permission):
        raise NotAllowed("ACCESS_VERB", f"{by.name} may not do this: it needs the permission {permission}.")
    if facility and not sees(by, facility):
        raise NotAllowed("ACCESS_FACILITY", f"{by.name} has no access to facility {facility}.")


def facilities(by: Actor) -> frozenset[str] | None:
    """The facility codes that `by` sees; None means all of them."""
    if by.is_system:
        return None
    granted = frozenset(by.user.facility_grants.values_list("facility", flat=True))
    return None if ALL in granted else granted


def sees(by: Actor, facility: str) -> bool:
    """Whether `by` may see rows of this facility."""
    granted = facilities(by)
    return granted is None or facility in granted


def scope(queryset: models.QuerySet[M], by: Actor, field: str = "facility") -> models.QuerySet[M]:
    """Only the rows of the actor's facilities. Rows of no facility ("") are for those who see all."""
    granted = facilities(by)
    return queryset if granted is None else queryset.filter(**{f"{field}__in": granted})
