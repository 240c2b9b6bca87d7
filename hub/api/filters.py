"""Declared filters, and the refusal of every parameter that is not declared."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.dateparse import parse_datetime
from django_filters.rest_framework import FilterSet
from rest_framework import exceptions
from rest_framework.request import Request

from hub import ids

Rows = QuerySet[Any]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def refuse_unknown(request: Request, known: Iterable[str]) -> None:
    """Raise 400 where the query names a parameter twice or one that does nothing here: a typo must not widen a list."""
    allowed = sorted(known)
    told = f"known here: {', '.join(allowed)}." if allowed else "none is known here."
    given = dict(request.query_params.lists())
    wrong = {name[:60]: [f"This parameter is not known; {told}"] for name in given if name not in allowed}
    wrong |= {
        name: ["Give this parameter once."] for name, values in given.items() if name in allowed and len(values) > 1
    }
    if wrong:
        raise exceptions.ValidationError(wrong)


class MomentField(forms.Field):
    """ISO 8601 with an offset: a time without one means a different hour to each reader."""

    def clean(self, value: Any) -> datetime | None:
        """An aware moment, or None where nothing was given."""
        if not value:
            return None
        try:
            moment = parse_datetime(str(value))
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            raise ValidationError("Write it as 2026-11-22T08:00:00Z: with Z, or an offset encoded for URLs.", "invalid")
        return moment


class MomentFilter(django_filters.Filter):
    """A moment, compared with the id: ids are made in the order of time, so the primary key serves it."""

    field_class = MomentField


def id_at(moment: datetime) -> UUID:
    """The smallest id that a row made at that moment could have."""
    return ids.floor(max(moment, EPOCH))


class ByTime(FilterSet):
    """`since` (inclusive) and `until` (exclusive), for tables with time-ordered ids."""

    since = MomentFilter(method="since_moment", label="Made at this moment or later, e.g. 2026-11-22T08:00:00Z.")
    until = MomentFilter(method="until_moment", label="Made before this moment.")

    def since_moment(self, queryset: Rows, name: str, value: datetime) -> Rows:
        """Made at `value` or later."""
        return queryset.filter(id__gte=id_at(value))

    def until_moment(self, queryset: Rows, name: str, value: datetime) -> Rows:
        """Made before `value`."""
        return queryset.filter(id__lt=id_at(value))


def choice(choices: Any, **kwargs: Any) -> django_filters.ChoiceFilter:
    """One of a model's words; another one is refused, not matched with nothing."""
    return django_filters.ChoiceFilter(choices=list(choices.items()), **kwargs)


def text(**kwargs: Any) -> django_filters.CharFilter:
    """The exact value. An empty one is refused nowhere and means "not given"."""
    return django_filters.CharFilter(max_length=200, **kwargs)


def uuid(**kwargs: Any) -> django_filters.UUIDFilter:
    """An id."""
    return django_filters.UUIDFilter(**kwargs)


def day(**kwargs: Any) -> django_filters.DateFilter:
    """A calendar day, written 2026-11-22 and in no other way."""
    return django_filters.DateFilter(input_formats=["%Y-%m-%d"], **kwargs)
