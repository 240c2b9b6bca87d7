"""Is this code valid on this date? The one answer that every domain, the API and outside systems get."""

from collections.abc import Callable
from typing import Any

from django.db import models

from mappings.canonical import DimensionQuestion, DimensionVerdict
from mappings.models import CostCenter, Department, Facility, GLAccount, Item, ServiceLine

Rows = models.QuerySet[Any]
# kind -> its rows, limited to a facility where one is named and the kind knows facilities
_KINDS: dict[str, Callable[[str], Rows]] = {
    "cost_center": lambda home: _of(CostCenter.objects.all(), facility=home),
    "gl_account": lambda _home: GLAccount.objects.all(),
    "department": lambda home: _of(Department.objects.select_related("facility"), facility__code=home),
    "item": lambda _home: Item.objects.all(),
    "facility": lambda _home: Facility.objects.all(),
    "service_line": lambda _home: ServiceLine.objects.all(),
}
_WHY = {
    "inactive": "is inactive. Activate it in the ERP, or use another one.",
    "not_yet_valid": "is valid from {valid_from} on.",
    "expired": "was valid until {valid_to}.",
    "not_postable": "is a group: use one of those below it.",
}


def answer(question: DimensionQuestion) -> DimensionVerdict:
    """Whether the code may be used on that day, and if not, why. One query."""
    noun = question.kind.replace("_", " ")
    rows_of = _KINDS.get(question.kind)
    if rows_of is None:
        known = ", ".join(_KINDS)
        return _no(question, "unknown", f"There is no kind of dimension {question.kind!r}; ask for one of {known}.")
    rows = list(rows_of(question.facility).filter(code=question.code)[:2])
    place = f" at {question.facility}" if question.facility else ""
    if not rows:
        return _no(question, "unknown", f"There is no {noun} {question.code!r}{place}.")
    if len(rows) > 1:
        return _no(question, "unknown", f"Several facilities have a {noun} {question.code}: name the facility.")
    row = rows[0]
    reason = row.reason_against(question.on)
    if not reason and not getattr(row, "postable", True):
        reason = "not_postable"
    if not reason:
        return DimensionVerdict(valid=True, code=row.code, name=row.name)
    text = _WHY[reason].format(valid_from=row.valid_from, valid_to=row.valid_to)
    return _no(question, reason, f"On {question.on} {noun} {row.code} {text}", row.name)


def _of(rows: Rows, **facility: str) -> Rows:
    return rows.filter(**facility) if all(facility.values()) else rows


def _no(question: DimensionQuestion, reason: str, text: str, name: str = "") -> DimensionVerdict:
    return DimensionVerdict(valid=False, code=question.code, name=name, reason=reason, text=text)
