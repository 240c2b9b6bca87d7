"""A charge line between the pipeline and the table: what is decided about it, and how it is written."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from billing.words import ChargeWords
from hub import bulk
from hub.errors import Transient
from hub.routing import Part
from mappings.canonical import CapturedLine, Charge, ReversedLine


@dataclass(slots=True)
class Original:
    """What a credit takes back: the charge, and how much of it is still open."""

    id: UUID
    status: str
    account: str
    quantity: Decimal
    amount: Decimal
    facility: str
    department: str
    cost_center: str
    charge_code: str
    revenue_code: str
    service_line: str
    unit_cost: Decimal | None
    cost_basis: str
    service_date: date
    open_quantity: Decimal


@dataclass(slots=True)
class Line:
    """One line on its way into the books."""

    id: UUID
    part: Part
    key: str
    content: bytes
    status: str = "captured"
    hold_code: str = ""
    hold_text: str = ""
    hold_reason: str = ""
    hold_owner: str = "revenue_cycle"
    account: str = ""
    amount: Decimal = Decimal(0)
    original: Original | None = None
    duplicate_of: UUID | None = None
    flags: tuple[str, ...] = ()
    exists: bool = False  # its row is there already: it was held and comes again

    @property
    def charge(self) -> Charge:
        charge: Charge = self.part.document
        return charge

    @property
    def words(self) -> ChargeWords | None:
        words: ChargeWords | None = self.part.words
        return words

    def hold(self, code: str, text: str, *, reason: str = "", owner: str = "revenue_cycle") -> None:
        """Keep it out of the books until somebody or something cures the cause."""
        self.status, self.hold_code, self.hold_text = "held", code, text
        self.hold_reason, self.hold_owner = reason or "waits", owner


COLUMNS = (
    ("id", "uuid"), ("message_id", "uuid"), ("part", "int2"), ("partner", "text"), ("correlation_id", "uuid"),
    ("line_key", "text"), ("kind", "text"), ("status", "text"), ("hold_code", "text"), ("account", "text"),
    ("visit", "text"), ("facility", "text"), ("department", "text"), ("cost_center", "text"), ("charge_code", "text"),
    ("revenue_code", "text"), ("service_line", "text"), ("source_facility", "text"), ("source_department", "text"),
    ("source_code", "text"), ("description", "text"), ("quantity", "numeric"), ("amount", "numeric"),
    ("currency", "text"), ("unit_cost", "numeric"), ("cost_basis", "text"), ("service_date", "date"),
    ("posting_date", "date"), ("late", "bool"), ("original_id", "uuid"), ("procedure_code", "text"),
    ("modifiers", "text"), ("filler_order", "text"), ("flags", "varchar[]"), ("captured_at", "timestamptz"),
)  # fmt: skip
# What a released line takes over from its second reading.
RENEWED = (
    "status", "hold_code", "account", "facility", "department", "cost_center", "charge_code", "revenue_code",
    "service_line", "amount", "unit_cost", "cost_basis", "posting_date", "late", "original_id", "flags",
)  # fmt: skip


def row(line: Line, now: datetime) -> tuple[Any, ...]:
    """The line as `COLUMNS` wants it. A credit carries its original's dimensions and cost, not today's."""
    charge, words, source, original = line.charge, line.words, line.part.source, line.original
    dimensions = original or words
    return (
        line.id, source.message_id, source.part, source.partner, source.correlation_id, line.key, charge.kind,
        line.status, line.hold_code, line.account, charge.visit,
        dimensions.facility if dimensions else "",
        dimensions.department if dimensions else "",
        dimensions.cost_center if dimensions else "",
        dimensions.charge_code if dimensions else "",
        dimensions.revenue_code if dimensions else "",
        dimensions.service_line if dimensions else "",
        charge.facility, charge.department, charge.charge_code, charge.description, charge.quantity, line.amount,
        charge.currency,
        dimensions.unit_cost if dimensions else None,
        dimensions.cost_basis if dimensions else "",
        charge.service_date,
        words.posting_date if words else None,
        words.late if words else False,
        original.id if original else line.duplicate_of,
        charge.procedure_code, "~".join(charge.modifiers), charge.filler_order, list(line.flags), now,
    )  # fmt: skip


def write(lines: Sequence[Line], now: datetime) -> None:
    """New lines by COPY; lines that were held before by an update of what their second reading decided."""
    fresh = [row(line, now) for line in lines if not line.exists]
    if fresh:
        bulk.copy("billing_charge", COLUMNS, fresh)
    names = [name for name, _ in COLUMNS]
    places = [names.index(name) for name in RENEWED]
    again = [row(line, now) for line in lines if line.exists]
    if again:
        assignments = ", ".join(f"{name} = %s" for name in RENEWED)
        with bulk.cursor() as cur:
            cur.executemany(
                f"UPDATE billing_charge SET {assignments} WHERE id = %s AND status = 'held'",  # noqa: S608  (our own column names)
                [[*(values[place] for place in places), values[0]] for values in again],
            )
            if cur.rowcount != len(again):  # somebody decided about one while we read it: what they said counts
                raise Transient("CHG_CHANGED", "A held charge was decided about just now; its batch is read again.")


def captured(line: Line) -> CapturedLine:
    """The line as other domains hear of it."""
    words = line.words
    assert words is not None
    return CapturedLine(
        charge_id=line.id, line_key=line.key, department=words.department, cost_center=words.cost_center,
        charge_code=words.charge_code, revenue_code=words.revenue_code, service_line=words.service_line,
        expense_account=words.expense_account, quantity=line.charge.quantity, amount=line.amount,
        unit_cost=words.unit_cost, cost_basis=words.cost_basis, service_date=line.charge.service_date,
        posting_date=words.posting_date, late=words.late,
    )  # fmt: skip


def reversed_(line: Line) -> ReversedLine:
    """The credit as other domains hear of it: positive figures, and which charge they take back."""
    assert line.words is not None
    assert line.original is not None
    return ReversedLine(
        charge_id=line.id, line_key=line.key, original_id=line.original.id, quantity=-line.charge.quantity,
        amount=-line.amount, service_date=line.charge.service_date, posting_date=line.words.posting_date,
    )  # fmt: skip
