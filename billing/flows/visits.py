"""Visits: follow what registration says of an account, and tell how an account stands when charges come for it."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import astuple, dataclass, fields, replace
from datetime import date
from itertools import pairwise
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from billing import waiting
from billing.models import Visit
from billing.standing import Standing
from billing.visit_moves import VisitState, follow
from hub import access, audit, bulk, cases
from hub.access import Actor
from hub.models.states import advance
from hub.routing import Part

Key = tuple[str, str]  # partner, account

COLUMNS: Final = tuple(column.name for column in fields(VisitState) if column.name != "known")
# Makes the rows that are not there and locks all of them, in one order for every worker. `xmax = 0` tells a new row.
LOCK: Final = f"""
INSERT INTO billing_visit (partner, account, status, facility, visit, patient_class, service, merged_into, updated_at)
SELECT w.partner, w.account, 'in_house', '', '', '', '', '', %s
FROM unnest(%s::text[], %s::text[]) w(partner, account) ORDER BY w.partner, w.account
ON CONFLICT (partner, account) DO UPDATE SET account = excluded.account
RETURNING partner, account, id, xmax <> 0, {", ".join(COLUMNS)}
"""  # noqa: S608  (column names of our own)
SAVE: Final = """
UPDATE billing_visit v SET status = w.status, facility = w.facility, visit = w.visit, patient_class = w.patient_class,
    service = w.service, admitted_on = w.admitted_on, discharged_on = w.discharged_on, merged_into = w.merged_into,
    updated_at = %s
FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::date[], %s::date[],
            %s::text[])
    w(id, status, facility, visit, patient_class, service, admitted_on, discharged_on, merged_into)
WHERE v.id = w.id
"""
# An account, and behind it the accounts that it was merged into, one after the other; the limit ends
# a circle that two workers closed in the same moment.
CHAIN: Final = """
WITH RECURSIVE chain(partner, asked, account, step) AS (
    SELECT w.partner, w.account, w.account, 0 FROM unnest(%s::text[], %s::text[]) w(partner, account)
  UNION ALL
    SELECT c.partner, c.asked, v.merged_into, c.step + 1
    FROM chain c JOIN billing_visit v ON v.partner = c.partner AND v.account = c.account
    WHERE v.merged_into <> '' AND c.step < 50
)
SELECT c.partner, c.asked, c.account, v.status, v.facility, v.final_billed_on
FROM chain c LEFT JOIN billing_visit v ON v.partner = c.partner AND v.account = c.account ORDER BY c.step
"""
CHARGED: Final = """
SELECT c.partner, c.account, c.currency, count(*), sum(c.amount)
FROM unnest(%s::text[], %s::text[]) w(partner, account)
JOIN billing_charge c ON c.account = w.account AND c.partner = w.partner
WHERE c.status IN ('held', 'captured', 'posted') GROUP BY 1, 2, 3
"""


@dataclass(slots=True)
class _Row:
    """A visit in our hands: as it was, as it becomes, and the message that cancelled it."""

    id: int
    was: VisitState
    now: VisitState
    cancelled_by: UUID | None = None


@transaction.atomic
def record(parts: Sequence[Part], *, by: Actor) -> int:
    """Follow the events in the order given; returns how many visits changed.

    Harmless when called twice: an event that was followed before changes nothing. One that comes out of order, or
    that `Visit.MOVES` does not allow, changes no status; the audit entry says of which message it was.
    """
    rows = _lock(parts)
    ignored: dict[str, list[str]] = defaultdict(list)
    for part in parts:
        why = _follow(part, rows)
        if why:
            ignored[f"{part.document.kind} after {why}"].append(str(part.source.message_id))
    changed = [row for row in rows.values() if row.now != row.was]
    if changed:
        columns = zip(*((row.id, *_values(row.now)) for row in changed), strict=True)
        bulk.run(SAVE, [timezone.now(), *map(list, columns)])
    _review_cancelled(rows, by)
    # An account that is known, or open again, is what some of its charges wait for.
    waiting.resume({account for _, account in rows}, "VISIT_UNKNOWN", "VISIT_CANCELLED_WITH_CHARGES")
    detail = {"events": Counter(part.document.kind for part in parts), "ignored": ignored}
    audit.record("visits.record", by=by, subject_type="billing.visit", count=len(changed), detail=detail)
    return len(changed)


def standing(partner_accounts: Collection[Key]) -> dict[Key, Standing]:
    """How these (partner, account) stand, those that are known; one query, whatever their number."""
    if not partner_accounts:
        return {}
    found: dict[Key, Standing] = {}
    for partner, asked, account, status, facility, final_billed_on in bulk.fetch(CHAIN, _columns(partner_accounts)):
        if status is not None:
            found[partner, asked] = Standing(status, account if account != asked else "", facility, final_billed_on)
        elif account != asked:  # merged into an account that nobody told of yet
            found[partner, asked] = found[partner, asked]._replace(merged_into=account)
    return found


def final_bill(visit: Visit, *, on: date, by: Actor) -> Visit:
    """The account's final bill went out; later charges need the decision to bill again (domain 5.1 rule 11)."""
    access.require(by, "billing.change_visit", facility=visit.facility)
    with transaction.atomic():
        advance(visit, "final_billed", final_billed_on=on)
        audit.record("visits.final_bill", by=by, subject=visit, detail={"on": on.isoformat()})
    return visit


def rebill(visit: Visit, *, reason: str, by: Actor) -> Visit:
    """Open a final-billed account again, because its bill will be replaced."""
    access.require(by, "billing.change_visit", facility=visit.facility)
    billed_on = visit.final_billed_on
    with transaction.atomic():
        advance(visit, "discharged", final_billed_on=None)
        detail = {"final_billed_on": billed_on.isoformat() if billed_on else None}
        audit.record("visits.rebill", by=by, subject=visit, reason=reason, detail=detail)
        waiting.resume([visit.account], "LATE_CHARGE_REBILL")
    return visit


def _lock(parts: Iterable[Part]) -> dict[Key, _Row]:
    """The visits that the events are about, locked; those nobody told of yet are made. A merge is about who goes."""
    wanted = {(part.source.partner, part.document.merged_account or part.document.account) for part in parts}
    rows = {}
    for partner, account, id_, known, *values in (
        bulk.fetch(LOCK, [timezone.now(), *_columns(wanted)]) if wanted else ()
    ):
        state = VisitState(**dict(zip(COLUMNS, values, strict=True)), known=known)
        rows[partner, account] = _Row(id_, state, state)
    return rows


def _follow(part: Part, rows: dict[Key, _Row]) -> str:
    """Let one event act on its visit; returns why it was ignored, "" when it was not."""
    event, partner = part.document, part.source.partner
    row = rows[partner, event.merged_account or event.account]
    if event.kind == "merge" and _goes_round(partner, event.account, event.merged_account, rows):
        return "the opposite merge"
    facility = part.words.facility if part.words is not None else ""
    before = row.now.status
    row.now, why = follow(row.now, event, facility, Visit.MOVES)
    if row.now.status != before:
        row.cancelled_by = part.source.message_id if row.now.status == "cancelled" else None
    return "" if why == "merged" and row.now.merged_into == event.account else why


def _goes_round(partner: str, survivor: str, prior: str, rows: dict[Key, _Row]) -> bool:
    """True when the account that shall survive was itself merged, in the end, into the one that shall go."""
    stored = bulk.fetch(CHAIN, [[partner], [survivor]])
    onward = {here[2]: there[2] for here, there in pairwise(stored)}
    onward |= {account: row.now.merged_into for (owner, account), row in rows.items() if owner == partner}
    seen: set[str] = set()
    while survivor and survivor not in seen:
        if survivor == prior:
            return True
        seen.add(survivor)
        survivor = onward.get(survivor, "")
    return False


def _review_cancelled(rows: dict[Key, _Row], by: Actor) -> None:
    """A case for each visit that was cancelled now although charges were made for it (domain 5.1 rule 2)."""
    cancelled = {key: row for key, row in rows.items() if row.cancelled_by and row.now.status == "cancelled"}
    if not cancelled:
        return
    new = []
    for partner, account, currency, count, amount in bulk.fetch(CHARGED, _columns(cancelled)):
        row = cancelled[partner, account]
        lines = "1 charge" if count == 1 else f"{count} charges"
        new.append(
            cases.NewCase(
                code="VISIT_CANCELLED_WITH_CHARGES",
                subject=f"visit:{row.id}",
                title=f"A visit was cancelled that has {lines}",
                text="Ask registration whether the visit took place. If not, have the billing platform credit its "
                "charges, then resolve this case; if it did, have the visit admitted again.",
                owner="revenue_cycle",
                facility=row.now.facility,
                partner=partner,
                amount=amount,
                currency=currency,
                message_id=row.cancelled_by,
                data={"visit": row.id, "charges": count},
            )
        )
    cases.open_many(new, by=by)


def _values(state: VisitState) -> tuple[Any, ...]:
    """The state in the order of SAVE's columns."""
    return astuple(replace(state, known=True))[:-1]


def _columns(keys: Collection[Key]) -> list[list[str]]:
    """Partners and accounts as two parallel arrays, in one order for every worker."""
    ordered = sorted(set(keys))
    return [[partner for partner, _ in ordered], [account for _, account in ordered]]
