"""The sidebar and the set-up page. Apps register what they show, as they do with their routes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection, models
from django.urls import reverse

from hub.viewer import Viewer

# The order of the sidebar: how a working day goes, from what needs a person to what is set up once.
ORDER = ("Today", "Cases", "Charges", "Journals", "Messages", "Deliveries", "Mappings", "Set-up")
# Beyond this a badge says "999+": counting further would cost more than it tells.
COUNT_UP_TO = 999
Count = Callable[[Viewer], models.QuerySet[Any]]


@dataclass(frozen=True, slots=True)
class Link:
    """One page, shown to whoever holds `permission` ("" for everybody)."""

    label: str
    url: str  # name of the URL, e.g. "admin:hub_message_changelist"
    permission: str = ""
    help: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """One entry of the sidebar; its further links are tabs. `count` is what waits for a person there."""

    name: str
    icon: str
    links: tuple[Link, ...]
    count: Count | None = None
    counts: str = ""  # what the badge counts, for those who hear the page
    tone: str = "hold"


sections: dict[str, Section] = {}
shelves: dict[str, list[Link]] = {}


def register(section: Section) -> None:
    """Add a section; a name outside `ORDER` is a programming error."""
    if section.name not in ORDER:
        raise ValueError(f"the sidebar has no place for {section.name}: its order is {ORDER}")
    sections[section.name] = section


def put(shelf: str, *links: Link) -> None:
    """Put links on a shelf of the set-up page."""
    shelves.setdefault(shelf, []).extend(links)


def visible(links: tuple[Link, ...] | list[Link], who: Viewer) -> list[Link]:
    """The links that this person may follow."""
    return [link for link in links if not link.permission or who.may(link.permission)]


def build(who: Viewer) -> list[dict[str, Any]]:
    """The sidebar for this person, with all counts read by one statement."""
    shown = [(sections[name], visible(sections[name].links, who)) for name in ORDER if name in sections]
    shown = [(section, links) for section, links in shown if links]
    counted = _count({section.name: section.count(who) for section, _ in shown if section.count})
    return [_entry(section, links, counted.get(section.name, 0), who) for section, links in shown]


def tabs(who: Viewer) -> list[dict[str, Any]]:
    """The tabs of the section that the page belongs to, when it has more than one page."""
    for section in sections.values():
        links = [(link, reverse(link.url)) for link in visible(section.links, who)]
        if len(links) > 1 and any(_within(who.path, url) for _, url in links):
            return [{"label": link.label, "url": url, "current": _within(who.path, url)} for link, url in links]
    return []


def _entry(section: Section, links: list[Link], number: int, who: Viewer) -> dict[str, Any]:
    urls = [reverse(link.url) for link in links]
    return {
        "name": section.name,
        "icon": section.icon,
        "url": urls[0],
        "current": any(_within(who.path, url) for url in urls),
        "count": f"{COUNT_UP_TO}+" if number > COUNT_UP_TO else number or "",
        "counts": section.counts,
        "tone": section.tone,
    }


def _within(path: str, url: str) -> bool:
    return path == url or (url != reverse("admin:index") and path.startswith(url))


def _count(querysets: dict[str, models.QuerySet[Any]]) -> dict[str, int]:
    parts: list[str] = []
    params: list[Any] = []
    for queryset in querysets.values():
        try:
            sql, values = queryset.order_by().values("pk")[: COUNT_UP_TO + 1].query.sql_with_params()
        except EmptyResultSet:  # somebody without a facility: nothing to count
            sql, values = "SELECT 1 WHERE false", ()
        parts.append(f"(SELECT count(*) FROM ({sql}) x)")  # noqa: S608  (the ORM wrote it, values are parameters)
        params.extend(values)
    if not parts:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(parts)}", params)
        row = cursor.fetchone()
    return dict(zip(querysets, row, strict=True))
