"""Claiming line keys: one narrow table decides, for ever, which charge a sender's line is."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from billing.lines import Line
from hub import bulk

CLAIM = (
    "INSERT INTO billing_chargekey (partner, line_key, charge_id, content)"
    " SELECT * FROM unnest(%s::text[], %s::text[], %s::uuid[], %s::bytea[]) ON CONFLICT DO NOTHING"
    " RETURNING charge_id"
)
OWNERS = (
    "SELECT k.partner, k.line_key, k.charge_id, k.content, c.message_id, c.part, c.status, c.flags"
    " FROM unnest(%s::text[], %s::text[]) w(partner, line_key)"
    " JOIN billing_chargekey k ON k.partner = w.partner AND k.line_key = w.line_key"
    " LEFT JOIN billing_charge c ON c.id = k.charge_id"
)


class Owner(NamedTuple):
    """Who holds a key: a charge in the table, or an earlier line of the same batch (then it has no row yet)."""

    charge_id: UUID
    content: bytes
    message_id: UUID | None
    part: int | None
    status: str | None
    flags: Sequence[str] | None

    def is_part(self, message_id: UUID, part: int) -> bool:
        """Whether the key's charge came from this very part of this very message."""
        return self.message_id == message_id and self.part == part


def claim(lines: Sequence[Line]) -> dict[UUID, Owner]:
    """Claim the lines' keys in one statement; returns the owners of those that were taken, by the line's own id."""
    if not lines:
        return {}
    ordered = sorted(lines, key=lambda line: (line.part.source.partner, line.key, line.id))  # one order, no deadlock
    columns = [
        bulk.texts(line.part.source.partner for line in ordered),
        bulk.texts(line.key for line in ordered),
        bulk.uuids(line.id for line in ordered),
        bulk.texts(f"\\x{line.content.hex()}" for line in ordered),
    ]
    new = {charge_id for (charge_id,) in bulk.fetch(CLAIM, columns)}
    taken = [line for line in lines if line.id not in new]
    if not taken:
        return {}
    asked = [bulk.texts(line.part.source.partner for line in taken), bulk.texts(line.key for line in taken)]
    rows = bulk.fetch(OWNERS, asked)
    owners = {(row[0], row[1]): Owner(*row[2:]) for row in rows}
    return {line.id: owners[line.part.source.partner, line.key] for line in taken}
