"""Exception cases: open, assign, retry, resolve, waive. One cause, one case; what waits for it is counted by rows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from hub import access, audit, bulk, queue
from hub.access import Actor
from hub.errors import Refused
from hub.models import ExceptionCase, Waiting
from hub.models.states import advance

OPEN = ("open", "assigned")
# Hours until somebody should have looked, by severity.
SLA_H = {1: 1, 2: 8, 3: 24}


# Rows are inserted and locked in one order, whoever calls: two batches that meet the same causes do not deadlock.
TOUCH = """
WITH met AS (
    SELECT c.id FROM unnest(%s::text[], %s::text[]) w(code, subject)
    JOIN hub_exceptioncase c ON c.code = w.code AND c.subject = w.subject AND c.status IN ('open', 'assigned')
    ORDER BY c.code COLLATE "C", c.subject COLLATE "C" FOR UPDATE OF c
)
UPDATE hub_exceptioncase c SET last_seen_at = %s, seen = c.seen + (c.opened_at <> %s)::int
FROM met WHERE c.id = met.id RETURNING c.code, c.subject, c.id, c.opened_at = %s
"""
LOCK = """
SELECT id FROM hub_exceptioncase WHERE id = ANY(%s) AND status IN ('open', 'assigned')
ORDER BY code COLLATE "C", subject COLLATE "C" FOR UPDATE
"""


@dataclass(frozen=True, slots=True)
class NewCase:
    """What a verb says when a person must act. `subject` names the cause: seen again, the open case is updated."""

    code: str
    subject: str
    title: str
    text: str
    owner: str
    severity: int = 3
    facility: str = ""
    partner: str = ""
    amount: Decimal = Decimal(0)
    currency: str = "USD"
    message_id: UUID | None = None
    delivery_id: UUID | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


def open_many(new: Iterable[NewCase], *, by: Actor) -> dict[tuple[str, str], int]:
    """Open a case for each cause, or touch the one that is open; returns case ids by (code, subject).

    One statement for all of them; the partial unique index on open cases makes two workers agree on one.
    """
    wanted = {(case.code, case.subject[:300]): case for case in new}
    if not wanted:
        return {}
    now = timezone.now()
    keys = [[code for code, _ in wanted], [subject for _, subject in wanted]]
    found: list[Any] = []
    while len(found) < len(wanted):  # again where somebody closes one between the two statements: it is opened anew
        ExceptionCase.objects.bulk_create(
            [_row(case, now) for _, case in sorted(wanted.items())], ignore_conflicts=True
        )
        found = bulk.fetch(TOUCH, [*keys, now, now, now])
    fresh = [id_ for _, _, id_, is_new in found if is_new]
    if fresh:
        audit.record("cases.open", by=by, subject_type="hub.exceptioncase", count=len(fresh), detail={"cases": fresh})
    return {(code, subject): id_ for code, subject, id_, _ in found}


def _row(case: NewCase, now: datetime) -> ExceptionCase:
    return ExceptionCase(
        code=case.code,
        subject=case.subject[:300],
        title=case.title[:200],
        text=case.text,
        owner=case.owner,
        severity=case.severity,
        facility=case.facility,
        partner=case.partner,
        amount=case.amount,
        currency=case.currency,
        message_id=case.message_id,
        delivery_id=case.delivery_id,
        data=dict(case.data),
        opened_at=now,
        last_seen_at=now,
        due_at=now + timedelta(hours=SLA_H[case.severity]),
    )


def assign(case: ExceptionCase, *, to: Any, by: Actor) -> ExceptionCase:
    """Give the case to a user, who must see its facility."""
    access.require(by, "hub.assign_exceptioncase", facility=case.facility)
    if case.facility and not access.sees(access.person(to), case.facility):
        raise Refused("CASE_ASSIGNEE", f"{to.get_username()} has no access to facility {case.facility}.")
    with transaction.atomic():
        advance(case, "assigned", assignee=to)
        audit.record("cases.assign", by=by, subject=case, detail={"to": to.get_username()})
    return case


def resolve(case: ExceptionCase, *, reason: str, by: Actor) -> ExceptionCase:
    """Close the case because its cause is gone. Refused while documents still wait for it: retry them first."""
    access.require(by, "hub.resolve_exceptioncase", facility=case.facility)
    with transaction.atomic():
        bulk.fetch(LOCK, [[case.pk]])
        waiting = Waiting.objects.filter(case=case).count()
        if waiting:
            raise Refused(
                "CASE_WAITING", f"{waiting} documents still wait for this case. Retry them, or waive it with a reason."
            )
        advance(case, "resolved", reason=reason, closed_at=timezone.now())
        audit.record("cases.resolve", by=by, subject=case, reason=reason)
    return case


def waive(case: ExceptionCase, *, reason: str, by: Actor) -> ExceptionCase:
    """Close the case and let the cause stand; the reason is kept. What waits for it stays held and in the books."""
    access.require(by, "hub.waive_exceptioncase", facility=case.facility)
    if not reason.strip():
        raise Refused("CASE_REASON", "Waiving needs a reason that an auditor will understand.")
    with transaction.atomic():
        advance(case, "waived", reason=reason, closed_at=timezone.now())
        audit.record("cases.waive", by=by, subject=case, reason=reason)
    return case


def release(case: ExceptionCase, *, by: Actor) -> int:
    """Put everything that waits for the case back into the queue, in its original order; returns how many messages.

    Idempotent: a message that is already back in the queue stays there. The case closes by itself when the
    last of them went through (`settle`).
    """
    access.require(by, "hub.retry_exceptioncase", facility=case.facility)
    with transaction.atomic():
        released = bulk.run(
            "UPDATE hub_message m SET status = 'received'"
            " WHERE m.status = 'held' AND m.id IN (SELECT message_id FROM hub_waiting WHERE case_id = %s)",
            [case.pk],
        )
        audit.record("cases.release", by=by, subject=case, detail={"messages": released})
        queue.nudge("work")
    return released


def settle(case_ids: Sequence[int], *, by: Actor) -> int:
    """Close those of the cases for which nothing waits any more; returns how many. Their cause is gone."""
    if not case_ids:
        return 0
    # Locked first, looked at then: a worker that is about to add a line to one of them has touched it before.
    locked = [id_ for (id_,) in bulk.fetch(LOCK, [list(case_ids)])]
    done = ExceptionCase.objects.filter(pk__in=locked, waiting__isnull=True).order_by("pk")
    return _end(done, "resolved", "Everything that waited for it went through.", by)


def close(code: str, subjects: Sequence[str], *, reason: str, by: Actor) -> int:
    """Resolve the open cases of these subjects because a verb cured the cause; returns how many."""
    return _end(ExceptionCase.objects.filter(code=code, subject__in=subjects, status__in=OPEN), "resolved", reason, by)


def close_for(kind: str, subject_id: UUID, *, reason: str, by: Actor, waived: bool = False) -> int:
    """Close the open cases about one message or delivery, whatever their code, because a person dealt with it."""
    about = ExceptionCase.objects.filter(subject=f"{kind}:{subject_id}", status__in=OPEN)
    return _end(about, "waived" if waived else "resolved", reason, by)


def close_about(subjects: Sequence[str], *, reason: str, by: Actor) -> int:
    """Resolve the open cases of these subjects, whatever their code, because they are done again; returns how many."""
    about = ExceptionCase.objects.filter(subject__in=subjects, status__in=OPEN)
    return _end(about.order_by("code", "subject"), "resolved", reason, by)


def _end(ending: Iterable[ExceptionCase], status: str, reason: str, by: Actor) -> int:
    closed = 0
    for case in ending:
        advance(case, status, reason=reason, closed_at=timezone.now())
        audit.record("cases.waive" if status == "waived" else "cases.resolve", by=by, subject=case, reason=reason)
        closed += 1
    return closed
