"""The kinds of master data as tables: which fields each has, how they are read, what they refer to."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import available_timezones

from django.db import models

from mappings.models import (
    ChargeCode,
    CostCenter,
    Department,
    Facility,
    GLAccount,
    Item,
    Location,
    PayerClass,
    Period,
    ServiceLine,
    Vendor,
)

Reader = Callable[[Any], Any]  # raises ValueError with a sentence that goes on after the field's name


@dataclass(frozen=True, slots=True)
class Reference:
    """A field that names another master record by its code."""

    kind: str
    required: bool = False
    within_facility: bool = False  # the code is only one within the record's own facility


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of master data. `key` fields make a record one; a field that a record leaves out stays as it is."""

    model: type[models.Model]
    key: tuple[str, ...]
    fields: Mapping[str, Reader]
    references: Mapping[str, Reference] = field(default_factory=dict)
    required: tuple[str, ...] = ("name",)


def text(limit: int, *, empty: bool = True) -> Reader:
    """Text of at most so many characters; None is empty."""

    def read(value: Any) -> str:
        found = "" if value is None else str(value).strip()
        if not found and not empty:
            raise ValueError("is empty")
        if len(found) > limit:
            raise ValueError(f"is longer than {limit} characters")
        if any(ord(character) < 32 for character in found):
            raise ValueError("holds a control character")
        return found

    return read


def day(value: Any) -> date:
    """A date, or its ISO form."""
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f"is {value!r}; write a date as 2026-11-22") from None


def flag(value: Any) -> bool:
    """True or false, as JSON or as people write it."""
    if isinstance(value, bool):
        return value
    found = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(str(value).lower())
    if found is None:
        raise ValueError(f"is {value!r}; use true or false")
    return found


def amount(digits: int, places: int, *, most: str | None = None) -> Reader:
    """A decimal that is not negative and fits the column, or None. Never by way of a float."""

    def read(value: Any) -> Decimal | None:
        if value is None or value == "":
            return None
        if isinstance(value, float):
            raise ValueError("is a binary float; send it as text, so that no cent is lost")
        try:
            found = Decimal(str(value))
        except InvalidOperation:
            raise ValueError(f"is {value!r}; write a number as 12.5000") from None
        if not found.is_finite() or found < 0:
            raise ValueError(f"is {value!r}; it has to be zero or more")
        if found != round(found, places) or found >= Decimal(10) ** (digits - places):
            raise ValueError(f"is {value!r}; it takes {digits - places} digits before and {places} after the point")
        if most is not None and found > Decimal(most):
            raise ValueError(f"is {value!r}; it is at most {most}")
        return round(found, places)

    return read


def one_of(*choices: str) -> Reader:
    """One of a few words."""

    def read(value: Any) -> str:
        if value not in choices:
            raise ValueError(f"is {value!r}; it is one of {', '.join(choices)}")
        return str(value)

    return read


def _last_day(value: Any) -> date | None:
    return None if value in {None, ""} else day(value)


def _first_day(value: Any) -> date:
    return date(2000, 1, 1) if value in {None, ""} else day(value)


def _zone(value: Any) -> str:
    if value not in available_timezones():
        raise ValueError(f"is {value!r}; use a name of the IANA time zone database, e.g. America/Chicago")
    return str(value)


def _currency(value: Any) -> str:
    if not (isinstance(value, str) and len(value) == 3 and value.isascii() and value.isupper()):
        raise ValueError(f"is {value!r}; use an ISO 4217 code, e.g. USD")
    return value


_CODE = text(40, empty=False)
_HOME = text(20, empty=False)
_MONEY = amount(19, 4)
_COMMON: dict[str, Reader] = {
    "code": _CODE,
    "name": text(200, empty=False),
    "active": flag,
    "valid_from": _first_day,
    "valid_to": _last_day,
}
_ACCOUNT = Reference("gl_account")
_SERVICE_LINE = Reference("service_line")
# In the order in which they refer to each other: who loads all of them goes from top to bottom.
KINDS: dict[str, Kind] = {
    "gl_account": Kind(
        GLAccount,
        ("code",),
        _COMMON | {"kind": one_of("asset", "liability", "revenue", "expense", "statistical"), "postable": flag},
        required=("name", "kind"),
    ),
    "service_line": Kind(ServiceLine, ("code",), _COMMON),
    "facility": Kind(
        Facility,
        ("code",),
        _COMMON | {"code": _HOME, "time_zone": _zone, "currency": _currency},
        {"clearing_account": _ACCOUNT},
    ),
    "cost_center": Kind(
        CostCenter,
        ("code",),
        _COMMON | {"facility": _HOME, "postable": flag},
        {"parent": Reference("cost_center")},
        required=("name", "facility"),
    ),
    "department": Kind(
        Department,
        ("facility", "code"),
        _COMMON | {"cost_ratio": amount(7, 4)},
        {
            "facility": Reference("facility", required=True),
            "cost_center": Reference("cost_center", required=True),
            "service_line": _SERVICE_LINE,
            "expense_account": _ACCOUNT,
        },
        required=("name", "cost_center"),
    ),
    "location": Kind(
        Location,
        ("facility", "code"),
        _COMMON,
        {
            "facility": Reference("facility", required=True),
            "department": Reference("department", within_facility=True),
        },
    ),
    "period": Kind(
        Period,
        ("facility", "code"),
        {
            "code": text(10, empty=False),
            "facility": _HOME,
            "starts": day,
            "ends": day,
            "status": one_of("future", "open", "closed"),
        },
        required=("facility", "starts", "ends", "status"),
    ),
    "charge_code": Kind(
        ChargeCode,
        ("facility", "code", "valid_from"),
        _COMMON
        | {
            "facility": text(20),
            "revenue_code": text(4),
            "hcpcs": text(5),
            "price": _MONEY,
            "unit_cost": _MONEY,
            "quantity_max": amount(12, 4),
        },
        {"expense_account": _ACCOUNT, "service_line": _SERVICE_LINE},
    ),
    "vendor": Kind(Vendor, ("code",), _COMMON | {"on_hold": flag}),
    "item": Kind(
        Item,
        ("code",),
        _COMMON | {"uom": text(3, empty=False), "standard_cost": _MONEY, "chargeable": flag},
        {"vendor": Reference("vendor")},
    ),
    "payer_class": Kind(PayerClass, ("code",), _COMMON),
}
# A key field that a record leaves out.
KEY_DEFAULTS: dict[str, Any] = {"facility": "", "valid_from": date(2000, 1, 1)}
