"""Amounts: decimal strings and whole ten-thousandths are the same thing, and nothing else is an amount."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.erp.amounts import decimal_string, ten_thousandths

LIMIT = 10**15 - 1


@given(st.integers(min_value=-LIMIT, max_value=LIMIT))
def test_what_is_written_is_read_back(value: int) -> None:
    """Writing and reading an amount gives the same amount."""
    assert ten_thousandths(decimal_string(value)) == value


@given(st.decimals(min_value=-99_999_999_999, max_value=99_999_999_999, places=4), st.integers(0, 4))
def test_a_decimal_string_means_what_decimal_says(amount: Decimal, places: int) -> None:
    """Reading agrees with the decimal module, for every number of decimals."""
    shown = f"{amount:.{places}f}"
    assert ten_thousandths(shown) == int(Decimal(shown) * 10000)


@given(st.text(alphabet="0123456789.-+eE, _٣²", max_size=20))
def test_nothing_but_a_plain_decimal_string_is_an_amount(text: str) -> None:
    """Whatever is accepted is accepted by the decimal module with the same value, and is plain ASCII."""
    try:
        value = ten_thousandths(text)
    except ValueError:
        return
    assert text.isascii()
    assert set(text) <= set("-.0123456789")
    assert value == Decimal(text) * 10000


@pytest.mark.parametrize("text", ["", ".", "-", "1.", ".5", ".5000", "+1", "1e5", "1.00000", "123456789012", "NaN"])
def test_malformed_amounts_are_refused(text: str) -> None:
    """The usual malformed amounts raise ValueError."""
    with pytest.raises(ValueError):  # noqa: PT011 - the text of the error is the input itself
        ten_thousandths(text)
