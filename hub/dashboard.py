"""The index: panels that apps register, loaded for one person. Each panel reads by id range or by a partial index."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from hub.viewer import Viewer

WINDOW = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Panel:
    """One part of the index: `load(viewer, now)` gives its template's values; shown to holders of `permission`."""

    place: int
    title: str
    template: str
    permission: str
    load: Callable[[Viewer, datetime], Mapping[str, Any]]
    half: bool = False  # two of them stand side by side where there is room


panels: list[Panel] = []


def register(panel: Panel) -> None:
    """Add a panel; apps call it from their admin."""
    panels.append(panel)
    panels.sort(key=lambda known: known.place)


def build(who: Viewer, now: datetime | None = None) -> list[dict[str, Any]]:
    """All panels that this person may see, with what they show."""
    now = now or timezone.now()
    return [
        {"title": panel.title, "template": panel.template, "half": panel.half, **panel.load(who, now)}
        for panel in panels
        if who.may(panel.permission)
    ]
