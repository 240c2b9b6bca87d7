"""Whatever stands in an FT1, reading it gives a charge or a `ParseError` with its place; signs follow a plain model."""

from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.adapters.hl7 import read_dft
from billing.adapters.hl7_values import day, ndc, span
from hub.errors import ParseError
from hub.formats import hl7
from hub.routing import Read

HEAD = "MSH|^~\\&|CAREBILL|RIVER|HUB|TL|20261120||DFT^P03|M1|P|2.5.1\rEVN|P03|20261119\rPID|||77" + "|" * 15 + "A1\r"
# Text that is likely to mean something, and text that is not.
PIECES = st.sampled_from([
    "", "0", "1", "-1", "2.5", "-0.00", "1e5", "NaN", "Infinity", "CG", "CD", "PY", "AJ", "20261118", "202611",
    "2026", "20261118^20261119", "100&USD", "100&EUR^UP", "5^GBP", "0182-1061-05", '""', "A^B^C4", "RT~GA", "\\F\\",
    "\\X0041\\", "9" * 60, "x" * 300, "^", "~", "&", "\\", " ", "٣", "é",
])  # fmt: skip
VALUES = PIECES | st.text(st.characters(exclude_characters="\r\n|", exclude_categories=["Cs"]), max_size=12)
# A slow machine is no finding: speed lives in benchmarks.
FUZZ = settings(deadline=None, max_examples=300)
MONEY = st.none() | st.decimals(-10_000, 10_000, places=2)


def lines(fields: list[str]) -> bytes:
    """A message with one FT1."""
    return (HEAD + "FT1|" + "|".join(fields)).encode()


def attempt(raw: bytes, options: dict[str, Any]) -> Read | ParseError:
    """What was read, or why it was refused; anything else that is raised fails the test."""
    try:
        return read_dft(hl7.parse(raw), options)
    except ParseError as error:
        return error


@FUZZ
@given(st.lists(VALUES, max_size=45), st.sampled_from([{}, {"facility_from": "location"}, {"paths": {"lot": "FT1-2"}}]))
def test_any_line_is_read_or_refused_with_its_place(fields: list[str], options: dict[str, Any]) -> None:
    """Nothing but `ParseError` is ever raised, and it names the FT1's field; what is read fits the books."""
    found = attempt(lines(fields), options)
    if isinstance(found, ParseError):
        assert found.code.startswith("CHG_")
        assert found.where.startswith("FT1[1]-")
        return
    assert len(found.documents) == (fields[5:6] not in (["PY"], ["AJ"]))
    for charge in found.documents:
        assert charge.quantity.is_finite()
        assert charge.kind != "credit" or (charge.quantity <= 0 and charge.worth <= 0)
        assert abs(charge.worth) < Decimal(10) ** 15
        assert charge.account == "A1"
        assert charge.charge_code


@FUZZ
@given(
    st.sampled_from(["CG", "CD"]), st.decimals(-100, 100, places=2), MONEY, MONEY, st.sampled_from(["hold", "credit"])
)  # fmt: skip
def test_signs_follow_a_plain_model(
    code: str, quantity: Decimal, amount: Decimal | None, unit: Decimal | None, setting: str
) -> None:
    """Magnitudes are what was sent; the sign is minus for a credit and for a charge with any minus in it."""
    numbers = [str(quantity), str(amount or ""), str(unit or "")]
    fields = ["", "T1", "", "20261118", "", code, "C1", "", "", *numbers]
    amount, unit = amount or None, unit or None  # a zero was sent as nothing
    charge = read_dft(hl7.parse(lines(fields)), {"negative_charge": setting}).documents[0]

    money_minus = any(value is not None and value < 0 for value in (amount, unit))
    minus = code == "CD" or quantity < 0 or money_minus
    sign = -1 if minus else 1
    assert charge.quantity == sign * abs(quantity)
    assert charge.amount == (None if amount is None else sign * abs(amount))
    assert charge.unit_amount == (None if unit is None else abs(unit))
    assert charge.kind == ("credit" if code == "CD" or (minus and setting == "credit") else "charge")
    assert ("sign_ambiguous" in charge.flags) == (code == "CD" and quantity < 0 and money_minus)
    assert ("negative_charge" in charge.flags) == (code == "CG" and minus)
    differs = None not in {amount, unit} and abs(abs(quantity * (unit or 0)) - abs(amount or 0)) > Decimal("0.01")
    assert ("extension_differs" in charge.flags) == differs


@FUZZ
@given(st.decimals(-99_999_999, 99_999_999, places=4))
def test_a_quantity_comes_through_exactly(quantity: Decimal) -> None:
    """No rounding, whatever four decimals say (reliability R-15)."""
    fields = ["", "T1", "", "20261118", "", "CD", "C1", "", "", f"{quantity:f}"]
    charge = read_dft(hl7.parse(lines(fields)), {}).documents[0]
    assert charge.quantity == -abs(quantity)


@FUZZ
@given(st.dates())
def test_any_day_is_read_back(found: Any) -> None:
    """Each day of the calendar, with and without a time of day."""
    text = f"{found.year:04}{found.month:02}{found.day:02}"
    assert day(text) == day(text + "2359") == day(text + "235959.9999+0500") == found
    assert span(text) == ""
    assert (day(text[:6]), span(text[:6])) == (None, text[:6])


@FUZZ
@given(st.text(max_size=30))
def test_any_text_is_a_day_or_none(text: str) -> None:
    """Nothing is raised."""
    assert day(text) is None or span(text) == ""
    assert len(ndc(text)) in {0, 11}
