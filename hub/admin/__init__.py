"""The hub's pages. Each module registers its own; the order of imports is the order of the set-up page's shelves."""

from hub.admin import (
    alerts,
    cases,
    deadlines,
    deliveries,
    files,
    journeys,
    late,
    messages,
    partners,
    people,
    replays,
    today,
    trail,
    webhooks,
)

__all__ = [
    "alerts",
    "cases",
    "deadlines",
    "deliveries",
    "files",
    "journeys",
    "late",
    "messages",
    "partners",
    "people",
    "replays",
    "today",
    "trail",
    "webhooks",
]
