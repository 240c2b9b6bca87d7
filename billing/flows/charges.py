"""Charges: capture them, hold what cannot be booked, mark what the ledger has. Hot verbs take lists.

Every line ends in exactly one of captured (then posted), held, duplicate, rejected; `docs/using/charges.md` tells
the rules, domain 5.1 is their source.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date

from django.db import transaction
from django.utils import timezone

from billing import credits, judgement, keys, linekeys, lines, waiting
from billing.flows import visits
from billing.lines import Line
from hub import audit, bulk, cases, ids, outbox
from hub.access import Actor
from hub.routing import Heard, MissingCode, Part
from mappings.canonical import ChargeCaptured, ChargeReversed


@transaction.atomic
def capture(parts: Sequence[Part], *, by: Actor) -> list[Line]:
    """Book charge and credit lines whose codes are all known; returns what was decided about each new one.

    Harmless when called twice: a line's key is its sender's transaction id (or its content), kept for ever; the same
    part again changes nothing, the same line in another message is a duplicate, the same key with other content a
    conflict. One statement per table for the whole batch.
    """
    now = timezone.now()
    batch = _keyed(parts)
    _judge(batch, now.date())
    credits.find_originals([line for line in batch if line.status == "captured" and _is_credit(line)], batch)
    lines.write(batch, now)
    captured = [line for line in batch if line.status == "captured"]
    _publish(captured)
    for line in batch:
        if line.status == "held":
            line.part.missing = (_wait(line),)
    charged = {line.account for line in captured if not _is_credit(line)}
    waiting.resume(charged, "CREDIT_NO_ORIGINAL", "CREDIT_ORIGINAL_HELD")
    cases.open_many(judgement.warnings(batch), by=by)
    audit.record("charges.capture", by=by, subject_type="billing.charge", count=len(batch))
    return batch


@transaction.atomic
def hold(parts: Sequence[Part], *, by: Actor) -> list[Line]:
    """Record lines that lack a code: held, with their money and in their sender's own words.

    The hub keeps the list of what waits for which code and sends the part to `capture` when it has one. A line
    that turns out to be a duplicate waits for nothing.
    """
    batch = _keyed(parts)
    for line in batch:
        if line.status == "captured":
            missing = line.part.missing[0]
            line.hold(missing.case, f"{missing.domain} {missing.code} is {missing.reason}")
        elif line.status == "duplicate":
            line.part.missing = ()
    lines.write([line for line in batch if not line.exists], timezone.now())
    audit.record("charges.hold", by=by, subject_type="billing.charge", count=len(batch))
    return batch


@transaction.atomic
def mark_posted(heard: Sequence[Heard], *, by: Actor) -> None:
    """The ledger has the cost of these charges; harmless when heard twice."""
    posted = bulk.run(
        "UPDATE billing_charge SET status = 'posted' WHERE id = ANY(%s::uuid[]) AND status = 'captured'",
        [bulk.uuids(charge_id for one in heard for charge_id in one.fact.charge_ids)],
    )
    audit.record("charges.mark_posted", by=by, subject_type="billing.charge", count=posted)


def _keyed(parts: Sequence[Part]) -> list[Line]:
    """A line for each part, told apart by its key; lines that were decided before are left out."""
    batch = [_line(part) for part in parts]
    taken = keys.claim(batch)
    for line in batch:
        if line.id in taken:
            _compare(line, taken[line.id])
    others = [line for line in batch if line.status != "captured" and not line.exists]
    taken = keys.claim(others)  # duplicates and conflicts have a key of their own: read again, they are found again
    for line in others:
        if line.id in taken:
            _again(line, taken[line.id])
    return [line for line in batch if line.status != "known"]


def _compare(line: Line, owner: keys.Owner) -> None:
    """What a line is whose key is taken: itself again, a duplicate, or a conflict."""
    source = line.part.source
    if owner.is_part(source.message_id, source.part):
        _again(line, owner)
        return
    line.duplicate_of = owner.charge_id
    line.key = f"{line.key[:150]}|{source.message_id.hex}:{source.part}"
    if owner.content == line.content:
        line.status = "duplicate"
    else:
        line.hold(
            "CHG_CONFLICT", "The same transaction id came before with other content. Compare the two; then accept "
            "this line as a charge of its own, or waive it.", reason="conflict",
        )  # fmt: skip


def _again(line: Line, owner: keys.Owner) -> None:
    """The very same part once more: what was decided stays; what was held is judged anew."""
    line.id, line.exists = owner.charge_id, True
    line.flags = (*line.flags, *(flag for flag in owner.flags or () if flag.startswith("accepted:")))
    if owner.status != "held":
        line.status = "known"
    elif f"accepted:{line.hold_code}" in line.flags:
        line.status, line.hold_code = "captured", ""


def _line(part: Part) -> Line:
    charge, source = part.document, part.source
    key = linekeys.line_key(charge, source.settings, source.message_id, source.part)
    return Line(
        ids.uuid7(), part, key, linekeys.content(charge), account=charge.account, amount=charge.worth,
        flags=charge.flags,
    )  # fmt: skip


def _is_credit(line: Line) -> bool:
    return line.charge.kind == "credit"


def _judge(batch: Sequence[Line], today: date) -> None:
    standing = visits.standing({(line.part.source.partner, line.account) for line in batch})
    for line in batch:
        if line.status == "captured":
            held = judgement.judge(line, standing.get((line.part.source.partner, line.charge.account)), today)
            if held is not None:
                line.hold(held.code, held.text, owner=held.owner, reason=held.reason)


def _wait(line: Line) -> MissingCode:
    """What the hub writes down about a line that is held by a rule of billing's own."""
    return MissingCode(
        domain="charge", code=line.charge.charge_code, facility=line.words.facility if line.words else "",
        reason=line.hold_reason, text=line.hold_text, owner=line.hold_owner, case=line.hold_code,
        subject=f"charge:{line.id}",
    )  # fmt: skip


def _publish(captured: Sequence[Line]) -> None:
    """One fact per message, facility and direction, in the messages' order."""
    groups: dict[tuple[object, ...], list[Line]] = defaultdict(list)
    for line in captured:
        words = line.original or line.words
        assert words is not None
        source = line.part.source
        groups[source.message_id, words.facility, line.charge.currency, line.account, _is_credit(line)].append(line)
    facts = []
    for (_, facility, currency, account, credit), members in groups.items():
        kind, encode = (ChargeReversed, lines.reversed_) if credit else (ChargeCaptured, lines.captured)
        fact = kind(account=account, facility=facility, currency=currency, lines=tuple(map(encode, members)))  # type: ignore[arg-type]
        source = members[0].part.source
        facts.append(outbox.Published(fact, source.correlation_id, message_id=source.message_id))
    outbox.publish(facts)
