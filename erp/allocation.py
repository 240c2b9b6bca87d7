"""Cost allocation: what a charge costs and how it is split. Pure: values in, postings out (domain 5.1 rules 6 to 9)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

import msgspec

from mappings.canonical import CapturedLine

CENT = Decimal("0.01")
ZERO = Decimal(0)
HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class Share:
    """One cost centre's share of a cost, in per cent."""

    cost_center: str
    percent: Decimal


class Posting(msgspec.Struct, frozen=True):
    """One debit or credit of a charge. `leg` counts from 0; `mirrors` is the original's leg that it takes back."""

    leg: int
    account: str
    cost_center: str
    debit: Decimal
    credit: Decimal
    quantity: Decimal  # statistical; the postings of a charge add up to its quantity
    mirrors: int | None = None


def cost_of(line: CapturedLine) -> Decimal | None:
    """Unit cost times quantity, rounded half up to the cent; None where nobody knows the cost."""
    if line.unit_cost is None:
        return None
    return (line.unit_cost * line.quantity).quantize(CENT, ROUND_HALF_UP)


def split(total: Decimal, weights: Sequence[Decimal]) -> list[Decimal]:
    """Split an amount in whole cents by weight so that the parts add up exactly: largest remainder, ties to the first.

    >>> split(Decimal("10.00"), [Decimal("33.3333"), Decimal("66.6667")])
    [Decimal('3.33'), Decimal('6.67')]
    """
    cents, whole = int(total / CENT), sum(weights)
    exact = [cents * weight / whole for weight in weights]
    parts = [int(part) for part in exact]
    by_remainder = sorted(range(len(parts)), key=lambda i: (parts[i] - exact[i], i))
    for i in by_remainder[: cents - sum(parts)]:
        parts[i] += 1
    return [part * CENT for part in parts]


def allocate(
    quantity: Decimal, cost: Decimal, shares: Sequence[Share], *, expense: str, clearing: str, own: str
) -> list[Posting]:
    """Debit the shares' cost centres, credit the department's `own`: balanced. Nothing for a cost of zero.

    A negative cost (a negative charge that a person accepted as it stands) changes sides: no leg is ever negative.
    """
    if not cost:
        return []
    amount = abs(cost)
    parts = [amount] if len(shares) == 1 else split(amount, [share.percent for share in shares])
    borne = [(share.cost_center, part) for share, part in zip(shares, parts, strict=True) if part]
    return [
        *(
            Posting(leg, expense, cost_center, *_sides(part, cost > 0), ZERO if leg else quantity)
            for leg, (cost_center, part) in enumerate(borne)
        ),
        Posting(len(borne), clearing, own, *_sides(amount, cost < 0), ZERO),
    ]


def _sides(amount: Decimal, is_debit: bool) -> tuple[Decimal, Decimal]:
    return (amount, ZERO) if is_debit else (ZERO, amount)


def reverse(original: Sequence[Posting], taken: Decimal, before: Sequence[Posting]) -> list[Posting]:
    """The mirror of a charge's postings for the quantity that a credit takes back, at the original's cost.

    `before` are the postings of earlier credits on the same charge. The credit that takes the rest takes all the
    money that is left, so that original and reversals add up to zero.
    """
    if not original:
        return []
    charged = sum((posting.quantity for posting in original), ZERO)
    taken_before = -sum((posting.quantity for posting in before), ZERO)
    left = {posting.leg: posting.debit + posting.credit for posting in original}
    for posting in before:
        assert posting.mirrors is not None
        left[posting.mirrors] -= posting.debit + posting.credit
    debits = [posting for posting in original if posting.debit]
    (credit,) = (posting for posting in original if posting.credit)
    if taken_before + taken >= charged:
        parts = [left[posting.leg] for posting in debits]
    else:
        # At least a cent while any is left: a credit without a posting would be forgotten, and the last one would not
        # know that it is the last.
        share = max(CENT, (credit.credit * taken / charged).quantize(CENT, ROUND_HALF_UP))
        amount = min(left[credit.leg], share)
        room = [left[posting.leg] for posting in debits]
        parts = _within(split(amount, [posting.debit for posting in debits]), room)
    mirrored = [(posting, part) for posting, part in zip(debits, parts, strict=True) if part]
    if not mirrored:
        return []
    total = sum((part for _, part in mirrored), ZERO)
    return [
        *(
            Posting(leg, posting.account, posting.cost_center, ZERO, part, ZERO if leg else -taken, posting.leg)
            for leg, (posting, part) in enumerate(mirrored)
        ),
        Posting(len(mirrored), credit.account, credit.cost_center, total, ZERO, ZERO, credit.leg),
    ]


def _within(parts: list[Decimal], room: Sequence[Decimal]) -> list[Decimal]:
    """Rounding may not take more from a posting than is left of it: the excess goes to those that have some."""
    over = sum((max(part - space, ZERO) for part, space in zip(parts, room, strict=True)), ZERO)
    capped = [min(part, space) for part, space in zip(parts, room, strict=True)]
    for i, space in enumerate(room):
        more = min(over, space - capped[i])
        capped[i] += more
        over -= more
    return capped


def choose(rules: Mapping[str, Sequence[Share]], charge_code: str, own: str) -> Sequence[Share]:
    """A rule for the charge code beats the department's rule; without any the department bears it all itself."""
    return rules.get(charge_code) or rules.get("") or (Share(own, HUNDRED),)
