"""Where the steps of charge-to-cost take place, and the money that waits in them."""

from decimal import Decimal

from hub.routing import About
from mappings.canonical import ChargeCaptured, ChargeReversed, CostAllocated, JournalPosted

ZERO = Decimal(0)


def of_charges(fact: ChargeCaptured | ChargeReversed) -> About:
    """Charges whose cost is not allocated: what was charged, credits negative, in the department of the first line."""
    total = sum((line.amount for line in fact.lines), ZERO)
    if isinstance(fact, ChargeReversed):
        return About(fact.facility, amount=-total, currency=fact.currency)
    department = fact.lines[0].department if fact.lines else ""
    return About(fact.facility, department, total, fact.currency)


def of_allocation(fact: CostAllocated) -> About:
    """Cost that is in no journal yet. It is split over cost centres: no one department owns it."""
    return About(fact.facility, amount=sum((leg.debit for leg in fact.legs), ZERO), currency=fact.currency)


def of_journal(fact: JournalPosted) -> About:
    """A journal that the ERP has; its money arrived."""
    return About(fact.facility)
