"""What makes a charge line the same line: pure, by table and by property (domain 5.1 rule 1)."""

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from billing import linekeys
from mappings.canonical import Charge

MESSAGE, OTHER = UUID(int=1), UUID(int=2)
PLAIN = Charge(
    kind="charge", transaction_id="T1", account="A1", charge_code="STENT", quantity=Decimal(1), amount=Decimal(2000),
    service_date=date(2026, 11, 22), department="EP",
)  # fmt: skip


def key(charge: Charge = PLAIN, message: UUID = MESSAGE, part: int = 0, **settings: Any) -> str:
    """The line's key."""
    return linekeys.line_key(charge, settings, message, part)


def test_the_senders_transaction_id_is_the_key_wherever_it_comes_again() -> None:
    """The same id in another message and place is the same line, whatever else it says."""
    assert key() == key(message=OTHER, part=7) == key(replace(PLAIN, account="A2")) == "T1"


def test_a_sender_whose_ids_are_unique_per_account_gets_keys_per_account() -> None:
    """A setting of the endpoint, as some platforms count from 1 for each account."""
    assert key(transaction_ids="per_account") == "A1|T1"
    assert key(replace(PLAIN, account="A2"), transaction_ids="per_account") == "A2|T1"


def test_a_credit_may_carry_its_charges_id_and_has_a_key_of_its_own() -> None:
    """And what it says it takes back is the charge's key."""
    credit = replace(PLAIN, kind="credit", quantity=Decimal(-1))
    assert key(credit) == "T1|CD"
    for settings in ({}, {"transaction_ids": "per_account"}):
        assert linekeys.original_key(credit, settings) == key(**settings)
    assert linekeys.original_key(replace(credit, original="T9"), {}) == "T9"
    assert linekeys.original_key(credit, {"transaction_ids": "none"}) == ""


def test_a_line_with_a_reason_for_its_repetition_is_nobodys_duplicate() -> None:
    """FT1-28 makes the key that of this part of this message; read again it is the same."""
    again = replace(PLAIN, repeat_reason="01")
    assert len({key(), key(again), key(again, OTHER), key(again, part=1)}) == 4
    assert key(again) == key(again)


CHANGES: dict[str, Any] = {
    "kind": "credit", "account": "A2", "service_date": date(2026, 11, 21), "department": "OR", "charge_code": "GAUZE",
    "quantity": Decimal(2), "amount": Decimal(1), "performer": "DR1", "filler_order": "F1", "original": "T0",
    "modifiers": ("76",),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_without_an_id_each_thing_that_makes_a_line_another_makes_another_key(name: str) -> None:
    """And the content's hash differs with it, so that the same id with other content is a conflict."""
    without = replace(PLAIN, transaction_id="")
    changed = replace(without, **{name: CHANGES[name]})
    assert key(without) != key(changed)
    assert linekeys.content(without) != linekeys.content(changed)


@pytest.mark.parametrize("change", [{"description": "x"}, {"visit": "V2"}, {"modifiers": ("RT",)}, {"batch": "B"}])
def test_what_does_not_matter_changes_nothing(change: dict[str, Any]) -> None:
    """A description that was put right is no other charge."""
    without = replace(PLAIN, transaction_id="")
    assert key(without) == key(replace(without, **change))
    assert linekeys.content(without) == linekeys.content(replace(without, **change))


@given(st.integers(-(10**9), 10**9), st.integers(0, 3))
def test_a_number_is_the_same_however_many_zeros_it_is_written_with(cents: int, zeros: int) -> None:
    """2000, 2000.0 and 2000.00 are one amount."""
    amount = Decimal(cents) / 100
    padded = amount.quantize(Decimal(1).scaleb(-2 - zeros))
    same = replace(PLAIN, transaction_id="", amount=amount), replace(PLAIN, transaction_id="", amount=padded)
    assert linekeys.content(same[0]) == linekeys.content(same[1])


@given(
    st.text("abc|", min_size=1, max_size=150), st.text("abc|", min_size=1, max_size=150), st.sampled_from(["", "01"])
)
def test_two_ids_never_share_a_key_and_every_key_fits_its_column(one: str, other: str, reason: str) -> None:
    """The longest id that the reader lets in (150 characters) leaves room for what is added to it."""
    for kind in ("charge", "credit"):
        first, second = (
            key(replace(PLAIN, kind=kind, transaction_id=id_, repeat_reason=reason)) for id_ in (one, other)
        )
        assert (first == second) == (one == other)
        assert len(first) <= 200


def test_a_key_that_is_too_long_for_its_column_keeps_what_tells_it_from_others() -> None:
    """An account before the longest id is more than fits: a hash stands for the end, and the credit finds it."""
    long = replace(PLAIN, account="A" * 60, transaction_id="T" * 149 + "1")
    other = replace(long, transaction_id="T" * 149 + "2")
    settings = {"transaction_ids": "per_account"}
    keys = [linekeys.line_key(one, settings, MESSAGE, 0) for one in (long, other)]
    assert keys[0] != keys[1]
    assert max(map(len, keys)) <= 200
    credit = replace(long, kind="credit", transaction_id="C1", original=long.transaction_id)
    assert linekeys.original_key(credit, settings) == keys[0]
