"""What waits for a code: one row per case, message and part; written anew each time the part comes through."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from django.conf import settings

from hub import access, bulk, cases, lanes
from hub.routing import MissingCode, Part


class Row(Protocol):
    """The part of a claimed message that is needed here."""

    id: UUID
    key: str
    parts: list[Part]
    status: str


COLUMNS = (
    ("case_id", "int8"), ("message_id", "uuid"), ("part", "int2"), ("key", "text"), ("label", "text"),
    ("amount", "numeric"), ("currency", "text"), ("since", "timestamptz"),
)  # fmt: skip


def parts_of(messages: Sequence[UUID]) -> dict[UUID, set[int]]:
    """The parts that still wait, of those messages that have any: a resumed message does these and no others."""
    waiting: dict[UUID, set[int]] = defaultdict(set)
    statement = "SELECT message_id, part FROM hub_waiting WHERE message_id = ANY(%s::uuid[])"
    for message_id, part in bulk.fetch(statement, [bulk.uuids(messages)]):
        waiting[message_id].add(part)
    return waiting


def subject(partner: str, missing: MissingCode) -> str:
    """What the case of a missing code is about; a mapping that is approved finds its case by it."""
    return missing.subject or f"mapping:{partner}:{missing.domain}:{missing.facility}:{missing.code}"


def settle(rows: Sequence[Row], resumed: Mapping[UUID, set[int]], now: datetime) -> None:
    """Open the cases of missing codes, write down what waits, forget what went through, close cases that are done."""
    touched: set[int] = set()
    through = [row.id for row in rows if row.id in resumed and row.parts]  # not one that stopped on the way
    if through:
        gone = bulk.fetch("DELETE FROM hub_waiting WHERE message_id = ANY(%s) RETURNING case_id", [through])
        touched = {case_id for (case_id,) in gone}
    lacking = [(row, part, code) for row in rows for part in row.parts for code in part.missing]
    opened = cases.open_many((_case(part, code) for _, part, code in lacking), by=access.SYSTEM)
    waiting = {}
    for row, part, code in lacking:
        row.status = "held"
        case_id = opened[code.case, subject(part.source.partner, code)]
        document: Any = part.document
        waiting[case_id, row.id, part.source.part] = (
            case_id, row.id, part.source.part, row.key, document.label[:200], document.worth, document.currency, now,
        )  # fmt: skip
    if waiting:
        bulk.copy("hub_waiting", COLUMNS, waiting.values())
    cases.settle(sorted(touched), by=access.SYSTEM)


REASONS = {
    "unknown": "has no meaning here yet",
    "expired": "has a mapping that is no longer in force",
    "inactive": "leads to a record that may not be used",
    "ambiguous": "has more than one meaning",
    "not_yet_valid": "leads to a record that is not valid yet",
    "not_postable": "leads to a record that nothing can be posted to",
    "other_facility": "leads to a record of another facility",
    "currency": "comes in another currency than the facility's",
    "no_open_period": "finds no open period",
}


def still() -> None:
    """Wait until nobody reads messages, and keep it so until this transaction ends.

    Whoever gives a code its meaning calls this before looking for what waits for it: a worker under way may have missed
    the meaning, and its lines must be seen.
    """
    lanes.hold("inbox", range(settings.LANES))


def resume(messages: Sequence[UUID]) -> int:
    """Put held messages back into the queue: what one of their lines waited for is there now."""
    return bulk.run(
        "UPDATE hub_message SET status = 'received' WHERE id = ANY(%s) AND status = 'held'", [list(messages)]
    )


def finish(message_id: UUID) -> None:
    """A held message of which nothing waits any more is done."""
    bulk.run(
        "UPDATE hub_message SET status = 'applied', settled_at = now() WHERE id = %s AND status = 'held'"
        " AND NOT EXISTS (SELECT 1 FROM hub_waiting w WHERE w.message_id = hub_message.id)",
        [message_id],
    )


def _case(part: Part, missing: MissingCode) -> cases.NewCase:
    if missing.subject:
        return cases.NewCase(
            code=missing.case, subject=missing.subject, title=f"{part.document.label}: {missing.reason}",
            text=missing.text, owner=missing.owner, partner=part.source.partner, message_id=part.source.message_id,
            facility=missing.facility, data={"domain": missing.domain, "code": missing.code},
        )  # fmt: skip
    partner, place = part.source.partner, f" of {missing.facility}" if missing.facility else ""
    what = missing.domain.replace("_", " ")
    return cases.NewCase(
        code=missing.case,
        subject=subject(partner, missing),
        title=f"{what.capitalize()} {missing.code!r}{place} {REASONS.get(missing.reason, missing.reason)}",
        text=_advice(partner, what, place, missing),
        owner=missing.owner,
        partner=partner,
        facility=part.source.facility,
        data={
            "partner": partner, "domain": missing.domain, "facility": missing.facility, "code": missing.code,
            "text": missing.text, "reason": missing.reason,
        },
    )  # fmt: skip


def _advice(partner: str, what: str, place: str, missing: MissingCode) -> str:
    if missing.case == "MAP_MISSING" or not missing.text:
        return (
            f"{partner} sends the {what} {missing.code!r}{place}. Say what it means here; what waits goes on by itself."
        )
    return f"{partner} sends the {what} {missing.code!r}{place}: {missing.text}"
