"""Visits: what a hospital's registration says happened to an account."""

from datetime import date
from decimal import Decimal
from typing import ClassVar

from mappings.canonical.base import Document

ZERO = Decimal(0)


class VisitEvent(Document, frozen=True, kw_only=True):
    """One event of one account, still in the partner's codes (HL7 v2.5.1 ch. 3). No name, birth date or address.

    `kind`: admit (also a registered outpatient), discharge, update, cancel (of the admission), reopen (the discharge
    is taken back), merge (`account` survives, `merged_account` is never used again).
    """

    worth: ClassVar[Decimal] = ZERO  # no money waits with an event
    currency: ClassVar[str] = "USD"

    kind: str
    account: str
    visit: str = ""
    facility: str = ""  # partner's code
    patient_class: str = ""
    service: str = ""
    happened_on: date
    admitted_on: date | None = None
    discharged_on: date | None = None
    merged_account: str = ""

    @property
    def label(self) -> str:
        return f"visit: {self.kind}"
