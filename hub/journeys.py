"""Journeys: which steps are late, told from the rows of the outbox. Nothing is written for what is in time.

A step has begun when its route has a delivery of its fact, and is reached when that delivery is settled. So what may be
late is among the deliveries that are *not* settled: the look reads their partial indexes, and costs what stands still
and not what flows. It has no watermark: what was committed late is found by the next look like everything else.

A row of `hub_overdue` begins when the shortest promise of the step is over. `late_at` says that the promise of its own
place is; so no deadline is worked out for a row, and an edited deadline counts from the next look on.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from hub import bulk, ids, latecases, looks, promises
from hub.latecases import Topic
from hub.promises import Step
from hub.routing import registry

BATCH = 20_000
MOST_BATCHES = 5  # of one step in one look; the rest has its turn a minute later
CODE = "JOURNEY_LATE"

# Two branches, one for each partial index that knows unsettled deliveries. No bound by id: the planner would take the
# primary key for it, and read what is settled.
UNSETTLED = """
WITH unsettled AS MATERIALIZED (
    SELECT d.id, d.fact_id FROM hub_delivery d WHERE d.route = %(route)s AND d.status = 'pending'
    UNION ALL
    SELECT d.id, d.fact_id FROM hub_delivery d
    WHERE d.status IN ('sending', 'stopped', 'blocked') AND d.route = %(route)s
)
"""
# What was watched and came through in time was never late: nothing is kept of it.
OVER = f"""{UNSETTLED}, forgotten AS (
    DELETE FROM hub_overdue o WHERE o.step = %(step)s AND o.over_at IS NULL AND o.late_at IS NULL
    AND NOT EXISTS (SELECT FROM unsettled u WHERE u.id = o.subject_id)
)
UPDATE hub_overdue o SET over_at = %(now)s WHERE o.step = %(step)s AND o.over_at IS NULL AND o.late_at IS NOT NULL
AND NOT EXISTS (SELECT FROM unsettled u WHERE u.id = o.subject_id)
"""  # noqa: S608
# What is settled stays so: a row that is over has no unsettled delivery.
NEW = f"""{UNSETTLED}, fresh AS MATERIALIZED (
    SELECT u.id, u.fact_id FROM unsettled u WHERE u.id < %(before)s
    AND NOT EXISTS (SELECT FROM hub_overdue o WHERE o.step = %(step)s AND o.subject_id = u.id AND o.over_at IS NULL)
    ORDER BY u.id LIMIT %(most)s
)
SELECT n.id, n.fact_id, f.name, f.correlation_id, coalesce(f.message_id, c.message_id), f.key, f.published_at, f.payload
FROM fresh n JOIN hub_fact f ON f.id = n.fact_id LEFT JOIN hub_fact c ON c.id = f.cause_id
"""  # noqa: S608
# The promise of each row's place, and whether it is broken. One that was made longer takes its rows back.
JUDGE = """
UPDATE hub_overdue o SET late_at = CASE WHEN w.late THEN %(now)s END, scope = w.department
FROM (
    SELECT r.id, p.department, coalesce(r.since <= p.latest, false) AS late
    FROM hub_overdue r CROSS JOIN LATERAL (
        SELECT p.department, p.latest
        FROM unnest(%(facilities)s::text[], %(departments)s::text[], %(latest)s::timestamptz[])
            WITH ORDINALITY p(facility, department, latest, place)
        WHERE p.facility IN ('', r.facility) AND p.department IN ('', r.department) ORDER BY p.place LIMIT 1
    ) p
    WHERE r.step = %(step)s AND r.over_at IS NULL
) w
WHERE o.id = w.id AND ((o.late_at IS NOT NULL) <> w.late OR o.scope <> w.department)
"""
COLUMNS = (
    ("step", "text"), ("subject_id", "uuid"), ("fact_id", "uuid"), ("correlation_id", "uuid"), ("message_id", "uuid"),
    ("key", "text"), ("facility", "text"), ("department", "text"), ("scope", "text"), ("amount", "numeric"),
    ("currency", "text"), ("since", "timestamptz"),
)  # fmt: skip


def look(now: datetime) -> None:
    """Look at every step once."""
    for step in promises.steps():
        looks.alone(step.name, lambda step=step: _look(step, now))  # type: ignore[misc]


def topic(step: Step) -> Topic:
    """What the cases of a step are about."""
    milestone = step.milestone
    text = f"{milestone.label} was promised {{promise}} after the step began."
    return Topic(CODE, step.name, step.label, text, milestone.owner, milestone.advice)


def _look(step: Step, now: datetime) -> None:
    made = promises.of(step)
    starts = [promise.latest_start(now) for promise in made]
    soonest = max((start for start in starts if start is not None), default=None)
    # However many are said to wait, in the statistics of an outage: whole tables are never the way to them.
    bulk.run("SET LOCAL enable_seqscan = off")
    if soonest is not None:
        _watch_new(step, soonest)
    bulk.run(OVER, {"route": step.milestone.by, "now": now, "step": step.name})
    places = {
        "facilities": [promise.facility for promise in made],
        "departments": [promise.department for promise in made],
        "latest": starts,
    }
    bulk.run(JUDGE, {"now": now, "step": step.name, **places})
    latecases.tell(topic(step), lambda facility, scope: promises.at(made, facility, scope).said)


def _watch_new(step: Step, soonest: datetime) -> None:
    params = {"route": step.milestone.by, "before": ids.floor(soonest), "step": step.name, "most": BATCH}
    decoders = _decoders(step)
    for _ in range(MOST_BATCHES):
        rows = bulk.fetch(NEW, params)
        bulk.copy("hub_overdue", COLUMNS, [_row(step, decoders, row) for row in rows])
        if len(rows) < BATCH:
            return


def _row(step: Step, decoders: dict[str, Callable[[str], Any]], row: Sequence[Any]) -> tuple[Any, ...]:
    delivery_id, fact_id, name, correlation_id, message_id, key, published_at, payload = row
    about = step.milestone.about(decoders[name](payload))
    return (
        step.name, delivery_id, fact_id, correlation_id, message_id, key, about.facility, about.department, "",
        about.amount, about.currency, published_at,
    )  # fmt: skip


def _decoders(step: Step) -> dict[str, Callable[[str], Any]]:
    return {fact.name: fact.decode for fact in registry.heard_by(step.milestone.by)}
