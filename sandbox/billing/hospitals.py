"""What each hospital does: its departments, what they charge, and the accounts that are open."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sandbox.billing.accounts import Account, open_account
from sandbox.billing.writing import STYLES, Clock, Style
from sandbox.network import Network

OPEN_ACCOUNTS = 10
# Larger hospitals send more.
WEIGHTS = {"NORTH": 0.45, "RIVER": 0.33, "LAKE": 0.22}
# Departments where most visits begin.
FRONT_DOORS = {
    "ED",
    "OR",
    "MEDSURG",
    "TELE",
    "BIRTH",
    "ORTHO",
    "CATH",
    "EP",
    "CVOR",
    "VASC",
    "ENDO",
    "ONC",
    "CLINIC",
    "DIALYSIS",
}
# Whom everybody asks for something.
ANCILLARIES = {"LAB", "PHARMACY", "IMAGING", "RESP", "ECHO"}


class Hospital:
    """One hospital as a sender of charges."""

    def __init__(self, facility: dict[str, Any], network: Network, run: str) -> None:
        self.facility = facility
        self.code: str = facility["code"]
        self.style = STYLES.get(self.code, Style())
        self.clock = Clock(self.style, facility["timezone"])
        self.accounts: list[Account] = []
        self._payers: list[dict[str, Any]] = network["payer_classes"]
        self._mapped = [row for row in network["departments"] if row["facility"] == self.code and row["wire_code"]]
        self._codes = _codes_by_department(network, self.code)
        self._prefix = f"{self.code[0]}{run}"
        self._counts: Counter[str] = Counter()

    def next_id(self, kind: str) -> str:
        """Return the next id of a kind: "" control id, "T" transaction, "A" account."""
        self._counts[kind] += 1
        return f"{self._prefix}{kind}{self._counts[kind]:06d}"

    def account(self, chance: random.Random, now: datetime) -> Account:
        """Return an account that gets the next message: mostly one that is open, now and then a new one."""
        if len(self.accounts) < OPEN_ACCOUNTS:
            account = self.admit(chance, now)
            self.accounts.append(account)
            return account
        return chance.choice(self.accounts)

    def admit(self, chance: random.Random, now: datetime) -> Account:
        """Open an account without keeping it among those that get further messages."""
        doors = [row for row in self._mapped if row["kind"] in FRONT_DOORS]
        return open_account(chance, self.next_id("A"), self.facility, chance.choice(doors), self._payers, now)

    def discharge(self, account: Account) -> None:
        """Close an account."""
        if account in self.accounts:
            self.accounts.remove(account)

    def performing(self, chance: random.Random, account: Account) -> dict[str, Any]:
        """Return the department that does something for this account: its own, or one that everybody asks."""
        ancillaries = [row for row in self._mapped if row["kind"] in ANCILLARIES]
        return account.department if chance.random() < 0.7 or not ancillaries else chance.choice(ancillaries)

    def codes(self, department: str) -> list[dict[str, Any]]:
        """Return the charge codes that a department uses."""
        return self._codes[department]


def _codes_by_department(network: Network, facility: str) -> dict[str, list[dict[str, Any]]]:
    departments = [row["code"] for row in network["departments"] if row["facility"] == facility]
    return {code: [row for row in network["charge_codes"] if code in row["departments"]] for code in departments}


def hospitals(network: Network, run: str) -> dict[str, Hospital]:
    """Return the network's hospitals by facility code."""
    return {row["code"]: Hospital(row, network, run) for row in network["facilities"]}


def weights(codes: Sequence[str]) -> list[float]:
    """Return how much traffic each hospital has."""
    return [WEIGHTS.get(code, 0.2) for code in codes]
