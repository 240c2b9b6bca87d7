"""Ledger language: legs of an allocation, and what an ERP made of a journal."""

from datetime import date
from decimal import Decimal
from typing import ClassVar
from uuid import UUID

from mappings.canonical.base import Fact, Row


class Leg(Row, frozen=True, kw_only=True):
    """One debit or credit. Exactly one of `debit` and `credit` is positive, the other is zero; to the cent."""

    line_key: str  # unique for ever; the ERP keeps it too
    charge_id: UUID
    account: str
    cost_center: str
    debit: Decimal
    credit: Decimal
    quantity: Decimal  # statistical quantity, no money
    memo: str = ""


class CostAllocated(Fact, frozen=True, kw_only=True):
    """The cost of one account's charges was split over cost centres: balanced legs, ready for an ERP."""

    name: ClassVar[str] = "cost.allocated/1"
    allocation_id: UUID
    account: str
    facility: str
    currency: str
    posting_date: date
    legs: tuple[Leg, ...]

    @property
    def key(self) -> str:
        return self.account


class JournalPosted(Fact, frozen=True, kw_only=True):
    """An ERP holds the journal; `charge_ids` are the charges whose cost it carries."""

    name: ClassVar[str] = "journal.posted/1"
    journal_id: UUID | None  # None: there was nothing to post
    facility: str
    erp_reference: str
    charge_ids: tuple[UUID, ...]

    @property
    def key(self) -> str:
        return str(self.journal_id or "")
