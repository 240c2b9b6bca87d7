"""Pages of long lists without ever counting them: by key where the order is the id, by offset where a person sorts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models

PAGE_SIZE = 50
# A person does not turn page 100; a machine that walks offsets would make the database count for it.
LAST_PAGE = 100


@dataclass(frozen=True, slots=True)
class Slice:
    """One page: its rows, and the query parameters that lead to the neighbours ("" where there is none)."""

    rows: Sequence[Any]
    newer: str = ""
    older: str = ""


def by_key(
    queryset: models.QuerySet[Any], *, newer_than: str = "", older_than: str = "", size: int = PAGE_SIZE
) -> Slice:
    """The newest rows by primary key, or those just beyond a key. Reads size + 1 rows through the primary key."""
    forward = _key(queryset, newer_than)
    backward = _key(queryset, older_than)
    if forward is not None:
        found = list(queryset.filter(pk__gt=forward).order_by("pk")[: size + 1])
        more_newer, rows = len(found) > size, found[:size][::-1]
        if not rows:
            return by_key(queryset, size=size)
        return Slice(rows, f"newer={rows[0].pk}" if more_newer else "", f"older={rows[-1].pk}")
    if backward is not None:
        queryset = queryset.filter(pk__lt=backward)
    found = list(queryset.order_by("-pk")[: size + 1])
    rows = found[:size]
    older = f"older={rows[-1].pk}" if len(found) > size else ""
    newer = f"newer={rows[0].pk}" if rows and backward is not None else ""
    return Slice(rows, newer, older)


def by_offset(queryset: models.QuerySet[Any], *, page: str = "", size: int = PAGE_SIZE) -> Slice:
    """Page `page` (from 1) of a queryset in its own order, for tables that people keep small."""
    number = min(int(page), LAST_PAGE) if page.isascii() and page.isdigit() and len(page) < 6 and int(page) > 0 else 1
    start = (number - 1) * size
    found = list(queryset[start : start + size + 1])
    older = f"page={number + 1}" if len(found) > size and number < LAST_PAGE else ""
    return Slice(found[:size], f"page={number - 1}" if number > 1 else "", older)


def _key(queryset: models.QuerySet[Any], text: str) -> Any:
    """The key that a parameter names, or None: a damaged link leads to the first page, not to an error."""
    if not text:
        return None
    try:
        return queryset.model._meta.pk.to_python(text)
    except ValidationError:
        return None
