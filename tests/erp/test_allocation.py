"""Allocation: for every cost, split and sequence of credits the cents add up and come back to zero (INV-5, 7, 8)."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erp import allocation
from erp.allocation import Posting, Share
from mappings.canonical import CapturedLine

CENT = Decimal("0.01")
COSTS = st.integers(1, 10**9).map(lambda cents: cents * CENT)
WEIGHTS = st.lists(st.integers(1, 10_000_000).map(lambda n: Decimal(n) / 10_000), min_size=1, max_size=8)
QUANTITIES = st.integers(1, 60_000).map(lambda n: Decimal(n) / 10)


def line(quantity: str, unit_cost: str | None) -> CapturedLine:
    """A captured line of which only quantity and unit cost matter here."""
    return CapturedLine(
        charge_id="c", line_key="k", department="R110", cost_center="CC", charge_code="STENT", revenue_code="",
        service_line="", expense_account="6225", quantity=Decimal(quantity), amount=Decimal(1),
        unit_cost=None if unit_cost is None else Decimal(unit_cost), cost_basis="standard",
        service_date=date(2026, 11, 22), posting_date=date(2026, 11, 22),
    )  # fmt: skip


def shares(weights: list[Decimal]) -> list[Share]:
    """One share per weight, each for a cost centre of its own."""
    return [Share(f"CC{number}", weight) for number, weight in enumerate(weights)]


def postings(quantity: Decimal, cost: Decimal, weights: list[Decimal]) -> list[Posting]:
    """The postings of one charge."""
    return allocation.allocate(quantity, cost, shares(weights), expense="6225", clearing="1420", own="OWN")


def balance(found: list[Posting]) -> dict[tuple[str, str], Decimal]:
    """Debit minus credit per account and cost centre, where it is not zero."""
    total: dict[tuple[str, str], Decimal] = {}
    for posting in found:
        place = posting.account, posting.cost_center
        total[place] = total.get(place, Decimal(0)) + posting.debit - posting.credit
    return {place: amount for place, amount in total.items() if amount}


@pytest.mark.parametrize(
    ("quantity", "unit_cost", "cost"),
    [
        ("2", "850.25", "1700.50"), ("3", "0.0034", "0.01"), ("1", "0.0049", "0.00"), ("1", "0.005", "0.01"),
        ("-1", "0.005", "-0.01"), ("0.5", "0.01", "0.01"), ("1", "0", "0.00"),
    ],
)  # fmt: skip
def test_a_cost_is_rounded_half_up_to_the_cent(quantity: str, unit_cost: str, cost: str) -> None:
    """Unit cost times quantity, and half a cent goes away from zero."""
    assert allocation.cost_of(line(quantity, unit_cost)) == Decimal(cost)


def test_a_cost_that_nobody_knows_is_none_and_not_zero() -> None:
    """Without a unit cost there is no cost: zero would post nothing and tell nobody."""
    assert allocation.cost_of(line("1", None)) is None


@given(COSTS, WEIGHTS)
def test_INV_8_the_parts_of_a_split_add_up_exactly(total: Decimal, weights: list[Decimal]) -> None:
    """Whole cents, none negative, none further than a cent from its exact share, and their sum is the total."""
    parts = allocation.split(total, weights)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert part >= 0
        assert part == part.quantize(CENT)
        assert abs(part - total * weight / sum(weights)) < CENT


def test_the_odd_cent_goes_to_the_largest_remainder_and_of_equals_to_the_first() -> None:
    """The residual is on a named line: the same input gives the same split for ever."""
    third = [Decimal("33.3333"), Decimal("33.3333"), Decimal("33.3334")]
    assert allocation.split(Decimal("0.02"), third) == [Decimal("0.01"), Decimal("0.00"), Decimal("0.01")]
    assert allocation.split(Decimal("0.05"), [Decimal(50), Decimal(50)]) == [Decimal("0.03"), Decimal("0.02")]


@given(QUANTITIES, COSTS, WEIGHTS, st.sampled_from([1, -1]))
def test_INV_5_a_charge_is_balanced_and_its_quantity_counted_once(
    quantity: Decimal, cost: Decimal, weights: list[Decimal], sign: int
) -> None:
    """Debits equal credits and the cost; each leg is above zero on one side only; legs are numbered from 0."""
    found = postings(sign * quantity, sign * cost, weights)
    assert sum(one.debit for one in found) == sum(one.credit for one in found) == cost
    assert all((one.debit > 0) != (one.credit > 0) and min(one.debit, one.credit) == 0 for one in found)
    assert [one.leg for one in found] == list(range(len(found)))
    assert sum(one.quantity for one in found) == sign * quantity
    assert balance(found)["1420", "OWN"] == -sign * cost


def test_a_cost_of_zero_has_no_postings() -> None:
    """Nothing is posted for nothing."""
    assert postings(Decimal(1), Decimal("0.00"), [Decimal(100)]) == []


@given(st.data(), COSTS | st.integers(1, 20).map(lambda cents: cents * CENT), WEIGHTS, QUANTITIES)
def test_INV_7_credits_for_the_whole_quantity_bring_every_account_back_to_zero(
    data: st.DataObject, cost: Decimal, weights: list[Decimal], quantity: Decimal
) -> None:
    """However the quantity is split over credits: never below zero on the way, exactly zero at the end."""
    original = postings(quantity, cost, weights)
    before: list[Posting] = []
    left = quantity
    for last in (False, False, False, False, True):
        if left <= 0:
            break
        taken = left if last else data.draw(st.integers(1, int(left * 10))) * Decimal("0.1")
        left -= taken
        mirror = allocation.reverse(original, taken, before)
        assert sum(one.debit for one in mirror) == sum(one.credit for one in mirror)
        assert all((one.debit > 0) != (one.credit > 0) for one in mirror)
        before += mirror
        open_ = balance(original + before)
        assert all(amount > 0 for (account, _), amount in open_.items() if account == "6225")
        assert open_.get(("1420", "OWN"), Decimal(0)) <= 0
    assert balance(original + before) == {}


@pytest.mark.parametrize("pieces", [2, 3, 7, 100])
@pytest.mark.parametrize("cents", [1, 2, 5, 99])
def test_INV_7_credits_of_single_pieces_forget_no_cent(pieces: int, cents: int) -> None:
    """A piece that costs less than half a cent is taken back all the same, and nothing is left at the end."""
    original = postings(Decimal(pieces), cents * CENT, [Decimal(60), Decimal(40)])
    before: list[Posting] = []
    for _ in range(pieces):
        before += allocation.reverse(original, Decimal(1), before)
    assert balance(original + before) == {}


def test_a_reversal_names_the_leg_that_it_takes_back() -> None:
    """Each mirrored leg says which of the original's legs it mirrors, with the sides changed."""
    original = postings(Decimal(2), Decimal("10.01"), [Decimal(50), Decimal(50)])
    mirror = allocation.reverse(original, Decimal(2), [])
    assert [(one.mirrors, one.debit, one.credit) for one in mirror] == [
        (one.leg, one.credit, one.debit) for one in original
    ]
    assert sum(one.quantity for one in mirror) == -2


def test_what_cost_nothing_is_taken_back_for_nothing() -> None:
    """A charge without postings has nothing to mirror."""
    assert allocation.reverse([], Decimal(1), []) == []


def test_a_rule_for_the_code_beats_the_departments_rule_beats_the_department_itself() -> None:
    """The most special rule decides; without any the department bears it all."""
    of_code, of_all = [Share("A", Decimal(100))], [Share("B", Decimal(100))]
    assert allocation.choose({"STENT": of_code, "": of_all}, "STENT", "OWN") == of_code
    assert allocation.choose({"STENT": of_code, "": of_all}, "GAUZE", "OWN") == of_all
    assert allocation.choose({}, "STENT", "OWN") == (Share("OWN", Decimal(100)),)
