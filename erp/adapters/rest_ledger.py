"""Journals as the REST ledger protocol wants them (docs/integrating/rest-ledger.md)."""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from mappings.canonical import CostAllocated


def write_journal(key: UUID, facts: Sequence[CostAllocated]) -> bytes:
    """One journal out of allocations of one facility, currency and date; amounts travel as decimal strings."""
    first = facts[0]
    document = {
        "external_key": str(key),
        "entity": first.facility,
        "currency": first.currency,
        "posting_date": first.posting_date.isoformat(),
        "description": f"Cost of charges, {first.facility}, {first.posting_date}",
        "lines": [
            {
                "line_key": leg.line_key,
                "account": leg.account,
                "cost_center": leg.cost_center,
                "debit": str(leg.debit),
                "credit": str(leg.credit),
                "reference": str(leg.charge_id),
                "statistical_quantity": str(leg.quantity),
                "memo": leg.memo,
            }
            for fact in facts
            for leg in fact.legs
        ],
    }
    return json.dumps(document, separators=(",", ":")).encode()


def read_journal(body: bytes) -> dict[str, Any] | None:
    """The answer's journal, None where the bytes are not what the protocol promises."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None
