"""May this journal be posted? The ERP's own checks, in the order in which the protocol lists their codes."""

from __future__ import annotations

from datetime import date
from typing import Any

from sandbox.erp.amounts import decimal_string
from sandbox.erp.errors import Refused
from sandbox.erp.journals import Journal
from sandbox.erp.reference import Reference


def check(journal: Journal, reference: Reference) -> str:
    """Return the code of the period that the journal belongs to. Raises Refused (422) with the first rule broken."""
    entity = reference.row("facilities", journal.entity)
    if entity is None or not entity["active"]:
        raise Refused(422, "unknown_entity", f"there is no active entity {journal.entity}")
    if journal.currency != entity["currency"]:
        raise Refused(
            422, "currency", f"entity {journal.entity} keeps its books in {entity['currency']}, not {journal.currency}"
        )
    period = _open_period(journal.posting_date, reference)
    day = journal.posting_date.isoformat()
    for pair in journal.pairs():
        try:
            _check_pair(pair, journal.entity, day, reference)
        except Refused as refused:
            refused.line = journal.line_of(pair)
            raise
    if journal.total_debit != journal.total_credit:
        debit, credit = decimal_string(journal.total_debit), decimal_string(journal.total_credit)
        raise Refused(422, "unbalanced", f"debits are {debit}, credits are {credit}")
    return period


def _open_period(day: date, reference: Reference) -> str:
    """Return the open period of a date."""
    code = f"{day.year:04d}-{day.month:02d}"
    period = reference.row("periods", code)
    if period is None or not period["active"]:
        raise Refused(422, "unknown_period", f"there is no period {code}")
    if not period["postable"]:
        raise Refused(422, "period_closed", f"period {code} is {period['status']}")
    return code


def _check_pair(pair: tuple[str, str], entity: str, day: str, reference: Reference) -> None:
    """Check an account and its cost centre on the posting date."""
    account, cost_center = pair
    account_row = _usable(reference, "accounts", account, day)
    if not cost_center:
        if account_row["requires_cost_center"]:
            raise Refused(422, "missing_cost_center", f"account {account} requires a cost center")
        return
    cost_center_row = _usable(reference, "cost-centers", cost_center, day)
    if cost_center_row["facility"] != entity:
        raise Refused(
            422,
            "wrong_entity",
            f"cost center {cost_center} belongs to {cost_center_row['facility']}, not {entity}",
        )


def _usable(reference: Reference, kind: str, code: str, day: str) -> dict[str, Any]:
    """Return an existing row that is active on the day and postable."""
    noun = kind.removesuffix("s").replace("-", "_")
    words = noun.replace("_", " ")
    row = reference.row(kind, code)
    if row is None:
        raise Refused(422, f"unknown_{noun}", f"{words} {code} does not exist")
    began = row["valid_from"] is None or row["valid_from"] <= day
    ended = row["valid_to"] is not None and row["valid_to"] < day
    if not row["active"] or not began or ended:
        raise Refused(422, f"inactive_{noun}", f"{words} {code} is not active on {day}")
    if not row["postable"]:
        raise Refused(422, f"{noun}_not_postable", f"{words} {code} is a group: post to one of its members")
    return row
