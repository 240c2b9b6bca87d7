"""Finders: messages by a business key (account, order, charge ...). Apps register theirs in `finders.py`.

Nothing is stored twice for it. An `Indexed` finder reads an index that its app has anyway. A `Filtered` one has no
index, because one would cost every message that arrives: the filters of the blind index name some segments, and its
SQL looks at their rows alone.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from hub import access, bulk
from hub.access import Actor
from hub.errors import HubError, Refused
from hub.search import indexing, tokens
from hub.search.walk import BUDGET_S, PAGE, Found, visible, walk

VALUE_MAX = 200
LAST = UUID(int=(1 << 128) - 1)
AT_ONCE = 2000  # messages whose rows one statement of a `Filtered` finder looks at
CHUNK = "SELECT id FROM hub_message WHERE id >= %s AND id < %s ORDER BY id DESC OFFSET %s LIMIT 1"
MINE = "SELECT id FROM hub_message WHERE id = ANY(%s::uuid[]) AND endpoint_id = ANY(%s::bigint[])"


def as_text(value: str) -> str:
    """Any text that a column can hold."""
    if not value or "\x00" in value or len(value) > VALUE_MAX:
        raise ValueError(f"1 to {VALUE_MAX} characters, none of them NUL")
    return value


def as_id(value: str) -> UUID:
    """An id of ours."""
    try:
        return UUID(value)
    except ValueError:
        raise ValueError("an id such as 01936c1e-5a1b-7c3e-9d2f-0a1b2c3d4e5f") from None


@dataclass(frozen=True, slots=True)
class Indexed:
    """`sql` gives message ids below %(before)s for %(value)s, the newest first, %(limit)s at most, by an index."""

    name: str
    label: str
    sql: str
    read: Callable[[str], Any] = as_text


@dataclass(frozen=True, slots=True)
class Filtered:
    """`sql` gives the message ids for %(value)s from %(low)s to before %(before)s; `tokens` are what a filter has."""

    name: str
    label: str
    sql: str
    tokens: Callable[[str], Sequence[str]]
    read: Callable[[str], Any] = as_text


Finder = Indexed | Filtered
finders: dict[str, Finder] = {}


def register(new: Iterable[Finder]) -> None:
    """Add an app's finders; two of one name are a programming error."""
    for finder in new:
        if finder.name in finders:
            raise HubError("IF_FINDER", f"two finders are called {finder.name}")
        finders[finder.name] = finder


def words(value: str) -> list[str]:
    """The tokens of a value that stands in the message as it is: its runs of letters and digits."""
    return [run for run in tokens.runs(value.casefold()) if tokens.SHORTEST <= len(run) <= tokens.LONGEST][
        : tokens.WORDS_MAX
    ]


def column(name: str) -> Callable[[str], list[str]]:
    """The token of a column of the message itself."""
    return lambda value: [indexing.named(name, value)]


def _own(name: str, label: str, read: Callable[[str], Any] = as_text) -> Filtered:
    sql = f"SELECT id FROM hub_message WHERE id >= %(low)s AND id < %(before)s AND {name} = %(value)s"  # noqa: S608
    return Filtered(name, label, sql, column(name), read)


register(
    (
        _own("key", "Account or other key"),
        _own("control_id", "Control id"),
        _own("correlation_id", "Correlation id", as_id),
    )
)


def find(
    name: str, value: str, *, by: Actor, before: UUID = LAST, size: int = PAGE, budget_s: float = BUDGET_S
) -> Found:
    """A page of message ids for a business key, the newest first, of the actor's facilities, in about `budget_s`.

    Raises `Refused` FIND_KEY where nobody finds by that name, or the value cannot be one.
    """
    access.require(by, "hub.view_message")
    finder = finders.get(name)
    if finder is None:
        raise Refused("FIND_KEY", f"Nothing is found by {name[:40]!r}; known: {', '.join(sorted(finders))}.")
    try:
        wanted = finder.read(value.strip())
    except ValueError as error:
        raise Refused("FIND_KEY", f"{finder.label}: give {error}.") from error
    if isinstance(finder, Filtered):
        probe = _Rows(finder, wanted, finder.tokens(str(wanted)))
        return walk(probe, since=indexing.NOTHING, before=before, by=by, size=size, budget_s=budget_s)
    return _by_index(finder, wanted, by, before, size)


def _by_index(finder: Indexed, wanted: Any, by: Actor, before: UUID, size: int) -> Found:
    """Other facilities' messages may share a key, so more are asked for until a page is full."""
    doors, found = visible(by), list[UUID]()
    while True:
        rows = bulk.fetch(finder.sql, {"value": wanted, "before": before, "limit": size})
        found += _mine([id_ for (id_,) in rows], doors)
        if len(found) >= size:
            return Found(found[:size], found[size - 1], 0.0)
        if len(rows) < size:
            return Found(found, None, 0.0)
        before = rows[-1][0]


def _mine(ids: list[UUID], doors: list[int] | None) -> list[UUID]:
    """Those of the actor's facilities, the newest first."""
    if doors is not None and ids:
        ids = [id_ for (id_,) in bulk.fetch(MINE, [bulk.uuids(ids), doors])]
    return sorted(ids, reverse=True)


def anything(term: str, *, by: Actor, size: int = 500, budget_s: float = 1.0) -> list[UUID]:
    """The newest messages that any finder has for what somebody typed: the cheap ones first, the others if in vain."""
    found: set[UUID] = set()
    ranked = sorted(finders.values(), key=lambda finder: (isinstance(finder, Filtered), finder.name != "key"))
    for finder in ranked:
        if found and finder.name != "key" and isinstance(finder, Filtered):
            break
        try:
            found.update(find(finder.name, term, by=by, size=size, budget_s=budget_s).ids)
        except Refused:  # it cannot be a key of this kind
            continue
    return sorted(found, reverse=True)


@dataclass(frozen=True, slots=True)
class _Rows:
    """A filtered finder's value as a probe."""

    finder: Filtered
    value: Any
    tokens: Sequence[str]

    def look(self, low: UUID, before: UUID, doors: list[int] | None) -> tuple[list[UUID], UUID | None]:
        chunk = bulk.fetch(CHUNK, [low, before, AT_ONCE - 1])
        start = chunk[0][0] if chunk else low
        rows = bulk.fetch(self.finder.sql, {"value": self.value, "low": start, "before": before})
        return _mine([id_ for (id_,) in rows], doors), start if chunk else None
