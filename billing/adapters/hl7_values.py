"""Numbers, currencies, days and drug codes as HL7 v2 writes them. What does not fit is refused, never rounded."""

import re
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Final

from hub.errors import ParseError

# NM (ch. 2A.3.39), and what senders make of it: no leading or no trailing digit around the point. No exponent, no
# grouping comma, no NaN: a sender who writes those may mean something else by the point, too.
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?([0-9]*)|\.([0-9]+))")
_CURRENCY = re.compile(r"[A-Z]{3}")
# DTM (ch. 2A.3.22) down to the month, or the dates of ISO 8601; the time of day only has to look like one.
_MOMENT = re.compile(
    r"(?P<year>[0-9]{4})(?:(?P<dash>-?)(?P<month>[0-9]{2})(?:(?P=dash)(?P<day>[0-9]{2})"
    r"(?:[T ]?[0-9]{2}(?::?[0-9]{2}(?::?[0-9]{2}(?:\.[0-9]{1,9})?)?)?)?)?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_LONGEST_NUMBER: Final = 40  # characters; keeps a hostile number from costing time
# The ten-digit forms of an NDC, by the digits of labeler, product and package: where the eleventh, a zero, goes.
_NDC_FORMS: Final = {(4, 4, 2), (5, 3, 2), (5, 4, 1), (5, 4, 2)}


@lru_cache(maxsize=8192)  # quantities, and prices out of a charge master
def number(text: str, digits: int, places: int) -> Decimal:
    """A decimal of at most `digits` before the point and `places` after it; `ParseError` CHG_NUMBER or CHG_TOO_LONG.

    The error names no place: whoever knows it adds it (`Line.wrong`).
    """
    match = _NUMBER.fullmatch(text) if len(text) <= _LONGEST_NUMBER else None
    if match is None:
        raise ParseError("CHG_NUMBER", "this is not a number; send digits and a point, for example 12.50")
    fraction = match[1] or match[2]
    if fraction and len(fraction) > places:
        exact = fraction.rstrip("0")
        if len(exact) > places:
            problem = f"the number has more than {places} decimals, and rounding it is not ours to decide; round it"
            raise ParseError("CHG_TOO_LONG", f"{problem} at its source")
        text = text[: len(text) - (len(fraction) - len(exact))]
    value = Decimal(text)
    if value.adjusted() >= digits:
        problem = f"the number has more than {digits} digits before the point; correct it at its source"
        raise ParseError("CHG_TOO_LONG", problem)
    return value or value.copy_abs()  # a minus before a zero says nothing


def currency_code(text: str) -> str:
    """An ISO 4217 code in capitals; `ParseError` CHG_CURRENCY when it is none."""
    code = text.upper()
    if _CURRENCY.fullmatch(code) is None:
        raise ParseError("CHG_CURRENCY", "this is not a currency; send its ISO 4217 code, such as USD")
    return code


@lru_cache(maxsize=4096)
def day(text: str) -> date | None:
    """The day of a timestamp as its sender wrote it, in the sender's own time zone; None when it names no day.

    Months and years, dates that no calendar has and anything else are None; nothing is raised.
    """
    match = _MOMENT.fullmatch(text)
    if match is None or match["day"] is None:
        return None
    try:
        return date(int(match["year"]), int(match["month"]), int(match["day"]))
    except ValueError:
        return None


def span(text: str) -> str:
    """The digits of a year or month, `2024` or `202402`, that a timestamp stops at; "" when it names no such thing."""
    match = _MOMENT.fullmatch(text)
    if match is None or match["day"] is not None:
        return ""
    month = match["month"] or ""
    return match["year"] + month if month <= "12" and month != "00" else ""


def ndc(text: str) -> str:
    """A national drug code as 11 digits (5-4-2 without dashes), "" when that cannot be told, as from ten digits."""
    if len(text) == 11 and text.isascii() and text.isdigit():
        return text
    parts = text.split("-")
    if not all(part.isascii() and part.isdigit() for part in parts) or tuple(map(len, parts)) not in _NDC_FORMS:
        return ""
    labeler, product, package = parts
    return labeler.zfill(5) + product.zfill(4) + package.zfill(2)
