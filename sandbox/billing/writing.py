"""HL7 v2 as this billing platform writes it: escapes, amounts, and segments by field number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_ESCAPES = str.maketrans({"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\"})


@dataclass(frozen=True, slots=True)
class Style:
    """How one hospital's interface writes: each was set up by other people in another year."""

    version: str = "2.5.1"
    structure: bool = True  # MSH-9 has its third component
    offset: bool = False  # time-stamps carry their offset from UTC
    seconds: bool = True
    enhanced: bool = False  # MSH-15/16 ask for an accept acknowledgement only


STYLES = {
    "NORTH": Style(),
    "RIVER": Style(version="2.6", offset=True, enhanced=True),
    "LAKE": Style(version="2.3", structure=False, seconds=False),
}


class Clock:
    """Writes instants as a hospital's interface does: in its own time zone."""

    def __init__(self, style: Style, timezone: str) -> None:
        self._style = style
        self._zone, self._offset = _zone(timezone, style.offset)

    def stamp(self, moment: datetime) -> str:
        """Write a time-stamp (HL7 TS)."""
        local = moment.astimezone(self._zone)
        shown = local.strftime("%Y%m%d%H%M%S" if self._style.seconds else "%Y%m%d%H%M")
        return shown + (local.strftime("%z") if self._offset else "")

    def day(self, moment: datetime) -> str:
        """Write a date."""
        return moment.astimezone(self._zone).strftime("%Y%m%d")


def escape(text: str) -> str:
    """Escape what would separate."""
    return text.translate(_ESCAPES)


def money(amount: Decimal) -> str:
    """Write an amount as HL7 CP."""
    return f"{amount}&USD"


def segment(name: str, fields: Mapping[int, str]) -> str:
    """Write a segment from its fields by number; empty ones at the end are left out."""
    last = max((number for number, text in fields.items() if text), default=0)
    return "|".join([name, *(fields.get(number, "") for number in range(1, last + 1))])


def _zone(timezone: str, offset: bool) -> tuple[tzinfo, bool]:
    """Return the hospital's zone; on a machine without time zone data UTC, and then always with the offset."""
    try:
        return ZoneInfo(timezone), offset
    except ZoneInfoNotFoundError:
        return UTC, True
