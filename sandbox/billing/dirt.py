"""Dirt: what real interfaces do to a message that the standard does not foresee. Each kind is a function in a table."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from sandbox.billing.lines import Line
from sandbox.billing.writing import money

# Dirt in a line: the line as it is written is not the line as it should be.


def _no_amount(line: Line, _chance: random.Random) -> Line:
    return replace(line, odd=((11, ""),))


def _negative_quantity(line: Line, _chance: random.Random) -> Line:
    """A charge with a negative quantity: what older systems send instead of a credit."""
    return replace(line, quantity=-abs(line.quantity))


def _wrong_total(line: Line, chance: random.Random) -> Line:
    wrong = line.extended + Decimal(chance.randint(2, 5000)).scaleb(-2)
    return replace(line, odd=((11, money(wrong)),))


def _odd_escapes(line: Line, chance: random.Random) -> Line:
    odd = chance.choice(("\\X41\\ kit", "line 1\\.br\\line 2", "\\H\\NEW\\N\\ item", "size \\Zx\\ 6", "5 \\ 6", "50\\"))
    return replace(line, odd=((7, f"{line.code['code']}^{odd}^CDM"),))


def _accents(line: Line, _chance: random.Random) -> Line:
    """Letters beyond ASCII, which the message then does not declare."""
    return replace(line, odd=((7, f"{line.code['code']}^Sonde à ballonnet, Größe 6^CDM"),))


LINE_DIRT: dict[str, Callable[[Line, random.Random], Line]] = {
    "no_amount": _no_amount,
    "negative_quantity": _negative_quantity,
    "wrong_total": _wrong_total,
    "odd_escapes": _odd_escapes,
    "latin1": _accents,
}

# Dirt around the segments: the text is whole, its packing is not.
PACKING_DIRT: dict[str, Callable[[str], str]] = {
    "lf": lambda text: text.replace("\r", "\n"),
    "crlf": lambda text: text.replace("\r", "\r\n"),
    "blank_lines": lambda text: text.replace("\rFT1", "\r\rFT1"),
    "indented": lambda text: text.replace("\rFT1", "\r  FT1"),
}

DIRT = (*LINE_DIRT, *PACKING_DIRT)
