"""Drafting: a fact's charges or credits become balanced legs, or an error that says why they cannot."""

from collections import defaultdict
from collections.abc import ItemsView, Sequence
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

import msgspec

from erp import allocation, rules
from erp.allocation import Posting
from hub import bulk
from hub.errors import Permanent
from hub.routing import Heard
from mappings import masters
from mappings.canonical import CapturedLine, ChargeCaptured, ChargeReversed, ReversedLine


class Drafted(msgspec.Struct):
    """The legs of one charge or credit."""

    charge_id: UUID
    posting_date: date
    postings: list[Posting]
    basis: str
    original_id: UUID | None = None


@dataclass(slots=True)
class Draft:
    """All that one fact leads to in the ledger."""

    heard: Heard
    charges: list[Drafted] = field(default_factory=list)

    def by_date(self) -> ItemsView[date, list[Drafted]]:
        """The charges by the date on which they are posted: a journal has one."""
        grouped: dict[date, list[Drafted]] = defaultdict(list)
        for charge in self.charges:
            grouped[charge.posting_date].append(charge)
        return grouped.items()


POSTINGS = (
    "SELECT charge_id, leg, account, cost_center, debit, credit, quantity, original_id, original_leg"
    " FROM erp_journalline WHERE charge_id = ANY(%(ids)s::uuid[])"
    " UNION SELECT charge_id, leg, account, cost_center, debit, credit, quantity, original_id, original_leg"
    " FROM erp_journalline WHERE original_id = ANY(%(originals)s::uuid[])"
    " ORDER BY charge_id, leg"
)


class Desk:
    """What is needed to draft one batch: rules, clearing accounts, and the legs of charges that are taken back."""

    def __init__(self, heard: Sequence[Heard]) -> None:
        captured = [one.fact for one in heard if isinstance(one.fact, ChargeCaptured)]
        reversed_ = [one.fact for one in heard if isinstance(one.fact, ChargeReversed)]
        places = {(fact.facility, line.department, line.posting_date) for fact in captured for line in fact.lines}
        self._rules = rules.in_force(places)
        self._facilities = masters.facilities({fact.facility for fact in captured})
        self._originals: dict[UUID, list[Posting]] = defaultdict(list)
        self._reversals: dict[UUID, list[Posting]] = defaultdict(list)
        self._done: set[UUID] = set()
        own = {line.charge_id for one in heard for line in one.fact.lines}
        originals = {line.original_id for fact in reversed_ for line in fact.lines}
        for charge_id, leg, account, cost_center, debit, credit, quantity, original_id, mirrors in bulk.fetch(
            POSTINGS, {"ids": bulk.uuids(own | originals), "originals": bulk.uuids(originals)}
        ):
            self._done.add(charge_id)
            posting = Posting(leg, account, cost_center, debit, credit, quantity, mirrors)
            home = self._originals[charge_id] if original_id is None else self._reversals[original_id]
            home.append(posting)

    def draft(self, one: Heard) -> Draft:
        """The legs of one fact. Raises `Permanent` (ALLOC_FAILED) where a person must act; then nothing is kept."""
        make = self._captured if isinstance(one.fact, ChargeCaptured) else self._reversed
        draft = Draft(one)
        for line in one.fact.lines:
            charge_id = line.charge_id
            if charge_id not in self._done:  # costed before: hearing it again changes nothing
                draft.charges.append(make(one.fact, line, charge_id))
        for charge in draft.charges:  # a reversal later in this batch must see them
            self._done.add(charge.charge_id)
            home = (
                self._originals[charge.charge_id] if charge.original_id is None else self._reversals[charge.original_id]
            )
            home += charge.postings
        return draft

    def _captured(self, fact: ChargeCaptured, line: CapturedLine, charge_id: UUID) -> Drafted:
        cost = allocation.cost_of(line)
        clearing = self._facilities[fact.facility].clearing_account if fact.facility in self._facilities else None
        if cost is None:
            raise Permanent(
                "ALLOC_FAILED",
                f"No cost is known for charge code {line.charge_code}: give it a standard cost, or department "
                f"{line.department} a ratio of cost to charges; then retry.",
            )
        if not line.expense_account or clearing is None:
            raise Permanent(
                "ALLOC_FAILED",
                f"No account to post to: facility {fact.facility} needs a clearing account, and charge code "
                f"{line.charge_code} or department {line.department} an expense account; then retry.",
            )
        in_force = self._rules.get((fact.facility, line.department, line.posting_date), {})
        shares = allocation.choose(in_force, line.charge_code, line.cost_center)
        postings = allocation.allocate(
            line.quantity, cost, shares, expense=line.expense_account, clearing=clearing.code, own=line.cost_center
        )
        return Drafted(charge_id, line.posting_date, postings, line.cost_basis)

    def _reversed(self, _fact: ChargeReversed, line: ReversedLine, charge_id: UUID) -> Drafted:
        original = line.original_id
        postings = allocation.reverse(self._originals[original], line.quantity, self._reversals[original])
        return Drafted(charge_id, line.posting_date, postings, "original", original)
