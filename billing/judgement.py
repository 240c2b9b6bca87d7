"""The rules that decide whether a line can be booked as it is (domain 5.1 rules 2, 4, 11, 12). Pure."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from billing.lines import Line
from billing.standing import Standing
from hub.cases import NewCase

# A difference to the CDM price that is worth a look: the larger of one per cent and one unit of currency.
VARIANCE_SHARE, VARIANCE_AMOUNT = Decimal("0.01"), Decimal(1)
# A charge after the final bill from this amount on needs the decision to bill again.
REBILL_AMOUNT = Decimal(35)
# A charge whose service lies further back needs a person's approval.
LATE_DAYS = 90


class Hold(NamedTuple):
    """Why a line waits, who owns it, and what to do."""

    code: str
    owner: str
    reason: str
    text: str


def judge(line: Line, visit: Standing | None, today: date) -> Hold | None:
    """Set amount, account and flags of the line; returns why it must wait, None when it can be booked.

    A code that a person has accepted for this line (flag `accepted:<code>`) does not hold it again.
    """
    if visit is not None and visit.merged_into:
        line.account = visit.merged_into
    if line.charge.quantity == 0:
        line.status, line.hold_code = "rejected", "CHG_QTY_ZERO"
        return None
    for rule in RULES:
        hold = rule(line, visit, today)
        if hold is not None and f"accepted:{hold.code}" not in line.flags:
            return hold
    return None


def _sign(line: Line, visit: Standing | None, today: date) -> Hold | None:
    if line.charge.kind == "charge" and "negative_charge" in line.charge.flags:
        return Hold(
            "CHG_SIGN_AMBIGUOUS", "revenue_cycle", "negative charge",
            "It is sent as a charge, and it is negative. Accept it as it stands, waive it, or have the door's setting "
            '"negative_charge" say "credit".',
        )  # fmt: skip
    return None


def _visit(line: Line, visit: Standing | None, today: date) -> Hold | None:
    if visit is None:
        if line.part.source.settings.get("visit_check") == "require":
            return Hold(
                "VISIT_UNKNOWN", "revenue_cycle", "account unknown",
                "No admission message told of this account. It goes on by itself once one does; or accept it.",
            )  # fmt: skip
    elif visit.status == "cancelled":
        return Hold(
            "VISIT_CANCELLED_WITH_CHARGES", "revenue_cycle", "visit cancelled",
            "The visit was cancelled. Accept the charge, or waive it.",
        )  # fmt: skip
    return None


def _price(line: Line, visit: Standing | None, today: date) -> Hold | None:
    charge, words = line.charge, line.words
    if words is None or charge.kind == "credit":
        return None
    usual = None if words.price is None else (words.price * charge.quantity).quantize(Decimal("0.0001"), ROUND_HALF_UP)
    if charge.amount is None and charge.unit_amount is None:
        if usual is None:
            return Hold(
                "CHG_NO_PRICE", "revenue_cycle", "no amount",
                "It came without an amount and the CDM has no price for its code. Add the price, then retry the case.",
            )  # fmt: skip
        line.amount = usual
        line.flags = (*line.flags, "priced_from_cdm")
    elif usual is not None and abs(line.amount - usual) > max(abs(usual) * VARIANCE_SHARE, VARIANCE_AMOUNT):
        line.flags = (*line.flags, "price_variance")
    return None


def _late(line: Line, visit: Standing | None, today: date) -> Hold | None:
    days = line.part.source.settings.get("late_days", LATE_DAYS)
    if line.charge.service_date < today - timedelta(days=days):
        return Hold(
            "LATE_CHARGE_APPROVAL", "revenue_cycle", "late charge",
            f"Its service date lies more than {days} days back. Accept it into the open period, or waive it.",
        )  # fmt: skip
    if visit is not None and visit.status == "final_billed" and abs(line.amount) >= REBILL_AMOUNT:
        return Hold(
            "LATE_CHARGE_REBILL", "revenue_cycle", "after the final bill",
            "The account is final-billed. Accept it once it is decided to bill again, or waive it.",
        )  # fmt: skip
    return None


RULES: tuple[Callable[[Line, Standing | None, date], Hold | None], ...] = (_sign, _visit, _price, _late)


def warnings(batch: Iterable[Line]) -> list[NewCase]:
    """Cases that hold nothing up: price variances, one per code and facility; lines that were rejected."""
    return [case for line in batch for case in (_variance(line), _rejected(line)) if case is not None]


def _variance(line: Line) -> NewCase | None:
    words = line.words
    if words is None or "price_variance" not in line.flags:
        return None
    return NewCase(
        code="CHG_PRICE_VARIANCE", subject=f"price:{words.facility}:{words.charge_code}",
        title=f"{words.charge_code} at {words.facility} is charged at another price than the CDM's",
        text=f"The CDM says {words.price} a unit. Correct it, or tell the billing platform; the charges were booked.",
        owner="revenue_cycle", facility=words.facility, partner=line.part.source.partner, data=_code(line),
    )  # fmt: skip


def _rejected(line: Line) -> NewCase | None:
    if line.status != "rejected":
        return None
    return NewCase(
        code=line.hold_code, subject=f"charge:{line.id}", title=f"{line.charge.charge_code}: quantity zero",
        text="A line with quantity zero charges nothing and was not booked. Ask the department what was meant.",
        owner="revenue_cycle", partner=line.part.source.partner, message_id=line.part.source.message_id,
        data=_code(line),
    )  # fmt: skip


def _code(line: Line) -> Mapping[str, str]:
    return {"code": line.charge.charge_code}
