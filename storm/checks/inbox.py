"""What the senders know against what the hub stored and booked."""

import hashlib
from collections import Counter, defaultdict
from decimal import Decimal
from typing import Any

from storm.evidence import Evidence, Sent
from storm.opening import opened

STORED = """
SELECT m.id, e.facility, m.control_id, encode(m.sha256, 'hex'), m.raw, m.status
FROM hub_message m JOIN hub_endpoint e ON e.id = m.endpoint_id ORDER BY m.id
"""
CHARGES = """
SELECT c.message_id, c.part, c.partner, c.line_key, c.status, c.amount FROM billing_charge c
ORDER BY c.message_id, c.part, c.id
"""
READ = {"applied", "held", "skipped"}  # its lines are in the books
WAITING = {"stopped", "blocked"}  # its lines wait with it, for a person


def lost(evidence: Evidence) -> list[str]:
    """Every acknowledged message is stored, sealed, byte for byte. One that is there twice is another check's."""
    stored: dict[tuple[str, str, str], list[Any]] = defaultdict(list)
    for id_, facility, control_id, sha256, raw, _ in evidence.rows(STORED):
        stored[facility, control_id, sha256].append((id_, raw))
    findings = []
    for one in _accepted(evidence):
        rows = stored.get((one.facility, one.control_id, one.sha256), [])
        bodies = [raw for row in rows if (raw := opened(evidence.keys, *row)) is not None]
        if not rows:
            findings.append(f"{one.control_id} was answered {one.answer} and is not stored")
        elif not bodies:
            findings.append(f"{one.control_id} is stored with bytes that are not sealed, or do not open")
        elif one.sha256 not in {hashlib.sha256(raw).hexdigest() for raw in bodies}:
            findings.append(f"{one.control_id} is stored with other bytes than were sent")
    return findings


def stored_once(evidence: Evidence) -> list[str]:
    """The same bytes under the same control id are one message; and nothing is worked on that nobody sent."""
    rows = [row for row in evidence.rows(STORED) if row[5] != "refused"]
    counted = Counter((facility, control_id) for _, facility, control_id, *_ in rows)
    findings = [
        f"{facility} {control_id} is stored {count} times"
        for (facility, control_id), count in counted.items()
        if count > 1
    ]
    sent = {(one.facility, one.sha256) for one in evidence.sent}
    findings += [f"{row[2]} is worked on, but nobody sent it" for row in rows if (row[1], row[3]) not in sent]
    return findings


def charged_once(evidence: Evidence) -> list[str]:
    """A sender's transaction is booked once, a line key is one charge's, a part of a message is one charge."""
    by_message = _sent_by_message(evidence)
    parts: Counter[Any] = Counter()
    keys: Counter[Any] = Counter()
    transactions: Counter[Any] = Counter()
    for message_id, part, partner, line_key, status, _ in evidence.rows(CHARGES):
        parts[message_id, part] += 1
        keys[partner, line_key] += 1
        one = by_message.get(message_id)
        line = one.lines[part] if one is not None and part < len(one.lines) else None
        if status in {"captured", "posted"} and one is not None and line is not None and not line.repeats:
            transactions[one.facility, line.transaction] += 1
    return [
        f"{what} {key} stands for {count} charges"
        for what, counts in (("part", parts), ("line key", keys), ("transaction", transactions))
        for key, count in counts.items()
        if count > 1
    ]


def money_in(evidence: Evidence) -> list[str]:
    """To the cent: what was sent is booked, held, rejected or a duplicate, or waits with its whole message."""
    booked: dict[Any, dict[int, Decimal]] = defaultdict(dict)
    for message_id, part, _, _, _, amount in evidence.rows(CHARGES):
        booked[message_id][part] = booked[message_id].get(part, Decimal(0)) + amount
    states = {row[0]: row[5] for row in evidence.rows(STORED)}
    findings, total = [], Decimal(0)
    for message_id, one in _sent_by_message(evidence).items():
        found = booked.pop(message_id, {})
        if states[message_id] in WAITING and found:
            findings.append(f"{one.control_id} is {states[message_id]} and has charges")
        if states[message_id] not in READ:
            continue
        lines = enumerate(one.lines)
        wanted = {part: found.get(part, Decimal(0)) if line.amount is None else line.amount for part, line in lines}
        total += sum(wanted.values())
        if wanted != found:
            findings.append(f"{one.control_id} ({one.kind}) says {wanted}, the books say {found}")
    findings += [f"charges of {message_id}, which nobody sent" for message_id in booked]
    ((in_books,),) = evidence.rows("SELECT coalesce(sum(amount), 0) FROM billing_charge")
    if in_books != total:
        findings.append(f"sent {total}, booked {in_books}")
    return findings


def _accepted(evidence: Evidence) -> list[Sent]:
    return [one for one in evidence.sent if one.accepted]


def _sent_by_message(evidence: Evidence) -> dict[Any, Sent]:
    """What was sent, by the id under which the hub stored it (refused ones have no business here)."""
    sent = {(one.facility, one.sha256): one for one in evidence.sent}
    found = {}
    for message_id, facility, _, sha256, _, status in evidence.rows(STORED):
        one = sent.get((facility, sha256))
        if status != "refused" and one is not None:
            found[message_id] = one
    return found
