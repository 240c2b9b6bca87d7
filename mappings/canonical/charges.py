"""Charges: what a billing platform says was done for an account, and what the hub made of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar, Self

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """One charge or credit line as read from the wire, still in the partner's codes (HL7 v2.5.1 ch. 6, FT1).

    `quantity` and amounts carry the sign of the effect: a credit is negative. Amounts are in `currency`, None where
    the sender left them out. Holds no patient name, birth date or address.
    """

    kind: str  # "charge" | "credit"
    transaction_id: str  # FT1-2, "" where absent
    account: str
    visit: str = ""
    facility: str = ""  # partner's code
    department: str = ""  # partner's code
    location: str = ""
    charge_code: str
    code_system: str = ""
    description: str = ""
    quantity: Decimal
    unit_amount: Decimal | None = None
    amount: Decimal | None = None  # extended
    currency: str = "USD"
    unit_cost: Decimal | None = None  # FT1-22
    service_date: date
    posting_date: date | None = None
    patient_class: str = ""
    service: str = ""  # PV1-10
    procedure_code: str = ""
    modifiers: tuple[str, ...] = ()
    performer: str = ""
    filler_order: str = ""
    original: str = ""  # FT1-31, else FT1-30: the transaction that a credit takes back
    repeat_reason: str = ""  # FT1-28: present means "not a duplicate"
    batch: str = ""
    ndc: str = ""
    item: str = ""
    lot: str = ""
    serial: str = ""
    udi: str = ""
    flags: tuple[str, ...] = ()  # "sign_ambiguous", "negative_charge", "extension_differs", ...

    @property
    def label(self) -> str:
        return f"{self.charge_code} x {self.quantity.normalize():f}"

    @property
    def worth(self) -> Decimal:
        """The extended amount; where it is missing, unit times quantity; else zero (priced from the CDM later)."""
        if self.amount is not None:
            return self.amount
        return self.unit_amount * self.quantity if self.unit_amount is not None else ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturedLine:
    """A charge line in our words, as other domains hear it."""

    charge_id: str
    line_key: str
    department: str
    cost_center: str
    charge_code: str
    revenue_code: str
    service_line: str
    expense_account: str  # "" where the CDM names none: the ledger decides
    quantity: Decimal
    amount: Decimal
    unit_cost: Decimal | None
    cost_basis: str  # "message" | "standard" | "" where nobody knows
    service_date: date
    posting_date: date
    late: bool = False

    def encode(self) -> list[Any]:
        return [
            self.charge_id, self.line_key, self.department, self.cost_center, self.charge_code, self.revenue_code,
            self.service_line, self.expense_account, str(self.quantity), str(self.amount),
            None if self.unit_cost is None else str(self.unit_cost), self.cost_basis,
            self.service_date.isoformat(), self.posting_date.isoformat(), self.late,
        ]  # fmt: skip

    @classmethod
    def decode(cls, row: list[Any]) -> Self:
        return cls(
            charge_id=row[0], line_key=row[1], department=row[2], cost_center=row[3], charge_code=row[4],
            revenue_code=row[5], service_line=row[6], expense_account=row[7], quantity=Decimal(row[8]),
            amount=Decimal(row[9]), unit_cost=None if row[10] is None else Decimal(row[10]), cost_basis=row[11],
            service_date=date.fromisoformat(row[12]), posting_date=date.fromisoformat(row[13]), late=row[14],
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeCaptured:
    """Charges of one account entered the hub's books, in one message's order."""

    name: ClassVar[str] = "charge.captured/1"
    account: str
    facility: str
    currency: str
    lines: tuple[CapturedLine, ...]

    @property
    def key(self) -> str:
        return self.account

    def encode(self) -> dict[str, Any]:
        return {
            "account": self.account,
            "facility": self.facility,
            "currency": self.currency,
            "lines": [line.encode() for line in self.lines],
        }

    @classmethod
    def decode(cls, payload: Mapping[str, Any]) -> Self:
        return cls(
            account=payload["account"],
            facility=payload["facility"],
            currency=payload["currency"],
            lines=tuple(map(CapturedLine.decode, payload["lines"])),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReversedLine:
    """A credit that found its original: how much of it is taken back, at the original's cost and dimensions."""

    charge_id: str  # the credit's own
    line_key: str
    original_id: str
    quantity: Decimal  # positive: how much of the original goes back
    amount: Decimal  # positive
    service_date: date
    posting_date: date

    def encode(self) -> list[Any]:
        return [
            self.charge_id, self.line_key, self.original_id, str(self.quantity), str(self.amount),
            self.service_date.isoformat(), self.posting_date.isoformat(),
        ]  # fmt: skip

    @classmethod
    def decode(cls, row: list[Any]) -> Self:
        return cls(
            charge_id=row[0], line_key=row[1], original_id=row[2], quantity=Decimal(row[3]), amount=Decimal(row[4]),
            service_date=date.fromisoformat(row[5]), posting_date=date.fromisoformat(row[6]),
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeReversed:
    """Charges of one account were taken back, wholly or in part."""

    name: ClassVar[str] = "charge.reversed/1"
    account: str
    facility: str
    currency: str
    lines: tuple[ReversedLine, ...]

    @property
    def key(self) -> str:
        return self.account

    def encode(self) -> dict[str, Any]:
        return {
            "account": self.account,
            "facility": self.facility,
            "currency": self.currency,
            "lines": [line.encode() for line in self.lines],
        }

    @classmethod
    def decode(cls, payload: Mapping[str, Any]) -> Self:
        return cls(
            account=payload["account"],
            facility=payload["facility"],
            currency=payload["currency"],
            lines=tuple(map(ReversedLine.decode, payload["lines"])),
        )
