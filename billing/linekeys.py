"""What makes a charge line the same line. Pure: values in, keys out."""

import hashlib
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from mappings.canonical import Charge

# Modifiers that say "this is a repeat on purpose" (CPT/HCPCS modifiers 59, 76, 77, 91).
LONGEST = 200  # characters of a key's column; a longer key keeps its beginning, and a hash tells it from its likes
REPEATS = frozenset({"59", "76", "77", "91"})


def line_key(charge: Charge, settings: Mapping[str, Any], message_id: UUID, part: int) -> str:
    """The key under which a sender's line is captured once and for ever (domain 5.1 rule 1).

    `settings["transaction_ids"]`: "unique" (default: FT1-2 is unique per sender), "per_account", or "none"; without
    an id the line's content is its key. A line with a repeat reason (FT1-28) is never a duplicate of another message's.
    """
    policy = settings.get("transaction_ids", "unique")
    if not charge.transaction_id or policy == "none":
        key = "~" + hashlib.sha256("\x1f".join(_identity(charge)).encode()).hexdigest()[:40]
    elif policy == "per_account":
        key = f"{charge.account}|{charge.transaction_id}"
    else:
        key = charge.transaction_id
    if charge.kind == "credit":
        key += "|CD"  # many senders give a credit the transaction id of what it takes back
    if charge.repeat_reason:
        key += f"|{message_id.hex}:{part}"
    return _storable(key)


def original_key(charge: Charge, settings: Mapping[str, Any]) -> str:
    """The line key of what a credit says it takes back: FT1-31 or FT1-30, else its own transaction id; "" for none."""
    named = charge.original or charge.transaction_id
    if not named or settings.get("transaction_ids", "unique") == "none":
        return ""
    return _storable(f"{charge.account}|{named}" if settings.get("transaction_ids") == "per_account" else named)


def _storable(key: str) -> str:
    return key if len(key) <= LONGEST else f"{key[:150]}~{hashlib.sha256(key.encode()).hexdigest()[:40]}"


def content(charge: Charge) -> bytes:
    """16 bytes that are equal when two lines with one key are the same charge, and differ when they conflict."""
    return hashlib.blake2b("\x1f".join(_identity(charge)).encode(), digest_size=16).digest()


def _identity(charge: Charge) -> tuple[str, ...]:
    repeat = [modifier for modifier in charge.modifiers if modifier in REPEATS]
    return (
        charge.kind,
        charge.account,
        charge.service_date.isoformat(),
        charge.department,
        charge.charge_code,
        f"{charge.quantity.normalize():f}",
        "" if charge.amount is None else f"{charge.amount.normalize():f}",
        charge.performer,
        charge.filler_order,
        charge.original,
        *repeat,
    )
