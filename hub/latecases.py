"""Cases for what is late: one for each step and place, with all its members; it closes with the last of them.

A case is about a facility, or about a department that has a deadline of its own. However many are late there, and for
whatever reason, it is one case. A member that a person waived opens no other one; new members do.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils import timezone

from hub import access, bulk, cases, shapes
from hub.cases import NewCase


@dataclass(frozen=True, slots=True)
class Topic:
    """What the cases of a step say. `text` may hold "{promise}"."""

    code: str
    step: str
    label: str
    text: str
    owner: str
    advice: str = ""
    partner: str = ""


@dataclass(slots=True)
class Place:
    """What is late in one step at one place."""

    facility: str
    scope: str
    count: int = 0
    untold: int = 0  # of which no case tells, or one that somebody resolved too early
    since: datetime | None = None
    case_ids: set[int] = field(default_factory=set)
    worth: dict[str, Decimal] = field(default_factory=dict)

    @property
    def said(self) -> str:
        """The money in words; currencies are never added up."""
        return " + ".join(shapes.figure(amount, currency) for currency, amount in self.worth.items() if amount)

    @property
    def largest(self) -> tuple[str, Decimal]:
        """The currency in which most is at stake, and how much: a case holds one amount."""
        return max(self.worth.items(), key=lambda item: abs(item[1]), default=("USD", Decimal(0)))


LATE = """
SELECT o.step, o.facility, o.scope, o.currency, count(*), sum(o.amount), min(o.since),
    count(*) FILTER (WHERE c.id IS NULL OR c.status = 'resolved'),
    array_agg(DISTINCT c.id) FILTER (WHERE c.status IN ('open', 'assigned'))
FROM hub_overdue o LEFT JOIN hub_exceptioncase c ON c.id = o.case_id
WHERE o.over_at IS NULL AND o.late_at IS NOT NULL AND (%(step)s = '' OR o.step = %(step)s)
GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
"""
JOIN = """
UPDATE hub_overdue o SET case_id = %s
WHERE o.step = %s AND o.facility = %s AND o.scope = %s AND o.over_at IS NULL AND o.late_at IS NOT NULL
AND (o.case_id IS NULL OR EXISTS (SELECT FROM hub_exceptioncase c WHERE c.id = o.case_id AND c.status = 'resolved'))
"""
# Figures only, from look to look: the case's history tells what people did to it.
TELL = """
UPDATE hub_exceptioncase SET title = %s, text = %s, amount = %s, currency = %s, data = %s::jsonb
WHERE id = ANY(%s) AND status IN ('open', 'assigned') AND (text <> %s OR amount <> %s)
"""
OPEN = """
SELECT subject FROM hub_exceptioncase
WHERE code = %s AND status IN ('open', 'assigned') AND starts_with(subject, %s)
"""


def places(step: str = "") -> dict[tuple[str, str, str], Place]:
    """What is late now, by (step, facility, scope)."""
    found: dict[tuple[str, str, str], Place] = {}
    for step_, facility, scope, currency, count, amount, since, untold, case_ids in bulk.fetch(LATE, {"step": step}):
        place = found.setdefault((step_, facility, scope), Place(facility, scope))
        place.count, place.untold = place.count + count, place.untold + untold
        place.since = since if place.since is None else min(place.since, since)
        place.worth[currency] = amount
        place.case_ids |= set(case_ids or ())
    return found


def tell(topic: Topic, promise: Callable[[str, str], str]) -> None:
    """Open, bring up to date and close the cases of a step. Nothing changes where nothing has changed."""
    found = places(topic.step)
    for (_, facility, scope), place in found.items():
        case = _case(topic, place, promise(facility, scope))
        if place.untold:
            case_id = cases.open_many([case], by=access.SYSTEM)[case.code, case.subject]
            bulk.run(JOIN, [case_id, topic.step, facility, scope])
            place.case_ids.add(case_id)
        figures: list[Any] = [case.title, case.text, case.amount, case.currency, bulk.json(case.data)]
        bulk.run(TELL, [*figures, sorted(place.case_ids), case.text, case.amount])
    late = {subject(topic.step, facility, scope) for _, facility, scope in found}
    over = [row[0] for row in bulk.fetch(OPEN, [topic.code, f"late:{topic.step}:"]) if row[0] not in late]
    if over:
        cases.close(topic.code, over, reason="The last one that was late came through.", by=access.SYSTEM)


def subject(step: str, facility: str, scope: str) -> str:
    """What names the cause: the step and the place."""
    return f"late:{step}:{facility}:{scope}"


def _case(topic: Topic, place: Place, promise: str) -> NewCase:
    where = " ".join(filter(None, (place.facility, place.scope)))
    currency, amount = place.largest
    assert place.since is not None
    oldest = timezone.localtime(place.since).strftime("%Y-%m-%d %H:%M")
    worth = f", worth {place.said}" if place.said else ""
    text = (
        f"{shapes.count(place.count, 'item')} late{f' at {where}' if where else ''}{worth}; the oldest waits since "
        f"{oldest}. {topic.text.format(promise=promise)} {topic.advice}".strip()
    )
    return NewCase(
        code=topic.code, subject=subject(topic.step, place.facility, place.scope),
        title=f"Late: {topic.label}" + (f" at {where}" if where else ""), text=text, owner=topic.owner, severity=2,
        facility=place.facility, partner=topic.partner, amount=amount, currency=currency,
        data={"step": topic.step, "facility": place.facility, "scope": place.scope, "late": place.count},
    )  # fmt: skip
