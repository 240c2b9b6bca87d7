"""Names that no other run has, so that a receiver never sees an id twice by accident."""

from __future__ import annotations

import secrets
import time

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def fresh_name() -> str:
    """Return a short name for a run: the second in base 36, and two characters of chance."""
    return base36(int(time.time())) + secrets.choice(_DIGITS) + secrets.choice(_DIGITS)


def base36(number: int) -> str:
    """Write a number that is not negative in base 36."""
    digits = ""
    while number or not digits:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits
