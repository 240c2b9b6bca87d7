"""Money and quantities as whole ten-thousandths: read from decimal strings exactly, written back with four decimals."""

from __future__ import annotations

from functools import lru_cache

# 11 digits before the point keep the sum of 1,000 lines inside SQLite's 64-bit integer.
MAX_WHOLE_DIGITS = 11
DECIMALS = 4


@lru_cache(maxsize=1 << 12)
def ten_thousandths(text: str) -> int:
    """Read a decimal string such as "-12.34" as ten-thousandths (-123400). Raises ValueError for anything else."""
    digits = text[:-5] + text[-4:]
    if text[-5:-4] == "." and 5 <= len(digits) <= MAX_WHOLE_DIGITS + DECIMALS and digits.isascii() and digits.isdigit():
        return int(digits)  # the usual form, "12.3400", in one step
    unsigned = text.removeprefix("-")
    whole, point, fraction = unsigned.partition(".")
    if not (unsigned.isascii() and whole.isdigit() and len(whole) <= MAX_WHOLE_DIGITS):
        raise ValueError(text)
    if point and not (fraction.isdigit() and len(fraction) <= DECIMALS):
        raise ValueError(text)
    value = int(whole + fraction.ljust(DECIMALS, "0"))
    return -value if text.startswith("-") else value


def decimal_string(value: int) -> str:
    """Write ten-thousandths with four decimals: -123400 becomes "-12.3400"."""
    digits = str(abs(value)).rjust(DECIMALS + 1, "0")
    return f"{'-' if value < 0 else ''}{digits[:-DECIMALS]}.{digits[-DECIMALS:]}"
