"""Documents that did not happen: a fact that must follow each message, a message that must come by a time of day.

What must follow is looked for when its time is over, each message once, up to a mark that stands some minutes back: a
message that was committed late is still before it. A row is written for what is missing, and ends when it comes.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone

from hub import bulk, calendars, ids, latecases, looks
from hub.latecases import Topic
from hub.models import Expectation, Overdue
from hub.models.journeys import BusinessCalendar

CODE = "DOCUMENT_MISSING"
OVERLAP = timedelta(minutes=15)  # how long a message's transaction may have been open
BATCH = 5_000
DAYS_BACK = 14  # a day on which nobody works has no document; so far back is looked for one that has
OUT = "('refused', 'skipped', 'waived', 'replaced')"  # nothing follows these
FOLLOWED = """EXISTS (
    SELECT FROM hub_fact f WHERE f.correlation_id = m.correlation_id AND (f.message_id = m.id OR f.message_id IS NULL)
    AND f.name = %(fact)s AND f.id >= %(since)s
)"""
MISSING = f"""
INSERT INTO hub_overdue
    (step, subject_id, correlation_id, message_id, key, facility, department, scope, amount, currency, since, late_at)
SELECT %(step)s::text, m.id, m.correlation_id, m.id, m.key, %(facility)s, '', '', 0, 'USD', m.received_at, %(now)s
FROM hub_message m
WHERE m.id >= %(since)s AND m.id < %(before)s AND m.endpoint_id = %(endpoint)s
AND (%(kind)s = '' OR m.kind = %(kind)s) AND m.status NOT IN {OUT} AND NOT {FOLLOWED}
AND NOT EXISTS (SELECT FROM hub_overdue o WHERE o.step = %(step)s::text AND o.subject_id = m.id)
ORDER BY m.id LIMIT %(most)s
ON CONFLICT (step, subject_id) DO NOTHING
RETURNING since
"""  # noqa: S608
CAME = f"""
UPDATE hub_overdue o SET over_at = %(now)s FROM hub_message m
WHERE o.step = %(step)s AND o.over_at IS NULL AND m.id = o.subject_id
AND m.id >= %(since)s AND (m.status IN {OUT} OR {FOLLOWED})
"""  # noqa: S608
FIRST = "SELECT subject_id FROM hub_overdue WHERE step = %s AND over_at IS NULL ORDER BY subject_id LIMIT 1"
HEARD = """
UPDATE hub_expectation e SET heard_at = w.last_at FROM (
    SELECT max(received_at) AS last_at FROM hub_message
    WHERE id >= %(since)s AND endpoint_id = %(endpoint)s AND (%(kind)s = '' OR kind = %(kind)s) AND status <> 'refused'
) w WHERE e.id = %(rule)s AND w.last_at IS NOT NULL AND (e.heard_at IS NULL OR e.heard_at < w.last_at)
"""


def look(now: datetime) -> None:
    """Look at every rule; those that are switched off expect nothing any more, and what was missing is over."""
    for rule in Expectation.objects.select_related("endpoint__partner", "calendar"):
        looks.alone(rule.step, lambda rule=rule: _look(rule, now))  # type: ignore[misc]


def _look(rule: Expectation, now: datetime) -> None:
    if rule.active and not rule.endpoint.paused:
        KINDS[rule.kind](rule, now)
    elif not rule.active:
        bulk.run("UPDATE hub_overdue SET over_at = %s WHERE step = %s AND over_at IS NULL", [now, rule.step])
    latecases.tell(topic(rule), lambda facility, scope: "")


def topic(rule: Expectation) -> Topic:
    """What the case of a rule is about."""
    door = rule.endpoint
    what = f"{rule.message_kind or 'message'} of {door.name}"
    text = {
        "follows": f"Each {what} is to be followed by {rule.fact} within {rule.minutes} min; it was not.",
        "daily": f"A {what} is to come by {rule.by_time:%H:%M} each day; none came." if rule.by_time else "",
    }[rule.kind]
    advice = {
        "follows": "Look at the messages below: what stopped them?",
        "daily": "Ask the sender whether it was made, and look at the connection.",
    }[rule.kind]
    return Topic(CODE, rule.step, rule.name, text.replace("{", "("), rule.owner, advice, door.partner.code)


def _follows(rule: Expectation, now: datetime) -> None:
    """What is missing is asked for again; then the messages whose time is over since the last look are judged."""
    arithmetic = rule.calendar.rules() if rule.calendar else None
    about: dict[str, Any] = {"step": rule.step, "fact": rule.fact, "now": now}
    if oldest := bulk.fetch(FIRST, [rule.step]):
        bulk.run(CAME, {**about, "since": oldest[0][0]})
    until = calendars.latest_start(arithmetic, now, timedelta(minutes=rule.minutes or 0))
    since = max(rule.created_at, (rule.looked_to or rule.created_at) - OVERLAP)
    if until is None or until <= since:
        return
    found = bulk.fetch(
        MISSING,
        {
            **about, "since": ids.floor(since), "before": ids.floor(until), "endpoint": rule.endpoint_id,
            "kind": rule.message_kind, "facility": rule.endpoint.facility, "most": BATCH,
        },
    )  # fmt: skip
    # A full batch was not all: the mark stands at its last one, and the next look goes on from there.
    _remember(rule, max(row[0] for row in found) if len(found) >= BATCH else until)


def _remember(rule: Expectation, looked_to: datetime) -> None:
    bulk.run("UPDATE hub_expectation SET looked_to = %s WHERE id = %s", [looked_to, rule.pk])
    rule.looked_to = looked_to


def _daily(rule: Expectation, now: datetime) -> None:
    """Whether one came since the time of the working day before; what was missing is over when the next one comes."""
    since = ids.floor((rule.looked_to or rule.created_at) - OVERLAP)
    bulk.run(
        HEARD, {"rule": rule.pk, "since": since, "endpoint": rule.endpoint_id, "kind": rule.message_kind}
    )  # fmt: skip
    _remember(rule, now)
    rule.refresh_from_db(fields=["heard_at"])
    times = due_times(rule.by_time, rule.calendar, now) if rule.by_time else []
    for row in Overdue.objects.filter(step=rule.step, over_at=None):
        if rule.heard_at is not None and rule.heard_at > row.since:
            row.over_at = now
            row.save(update_fields=["over_at"])
    if len(times) < 2 or times[1] < rule.created_at or (rule.heard_at is not None and rule.heard_at > times[1]):
        return
    Overdue.objects.get_or_create(
        step=rule.step, subject_id=ids.floor(times[0]),
        defaults={"since": times[0], "late_at": now, "facility": rule.endpoint.facility, "key": f"{times[0]:%Y-%m-%d}"},
    )  # fmt: skip


def due_times(by: clock, calendar: BusinessCalendar | None, now: datetime) -> list[datetime]:
    """The last two times by which a document had to come, the newer one first; working days of the calendar only."""
    arithmetic = calendar.rules() if calendar else None
    zone: Any = arithmetic.zone if arithmetic else timezone.get_default_timezone()
    today = now.astimezone(zone).date()
    days = (today - timedelta(days=back) for back in range(DAYS_BACK))
    times = (_at(day, by, zone) for day in days if arithmetic is None or arithmetic.hours(day))
    return [moment for moment in times if moment <= now][:2]


def _at(day: date, by: clock, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, by, zone).astimezone(UTC)


KINDS: dict[str, Callable[[Expectation, datetime], None]] = {"follows": _follows, "daily": _daily}
