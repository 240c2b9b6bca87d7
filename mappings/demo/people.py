"""The demo's people: one for each role, and one who sees a single hospital. Their passwords are made up on the spot."""

import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group

from hub.access import ALL, ROLES
from hub.models import FacilityGrant

# name -> (roles, facilities, what is said of them in the list of log-ins)
PEOPLE: dict[str, tuple[tuple[str, ...], tuple[str, ...], str]] = {
    "revenue": (("revenue_cycle",), (ALL,), "all hospitals"),
    "supply": (("supply_chain",), ("NORTH", "LAKE"), "North and Lake"),
    "approver": (("approver",), (ALL,), "all hospitals"),
    "finance": (("finance",), (ALL,), "all hospitals"),
    "integration": (("integration",), (ALL,), "all hospitals"),
    "auditor": (("auditor",), (ALL,), "all hospitals; changes nothing"),
    "river": (("revenue_cycle",), ("RIVER",), "Riverside only"),
}


def load() -> dict[str, str]:
    """Add the people that are missing; returns the passwords of the new ones by name. Others keep theirs."""
    users = get_user_model().objects
    known = set(users.filter(username__in=PEOPLE).values_list("username", flat=True))
    made = {}
    for name, (roles, facilities, _) in PEOPLE.items():
        if name in known:
            continue
        made[name] = secrets.token_urlsafe(12)
        user: Any = users.create_user(name, password=made[name], is_staff=True)
        user.groups.set(Group.objects.filter(name__in=roles))
        FacilityGrant.objects.bulk_create(FacilityGrant(user=user, facility=code) for code in facilities)
    return made


def table(made: Mapping[str, str]) -> Iterator[str]:
    """The log-ins as lines of a table."""
    for name, password in made.items():
        roles, _, said = PEOPLE[name]
        yield f"{name:<12} {password:<18} {', '.join(ROLES[role] for role in roles)} ({said})"


def write(file: Path, made: Mapping[str, str]) -> None:
    """Put new log-ins into the file, which only its owner may read. Without new ones the file stays as it is."""
    if not made:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    # Opened for appending with its mode from the start: there is no moment in which others could read it.
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "a", encoding="utf-8") as stream:
        os.fchmod(descriptor, 0o600)
        stream.writelines(f"{line}\n" for line in table(made))
