"""The generator: one plausible DFT^P03 after the other, the same ones for the same seed and clock."""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sandbox.billing.accounts import Account
from sandbox.billing.dirt import DIRT, LINE_DIRT, PACKING_DIRT
from sandbox.billing.hospitals import Hospital, hospitals, weights
from sandbox.billing.lines import Line
from sandbox.billing.mix import DEFAULT_MIX, checked
from sandbox.billing.writing import segment
from sandbox.naming import base36
from sandbox.network import Network

MEMORY = 60  # messages that may be sent again
# Older than any open period: a month has at most 31 days and stays open for a few more.
LATE_DAYS = (45, 110)
ORTHOPEDIC = "6220"  # the account of what has a side
UNKNOWN_CODES = (
    ("2799001", "Trial device, not in the charge master"),
    ("2799002", "New drug, not in the charge master"),
)


@dataclass(frozen=True, slots=True)
class Made:
    """A message with what the sender knows about it. `kind` is "plain" or a name of the mix, dirt with its own name."""

    raw: bytes
    control_id: str
    facility: str
    account: str
    kind: str


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


class Generator:
    """Makes messages. `run` goes into every id: two runs against one receiver need two names."""

    def __init__(
        self,
        seed: int,
        network: Network,
        *,
        run: str | None = None,
        mix: Mapping[str, float] | None = None,
        unknown_department: str = "CATHLAB2",
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._chance = random.Random(seed)
        self._clock = clock
        self._mix = checked(DEFAULT_MIX if mix is None else mix)
        self._unknown_department = unknown_department
        self._unmapped: dict[str, Any] = network["unmapped_departments"][0]
        self._hospitals = hospitals(network, run or base36(abs(seed)))
        self._items = {
            row["charge_code"]: row for row in network["items"] if row["charge_code"] and row["lot_controlled"]
        }
        self._recent: dict[str, deque[Made]] = {code: deque(maxlen=MEMORY) for code in self._hospitals}
        self.kinds: Counter[str] = Counter()

    def next(self) -> bytes:
        """Return the next message, without its MLLP frame."""
        return self.make().raw

    def make(self) -> Made:
        """Return the next message with what is known about it."""
        kind = self._kind()
        hospital = self._hospital(kind)
        made = _MAKERS[kind](self, hospital)
        self.kinds[made.kind] += 1
        self._recent[hospital.code].append(made)
        return made

    def _kind(self) -> str:
        point = self._chance.random()
        for kind, share in self._mix.items():
            point -= share
            if point < 0:
                return kind
        return "plain"

    def _hospital(self, kind: str) -> Hospital:
        if kind == "unknown_department":
            return self._hospitals[self._unmapped["facility"]]
        codes = list(self._hospitals)
        return self._hospitals[self._chance.choices(codes, weights(codes))[0]]

    def _plain(self, hospital: Hospital, kind: str = "plain") -> Made:
        account = hospital.account(self._chance, self._clock())
        lines = [self._line(hospital, account) for _ in range(self._chance.choice((1, 1, 2, 2, 3, 4)))]
        return self._message(hospital, account, lines, kind)

    def _credit(self, hospital: Hospital) -> Made:
        """Take back a charge of an open account, whole or in part; without one there is nothing to take back."""
        accounts = [account for account in hospital.accounts if account.charged]
        if not accounts:
            return self._plain(hospital)
        account = self._chance.choice(accounts)
        original = account.charged.pop(self._chance.randrange(len(account.charged)))
        quantity = self._chance.randint(1, original.quantity)
        credit = original.credit(hospital.next_id("T"), quantity, self._clock())
        return self._message(hospital, account, [credit], "credit")

    def _resend(self, hospital: Hospital) -> Made:
        """Send the bytes of a recent message again, as an engine does that missed the acknowledgement."""
        if not self._recent[hospital.code]:
            return self._plain(hospital)
        again = self._chance.choice(self._recent[hospital.code])
        return Made(again.raw, again.control_id, again.facility, again.account, "resend")

    def _repeat(self, hospital: Hospital) -> Made:
        """Send an earlier line again in a message of its own, as somebody does who released a batch twice."""
        accounts = [account for account in hospital.accounts if account.charged]
        if not accounts:
            return self._plain(hospital)
        account = self._chance.choice(accounts)
        return self._message(hospital, account, [self._chance.choice(account.charged)], "repeat")

    def _unknown_code(self, hospital: Hospital) -> Made:
        account = hospital.account(self._chance, self._clock())
        code, description = self._chance.choice(UNKNOWN_CODES)
        row = {"code": code, "description": description, "price": "480.0000", "unit_cost": None, "hcpcs": None}
        return self._message(hospital, account, [self._line(hospital, account, code=row)], "unknown_code")

    def _unknown(self, hospital: Hospital) -> Made:
        """Charge in a department that exists in the hospital but in nobody's mapping."""
        account = hospital.account(self._chance, self._clock())
        codes = hospital.codes(self._unmapped["department"])
        lines = [
            self._line(hospital, account, code=self._chance.choice(codes), department=self._unknown_department)
            for _ in range(self._chance.randint(1, 3))
        ]
        return self._message(hospital, account, lines, "unknown_department")

    def _late(self, hospital: Hospital) -> Made:
        """Charge for a service in a month that is closed: an account of its own, discharged long ago."""
        served = self._clock() - timedelta(days=self._chance.uniform(*LATE_DAYS))
        account = hospital.admit(self._chance, served)
        account.messages_left = 1
        return self._message(hospital, account, [self._line(hospital, account, served=served)], "late")

    def _dirt(self, hospital: Hospital) -> Made:
        """Make a message that is odd in one way."""
        dirt = self._chance.choice(DIRT)
        if dirt in PACKING_DIRT:
            made = self._plain(hospital, f"dirt:{dirt}")
            raw = PACKING_DIRT[dirt](made.raw.decode("ascii")).encode("ascii")
            return Made(raw, made.control_id, made.facility, made.account, made.kind)
        account = hospital.account(self._chance, self._clock())
        line = LINE_DIRT[dirt](self._line(hospital, account), self._chance)
        return self._message(hospital, account, [line], f"dirt:{dirt}", keep=False)

    def _line(
        self,
        hospital: Hospital,
        account: Account,
        *,
        code: dict[str, Any] | None = None,
        department: str | None = None,
        served: datetime | None = None,
    ) -> Line:
        """Charge something for an account, now or at a given time."""
        chance = self._chance
        now = self._clock()
        performing = hospital.performing(chance, account)
        row = code or chance.choice(hospital.codes(performing["code"]))
        price = Decimal(row["price"])
        item = self._items.get(row["code"]) if row.get("revenue_code") in ("0275", "0278") else None
        cost = row["unit_cost"]
        return Line(
            transaction_id=hospital.next_id("T"),
            code=row,
            department=department or performing["wire_code"],
            location=account.location,
            quantity=1 if price >= 150 else chance.choice((1, 1, 1, 2, 2, 3, 4, 6, 10)),
            price=price,
            served_at=served or max(account.admitted, now - timedelta(minutes=chance.uniform(1, 240))),
            posted_at=now,
            doctor=account.doctor,
            patient_class=account.patient_class,
            plan=account.payer["code"],
            unit_cost=Decimal(cost) if cost and chance.random() < 0.3 else None,
            order=f"CASE{account.number[-6:]}" if price >= 1000 else "",
            modifiers=chance.choice(("LT", "RT", "RT~GA")) if row.get("expense_account") == ORTHOPEDIC else "",
            repeat_reason="1" if chance.random() < 0.01 else "",
            item=item,
            lot=f"LOT{chance.randint(10000, 99999)}" if item else "",
        )

    def _message(
        self, hospital: Hospital, account: Account, lines: list[Line], kind: str, *, keep: bool = True
    ) -> Made:
        """Write a message, and remember what it charged so that it can be credited or repeated."""
        account.messages_left -= 1
        if account.messages_left <= 0:
            hospital.discharge(account)
        if keep:
            account.charged += [line for line in lines if line.kind == "CG" and line not in account.charged]
        control_id = hospital.next_id("")
        text = self._text(hospital, account, lines, control_id)
        raw = text.encode("ascii" if text.isascii() else "latin-1")
        return Made(raw, control_id, hospital.code, account.number, kind)

    def _text(self, hospital: Hospital, account: Account, lines: list[Line], control_id: str) -> str:
        now, clock, style = self._clock(), hospital.clock, hospital.style
        facility = hospital.facility
        msh = {
            3: facility["sending_application"],
            4: facility["sending_facility"],
            5: "THROUGHLINE",
            6: "CVH",
            7: clock.stamp(now),
            9: "DFT^P03^DFT_P03" if style.structure else "DFT^P03",
            10: control_id,
            11: "P",
            12: style.version,
            15: "AL" if style.enhanced else "",
            16: "NE" if style.enhanced else "",
        }
        discharged = clock.stamp(now) if account.messages_left <= 0 else ""
        segments = [
            segment("MSH|^~\\&", {number - 2: text for number, text in msh.items()}),  # MSH-1 and MSH-2 are in the name
            segment("EVN", {1: "P03", 2: clock.stamp(now), 6: clock.stamp(lines[0].served_at)}),
            account.pid(),
            account.pv1(clock.stamp(account.admitted), discharged),
        ]
        for number, line in enumerate(lines, 1):
            segments += line.segments(number, clock)
        return "".join(each + "\r" for each in (*segments, *account.context()))


_MAKERS: dict[str, Callable[[Generator, Hospital], Made]] = {
    "plain": Generator._plain,
    "credit": Generator._credit,
    "resend": Generator._resend,
    "repeat": Generator._repeat,
    "unknown_department": Generator._unknown,
    "unknown_code": Generator._unknown_code,
    "dirt": Generator._dirt,
    "late": Generator._late,
}
