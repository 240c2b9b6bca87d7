"""What a list shows: columns and filters as values. A table of them is the whole definition of a changelist."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import models
from django.utils.html import format_html
from django.utils.safestring import SafeString

from hub import shapes
from hub.viewer import Viewer

Value = str | Callable[[Any], Any]
WINDOWS = {"1h": "Last hour", "24h": "Last 24 hours", "7d": "7 days", "30d": "30 days", "all": "All time"}
SPANS = {"1h": timedelta(hours=1), "24h": timedelta(hours=24), "7d": timedelta(days=7), "30d": timedelta(days=30)}


@dataclass(frozen=True, slots=True)
class Column:
    """One column: `value` is a field's name or a function of the row; `kind` decides how it looks."""

    label: str
    value: Value
    kind: str = "text"  # text | code | short | num | money | time | ago | status


@dataclass(frozen=True, slots=True)
class Filter:
    """A row of chips. `timeless` names values that a partial index serves: they need no window of time."""

    param: str
    label: str
    options: Mapping[str, str] | Callable[[Viewer], Mapping[str, str]]
    apply: Callable[[Any, str], models.QuerySet[Any]]
    default: str = ""
    timeless: frozenset[str] = frozenset()
    everything: str = "All"  # what the chip without a value says

    def choices(self, who: Viewer) -> Mapping[str, str]:
        """The values that may be chosen, with their labels."""
        return self.options(who) if callable(self.options) else self.options


def by_field(name: str) -> Callable[[Any, str], models.QuerySet[Any]]:
    """A filter on equality with one field, named by us and never by the request."""

    def apply(queryset: Any, value: str) -> models.QuerySet[Any]:
        return queryset.filter(**{name: value})

    return apply


def read(row: Any, value: Value) -> Any:
    """A column's value of one row."""
    return value(row) if callable(value) else getattr(row, value)


def _money(row: Any, value: Value) -> SafeString:
    return shapes.money(read(row, value), getattr(row, "currency", "USD"))


def _status(row: Any, value: Value) -> SafeString:
    status = read(row, value)
    if isinstance(status, SafeString):
        return status
    return shapes.pill(status, dict(getattr(type(row), "STATUSES", {})).get(status, ""))


def _text(row: Any, value: Value) -> Any:
    found = read(row, value)
    return shapes.NOTHING if found is None or found == "" else found


LOOKS: dict[str, Callable[[Any, Value], Any]] = {
    "text": _text,
    "short": _text,
    "num": _text,
    "code": lambda row, value: shapes.code(read(row, value)),
    "money": _money,
    "time": lambda row, value: shapes.stamp(read(row, value)),
    "ago": lambda row, value: shapes.ago(read(row, value)),
    "status": _status,
}
CLASSES = {"money": "num", "ago": "time", "code": "text"}


def cell(row: Any, column: Column, url: str = "") -> dict[str, Any]:
    """One cell as the template writes it; the first of a row carries the link."""
    look = LOOKS[column.kind](row, column.value)
    shown = format_html('<a class="row" href="{}">{}</a>', url, look) if url else look
    blank = " blank" if look is shapes.NOTHING else ""
    return {"label": column.label, "kind": CLASSES.get(column.kind, column.kind) + blank, "html": shown}
