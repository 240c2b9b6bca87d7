"""What a mapping may point to: a record of the master data of its domain that can be used."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import models
from django.utils import timezone

from hub.errors import Refused
from mappings import crosswalk
from mappings.models import (
    ChargeCode,
    Department,
    Facility,
    Item,
    Location,
    Mapping,
    PayerClass,
    ServiceLine,
    Vendor,
)

MASTERS: dict[str, Any] = {
    "facility": Facility,
    "department": Department,
    "location": Location,
    "charge_code": ChargeCode,
    "service_line": ServiceLine,
    "payer_class": PayerClass,
    "item": Item,
    "vendor": Vendor,
}
# Units are no master data: X12 data element 355, as far as supplies come in them.
UNITS = {
    "EA": "Each", "BX": "Box", "CA": "Case", "PK": "Pack", "CT": "Carton", "DZ": "Dozen", "PR": "Pair", "RL": "Roll",
    "KT": "Kit", "BT": "Bottle", "BG": "Bag", "ST": "Set", "TR": "Tray", "VI": "Vial", "TB": "Tube", "CN": "Can",
    "GA": "Gallon", "LT": "Litre", "ML": "Millilitre", "GR": "Gram", "KG": "Kilogram", "FT": "Foot", "MR": "Metre",
}  # fmt: skip
WHY = {"inactive": "is inactive", "not_yet_valid": "is not valid yet", "expired": "is no longer valid"}


@dataclass(frozen=True, slots=True)
class Target:
    """One code of ours that a mapping may point to."""

    code: str
    name: str
    facility: str = ""
    revenue_code: str = ""


def candidates(domain: str, facility: str = "", *, code: str = "") -> models.QuerySet[Any]:
    """Master records of a domain, of one of our facilities where one is named; of one code where one is named."""
    rows: models.QuerySet[Any] = MASTERS[domain].objects.all()
    if code:
        rows = rows.filter(code=code)
    if facility and domain in {"department", "location"}:
        rows = rows.filter(facility__code=facility)
    elif facility and domain == "charge_code":
        rows = rows.filter(facility__in=["", facility])
    return rows


def our_facility(partner: str, facility: str, on: date) -> str:
    """Our code of the partner's facility, "" where there is none yet."""
    (meant,) = crosswalk.translate([crosswalk.CodeRequest(partner, "facility", facility, on)]) if facility else ("",)
    return meant.code if isinstance(meant, crosswalk.Meaning) else ""


def find_target(mapping: Mapping) -> Target:
    """The record that the mapping points to. Refused (MAP_TARGET) where there is none, or none that can be used.

    It has to be usable today or on the mapping's first or last day: a mapping may be entered for the past.
    """
    noun = mapping.get_domain_display().lower()
    if mapping.domain == "uom":
        if mapping.target_code not in UNITS:
            raise Refused(
                "MAP_TARGET", f"{mapping.target_code!r} is no unit of measure; use one of {', '.join(UNITS)}."
            )
        return Target(mapping.target_code, UNITS[mapping.target_code])
    home = our_facility(mapping.partner.code, mapping.facility, timezone.localdate())
    rows = list(candidates(mapping.domain, home, code=mapping.target_code))
    place = f" at {home}" if home else ""
    if not rows:
        raise Refused("MAP_TARGET", f"There is no {noun} {mapping.target_code!r}{place}. Choose one that exists.")
    today = timezone.localdate()
    days = [today, mapping.valid_from, *([mapping.valid_to] if mapping.valid_to else [])]
    for row in rows:
        if any(not row.reason_against(day) for day in days):
            return Target(row.code, row.name, _home(row), getattr(row, "revenue_code", ""))
    raise Refused(
        "MAP_TARGET",
        f"{noun.capitalize()} {mapping.target_code}{place} {WHY[rows[0].reason_against(today)]}. Choose one in use.",
    )


def _home(row: Any) -> str:
    home = getattr(row, "facility", "")
    return home if isinstance(home, str) else str(home.code)
