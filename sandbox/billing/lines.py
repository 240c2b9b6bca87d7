"""Charge lines: one FT1 each, charges and the credits that take them back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from sandbox.billing.writing import Clock, escape, money, segment

CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Line:
    """One FT1. Amounts are dollars; `price` is for one."""

    transaction_id: str
    code: dict[str, Any]
    department: str  # as this platform calls it
    location: str
    quantity: int
    price: Decimal
    served_at: datetime
    posted_at: datetime
    doctor: tuple[str, str]
    patient_class: str
    plan: str
    kind: str = "CG"
    unit_cost: Decimal | None = None
    order: str = ""
    modifiers: str = ""
    repeat_reason: str = ""  # FT1-28: a legitimate repeat
    original: str = ""  # FT1-31: the transaction that a credit takes back
    item: dict[str, Any] | None = None
    lot: str = ""
    odd: tuple[tuple[int, str], ...] = ()  # fields that dirt has overwritten

    @property
    def extended(self) -> Decimal:
        """Return the amount of the line."""
        return (self.price * self.quantity).quantize(CENT)

    def credit(self, transaction_id: str, quantity: int, now: datetime) -> Line:
        """Return the credit of so many of this charge."""
        return replace(
            self,
            transaction_id=transaction_id,
            kind="CD",
            quantity=quantity,
            posted_at=now,
            original=self.transaction_id,
            item=None,
            odd=(),
        )

    def segments(self, number: int, clock: Clock) -> list[str]:
        """Write FT1, and the implant's ZSU after it (item, lot)."""
        doctor = f"{self.doctor[0]}^{self.doctor[1]}^ADA"
        fields = {
            1: str(number),
            2: self.transaction_id,
            4: clock.stamp(self.served_at),
            5: clock.day(self.posted_at),
            6: self.kind,
            7: f"{self.code['code']}^{escape(self.code['description'])}^CDM",
            10: str(self.quantity),
            11: money(self.extended),
            12: money(self.price.quantize(CENT)),
            13: self.department,
            14: self.plan,
            16: self.location,
            18: self.patient_class,
            20: doctor,
            21: doctor,
            22: money(self.unit_cost) if self.unit_cost is not None else "",
            23: self.order,
            25: f"{self.code['hcpcs']}^^HCPCS" if self.code.get("hcpcs") else "",
            26: self.modifiers,
            28: self.repeat_reason,
            31: self.original,
        }
        written = [segment("FT1", {**fields, **dict(self.odd)})]
        if self.item is not None:
            item = self.item
            written.append(segment("ZSU", {1: "1", 2: f"{item['code']}^{escape(item['name'])}", 3: self.lot}))
        return written
