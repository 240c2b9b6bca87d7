"""Ledger language: legs of an allocation, and what an ERP made of a journal."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One debit or credit. Exactly one of `debit` and `credit` is positive, the other is zero; to the cent."""

    line_key: str  # unique for ever; the ERP keeps it too
    charge_id: str
    account: str
    cost_center: str
    debit: Decimal
    credit: Decimal
    quantity: Decimal  # statistical quantity, no money
    memo: str = ""

    def encode(self) -> list[str]:
        return [
            self.line_key, self.charge_id, self.account, self.cost_center, str(self.debit), str(self.credit),
            str(self.quantity), self.memo,
        ]  # fmt: skip

    @classmethod
    def decode(cls, row: list[str]) -> Self:
        return cls(
            line_key=row[0], charge_id=row[1], account=row[2], cost_center=row[3], debit=Decimal(row[4]),
            credit=Decimal(row[5]), quantity=Decimal(row[6]), memo=row[7],
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class CostAllocated:
    """The cost of one account's charges was split over cost centres: balanced legs, ready for an ERP."""

    name: ClassVar[str] = "cost.allocated/1"
    allocation_id: str
    account: str
    facility: str
    currency: str
    posting_date: date
    legs: tuple[Leg, ...]

    @property
    def key(self) -> str:
        return self.account

    def encode(self) -> dict[str, Any]:
        return {
            "allocation_id": self.allocation_id,
            "account": self.account,
            "facility": self.facility,
            "currency": self.currency,
            "posting_date": self.posting_date.isoformat(),
            "legs": [leg.encode() for leg in self.legs],
        }

    @classmethod
    def decode(cls, payload: Mapping[str, Any]) -> Self:
        return cls(
            allocation_id=payload["allocation_id"],
            account=payload["account"],
            facility=payload["facility"],
            currency=payload["currency"],
            posting_date=date.fromisoformat(payload["posting_date"]),
            legs=tuple(map(Leg.decode, payload["legs"])),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalPosted:
    """An ERP holds the journal; `charge_ids` are the charges whose cost it carries."""

    name: ClassVar[str] = "journal.posted/1"
    journal_id: str
    facility: str
    erp_reference: str
    charge_ids: tuple[str, ...]

    @property
    def key(self) -> str:
        return self.journal_id

    def encode(self) -> dict[str, Any]:
        return {
            "journal_id": self.journal_id,
            "facility": self.facility,
            "erp_reference": self.erp_reference,
            "charge_ids": list(self.charge_ids),
        }

    @classmethod
    def decode(cls, payload: Mapping[str, Any]) -> Self:
        return cls(
            journal_id=payload["journal_id"],
            facility=payload["facility"],
            erp_reference=payload["erp_reference"],
            charge_ids=tuple(payload["charge_ids"]),
        )
