"""Quantity and money of one FT1 under the sign rules (FT1-10, 11, 12 and 22).

Signs follow the effect: whatever signs a sender puts on a credit, its quantity and amount are negative here and its
unit amount is not. A charge with a minus is flagged, and is a credit only where the endpoint says so.
"""

from decimal import Decimal
from functools import lru_cache
from typing import Final, NamedTuple

from billing.adapters.hl7_line import Line, component
from billing.adapters.hl7_settings import ChargeSettings
from billing.adapters.hl7_values import currency_code, number
from billing.adapters.notes import Notes
from hub.errors import ParseError
from hub.formats import hl7

CENT: Final = Decimal("0.01")
LARGEST: Final = Decimal(10) ** 15  # what an amount's column keeps
ONE: Final = Decimal(1)
MONEY_PLACES: Final = 4
UNIT_PLACES: Final = 8  # a unit amount is not stored; prices of single tablets have more than four decimals


class Sums(NamedTuple):
    """Quantity and amounts with the signs of their effect."""

    kind: str
    quantity: Decimal
    unit_amount: Decimal | None
    amount: Decimal | None
    unit_cost: Decimal | None
    currency: str
    flags: tuple[str, ...]


def read_sums(line: Line, kind: str, options: ChargeSettings, notes: Notes) -> Sums:
    """The line's numbers; `kind` is what FT1-6 says. Flags: sign_ambiguous, negative_charge, extension_differs."""
    quantity = _quantity(line)
    amount, currency = read_money(line, 11, MONEY_PLACES)
    unit, unit_currency = read_money(line, 12, UNIT_PLACES)
    currency = _one_currency(currency, unit_currency, line, 12)
    minus_money = (amount is not None and amount < 0) or (unit is not None and unit < 0)
    flags: tuple[str, ...] = ()
    minus = True
    if kind == "credit":
        if minus_money and quantity < 0:
            flags = ("sign_ambiguous",)
    elif minus_money or quantity < 0:
        flags = ("negative_charge",)
        kind = "credit" if options.negative_charge == "credit" else kind
    else:
        minus = False
    quantity, unit, amount = quantity.copy_abs(), unit and unit.copy_abs(), amount and amount.copy_abs()
    if _extension_differs(quantity, unit, amount, line):
        flags += ("extension_differs",)
    if unit is None and amount is None:
        notes.add("no amount in FT1-11 or FT1-12", line.at)
    cost, cost_currency = _unit_cost(line, notes)
    currency = _one_currency(currency, cost_currency, line, 22)
    if minus:
        quantity, amount = _negated(quantity), amount and _negated(amount)
    return Sums(kind, quantity, unit, amount, cost, currency or options.currency, flags)


def read_money(line: Line, field: int, places: int) -> tuple[Decimal | None, str]:
    """An amount, None where it is empty, and its ISO 4217 currency, "" where the sender names none.

    Reads NM (`100`), CP (`100&USD^UP`) and MO (`100^USD`).
    """
    raw = line.fields[field]
    if not raw:
        return None, ""
    try:
        return _money(raw, line.separators, places)
    except ParseError as error:
        raise line.wrong(error, field) from None


@lru_cache(maxsize=8192)  # prices out of a charge master
def _money(raw: str, separators: hl7.Separators, places: int) -> tuple[Decimal | None, str]:
    text = component(raw, separators, 1, 1)
    if not text:
        return None, ""
    value = number(text, 15, places)
    if raw == text:
        return value, ""
    # CP-2 is a price type of two letters (table 0205), MO-2 a currency of three.
    stated, second = component(raw, separators, 1, 2), component(raw, separators, 2, 1)
    if not stated and len(second) != 3:
        return value, ""
    return value, currency_code(stated or second)


def _quantity(line: Line) -> Decimal:
    text = line.firsts[10]
    if not text:
        return ONE
    try:
        return number(text, 8, 4)
    except ParseError as error:
        raise line.wrong(error, 10) from None


def _extension_differs(quantity: Decimal, unit: Decimal | None, amount: Decimal | None, line: Line) -> bool:
    """True when quantity times unit amount is not the extended amount; refuses a product that no column keeps."""
    if unit is None:
        return False
    product = unit * quantity
    if amount is not None:
        return abs(product - amount) > CENT
    if product >= LARGEST:
        problem = "quantity times unit amount has more than 15 digits before the point; correct it at its source"
        raise ParseError("CHG_TOO_LONG", problem, where=line.where(12))
    return False


def _unit_cost(line: Line, notes: Notes) -> tuple[Decimal | None, str]:
    """FT1-22 and its currency; what one unit costs has no sign."""
    cost, currency = read_money(line, 22, MONEY_PLACES)
    if cost is not None and cost < 0:
        notes.add("unit cost in FT1-22 was negative, its sign is dropped", line.at)
        cost = cost.copy_abs()
    return cost, currency


def _negated(value: Decimal) -> Decimal:
    """Its opposite; zero stays a plain zero."""
    return value.copy_negate() if value else value


def _one_currency(first: str, second: str, line: Line, field: int) -> str:
    if first and second and first != second:
        problem = "the line names two currencies; send all its amounts in one"
        raise ParseError("CHG_CURRENCY", problem, where=line.where(field))
    return first or second
