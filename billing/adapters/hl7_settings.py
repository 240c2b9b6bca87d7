"""What an endpoint's configuration may say about charges and visits: tables of words, checked before they are used."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from billing.adapters.hl7_values import currency_code
from hub.errors import ParseError, Permanent
from hub.formats import hl7

ITEM_FIELDS: Final = ("item", "lot", "serial", "udi")
_CHOICES: Final = {
    "facility_from": ("msh", "location"),
    "negative_charge": ("hold", "credit"),
    "merge_by": ("account", "patient"),
}


@dataclass(frozen=True, slots=True)
class ChargeSettings:
    """What is set for charges, read and checked."""

    facility_from: str  # "msh": MSH-4, which the endpoint is bound to; "location": FT1-16.4, PV1-3.4, MSH-4
    negative_charge: str  # "hold": a person decides; "credit": this sender means a credit
    currency: str  # of amounts that name none
    paths: tuple[tuple[str, hl7.Path], ...]  # where this sender puts item, lot, serial and UDI


@dataclass(frozen=True, slots=True)
class VisitSettings:
    """What is set for visits, read and checked."""

    facility_from: str
    merge_by: str  # "patient" where this sender's accounts are the identifiers in PID-3


def read_settings(settings: Mapping[str, Any]) -> ChargeSettings:
    """`facility_from`, `negative_charge`, `currency` and `paths`; `Permanent` IF_SETTINGS names the one that is bad."""
    return ChargeSettings(
        _choice(settings, "facility_from"),
        _choice(settings, "negative_charge"),
        _currency(settings),
        _paths(settings["paths"]) if settings.get("paths") else (),
    )


def read_visit_settings(settings: Mapping[str, Any]) -> VisitSettings:
    """`facility_from` and `merge_by`; `Permanent` IF_SETTINGS names the one that is bad."""
    return VisitSettings(_choice(settings, "facility_from"), _choice(settings, "merge_by"))


def _choice(settings: Mapping[str, Any], name: str) -> str:
    allowed = _CHOICES[name]
    value = settings.get(name, allowed[0])
    if value not in allowed:
        raise _bad(name, f"is one of {', '.join(allowed)}")
    return str(value)


def _currency(settings: Mapping[str, Any]) -> str:
    value = settings.get("currency", "USD")
    try:
        return currency_code(str(value))
    except ParseError:
        raise _bad("currency", "is an ISO 4217 code, such as USD") from None


def _paths(paths: Any) -> tuple[tuple[str, hl7.Path], ...]:
    if not isinstance(paths, Mapping):
        raise _bad("paths", 'is a table such as {"lot": "ZSU-4"}')
    found = []
    for name, text in paths.items():
        if name not in ITEM_FIELDS:
            raise _bad("paths", f"knows {', '.join(ITEM_FIELDS)} and nothing else")
        try:
            found.append((name, hl7.path(text)))
        except Permanent as error:
            raise _bad(f"paths.{name}", f"cannot be used: {error.text}") from None
    return tuple(found)


def _bad(name: str, rule: str) -> Permanent:
    text = f"The endpoint's setting {name} {rule}. Correct it on the endpoint, then retry."
    return Permanent("IF_SETTINGS", text, where=f"settings.{name}")
