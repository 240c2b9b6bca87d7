"""Charges: what a billing platform says was done for an account, and what the hub made of it."""

from datetime import date
from decimal import Decimal
from typing import ClassVar
from uuid import UUID

from mappings.canonical.base import Document, Fact, Row

ZERO = Decimal(0)


class Charge(Document, frozen=True, kw_only=True):
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


class CapturedLine(Row, frozen=True, kw_only=True):
    """A charge line in our words, as other domains hear it."""

    charge_id: UUID
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


class ChargeCaptured(Fact, frozen=True, kw_only=True):
    """Charges of one account entered the hub's books, in one message's order."""

    name: ClassVar[str] = "charge.captured/1"
    account: str
    facility: str
    currency: str
    lines: tuple[CapturedLine, ...]

    @property
    def key(self) -> str:
        return self.account


class ReversedLine(Row, frozen=True, kw_only=True):
    """A credit that found its original: how much of it is taken back, at the original's cost and dimensions."""

    charge_id: UUID  # the credit's own
    line_key: str
    original_id: UUID
    quantity: Decimal  # positive: how much of the original goes back
    amount: Decimal  # positive
    service_date: date
    posting_date: date


class ChargeReversed(Fact, frozen=True, kw_only=True):
    """Charges of one account were taken back, wholly or in part."""

    name: ClassVar[str] = "charge.reversed/1"
    account: str
    facility: str
    currency: str
    lines: tuple[ReversedLine, ...]

    @property
    def key(self) -> str:
        return self.account
