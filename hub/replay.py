"""Bulk replay: plan, approve, run, account for every item. Nothing moves before somebody has seen the plan.

A plan fixes its items when it is made, one row each. Above a threshold a second person approves it. While it runs, a
worker puts its items back into their queues batch by batch (`hub.replaying`); what they did before is recognised by
its business key, so that nothing is done twice. Admin and API call nothing else.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import models, transaction
from django.utils import timezone

from hub import access, audit, bulk, queue, resendplans, selections, stakes
from hub.access import Actor
from hub.errors import NotAllowed, Refused
from hub.models import Endpoint, Replay
from hub.models.states import advance
from hub.routing import registry

# What the plan's figures are read from, by kind.
FIGURES = {
    "messages": """
SELECT count(*), count(*) FILTER (WHERE m.status IN ('applied', 'skipped')),
       count(*) FILTER (WHERE m.status = 'blocked'), array_agg(DISTINCT e.facility)
FROM hub_replayitem i JOIN hub_message m ON m.id = i.subject_id JOIN hub_endpoint e ON e.id = m.endpoint_id
WHERE i.replay_id = %s
""",
    "deliveries": """
SELECT count(*), count(*) FILTER (WHERE d.status = 'delivered'), count(*) FILTER (WHERE d.status = 'blocked'),
       array_agg(DISTINCT coalesce(e.facility, ''))
FROM hub_replayitem i JOIN hub_delivery d ON d.id = i.subject_id LEFT JOIN hub_endpoint e ON e.id = d.endpoint_id
WHERE i.replay_id = %s
""",
}
LEGS = {
    "messages": """
SELECT e.format, m.kind, e.name, count(*)
FROM hub_replayitem i JOIN hub_message m ON m.id = i.subject_id JOIN hub_endpoint e ON e.id = m.endpoint_id
WHERE i.replay_id = %s GROUP BY 1, 2, 3 ORDER BY 4 DESC, 2, 3
""",
    "deliveries": """
SELECT d.route, '', coalesce(e.name, ''), count(*)
FROM hub_replayitem i JOIN hub_delivery d ON d.id = i.subject_id LEFT JOIN hub_endpoint e ON e.id = d.endpoint_id
WHERE i.replay_id = %s GROUP BY 1, 3 ORDER BY 4 DESC, 1, 3
""",
}


def plan(
    kind: str, filters: Mapping[str, str], *, reason: str, limit: int | None = None, mode: str = "again", to: str = "",
    by: Actor,
) -> Replay:  # fmt: skip
    """Choose what shall be done again and tell what that means; nothing moves yet.

    `mode` "resend" sends delivered calls to their partner once more, "copy" to the shadow system `to`: both need the
    permission for it, and a second person always. Takes at most `limit` items, the oldest first. Raises `Refused`:
    REPLAY_FILTER for a filter that is wrong or reads too much, REPLAY_REASON, REPLAY_LIMIT, REPLAY_EMPTY where nothing
    matches, REPLAY_MODE, REPLAY_DESTINATION.
    """
    access.require(by, "hub.plan_replay")
    if not reason.strip():
        raise Refused("REPLAY_REASON", "A replay needs a reason that an auditor will understand.")
    most = settings.REPLAY_MAX_ITEMS
    limit = most if limit is None else limit
    if not 1 <= limit <= most:
        raise Refused("REPLAY_LIMIT", f"One replay takes 1 to {most:,} items; choose in several parts.")
    filters, shadow = resendplans.check(kind, mode, to, filters, by=by)
    selection = selections.check(kind, filters, by=by)
    with transaction.atomic():
        replay = Replay.objects.create(
            kind=kind, mode=mode, filters=dict(selection.filters), limit=limit, reason=reason.strip(),
            planned_by=by.user, planned_at=timezone.now(), needs_approval=mode != "again",
            destination=shadow or _destination(kind, selection.filters),
        )  # fmt: skip
        count = selection.write(replay.pk, limit)
        if not count:
            raise Refused("REPLAY_EMPTY", "Nothing matches: widen the time or the other filters.")
        figures = _figures(replay) | {"more": count == limit and selection.exceeds(limit)}
        needs = mode != "again" or count > settings.REPLAY_APPROVAL_ITEMS
        if needs:
            advance(replay, "waiting_approval", needs_approval=True, **figures)
        else:
            for name, value in figures.items():
                setattr(replay, name, value)
            replay.save(update_fields=list(figures))
        detail = {
            "kind": kind,
            "mode": mode,
            "filters": sorted(selection.filters),
            "count": count,
            "worth": figures["worth"],
        }
        audit.record("replays.plan", by=by, subject=replay, reason=reason, detail=detail)
    return replay


def _destination(kind: str, filters: Mapping[str, str]) -> Endpoint | None:
    """The one partner's endpoint that deliveries go to, where the plan names it."""
    return Endpoint.objects.get(code=filters["endpoint"]) if kind == "deliveries" and "endpoint" in filters else None


def _figures(replay: Replay) -> dict[str, Any]:
    count, already, behind, facilities = bulk.fetch(FIGURES[replay.kind], [replay.pk])[0]
    stake = stakes.of(replay.kind, replay.pk)
    return {
        "count": count,
        "already": already,
        "behind": behind,
        "facilities": sorted(facilities or ()),
        "known": stake.known,
        "closed": stake.closed,
        "worth": {currency: str(amount.quantize(Decimal("0.0001"))) for currency, amount in stake.worth.items()},
        "destinations": _legs(replay),
    }


def _legs(replay: Replay) -> list[dict[str, Any]]:
    if replay.mode != "again":
        return resendplans.legs(replay)
    return [
        {"name": _leg(replay.kind, *leg), "count": number}
        for *leg, number in bulk.fetch(LEGS[replay.kind], [replay.pk])
    ]


def _leg(kind: str, first: str, second: str, endpoint: str) -> str:
    """Where items go, in words: the verb that messages are applied by, or the listener of deliveries."""
    if kind == "deliveries":
        return f"{first} to {endpoint or 'this hub itself'}"
    route = registry.inbound(first, second)
    return f"{second or 'unreadable'} from {endpoint} to {route.name if route else 'nobody: no route reads it'}"


def approve(replay: Replay, *, reason: str = "", by: Actor) -> Replay:
    """A second person has looked at the plan and lets it run. Never by whoever planned it."""
    _require(by, "hub.approve_replay", replay)
    if by.is_system or by.user.pk == replay.planned_by_id:
        raise Refused("REPLAY_OWN", "Whoever planned a replay does not approve it: a second person has to look.")
    with transaction.atomic():
        advance(replay, "approved", approved_by=by.user, approved_at=timezone.now())
        audit.record("replays.approve", by=by, subject=replay, reason=reason, detail={"count": replay.count})
    return replay


def reject(replay: Replay, *, reason: str, by: Actor) -> Replay:
    """A second person has looked at the plan and does not let it run."""
    _require(by, "hub.approve_replay", replay)
    _reason(reason)
    if replay.status != "waiting_approval":
        raise Refused("STATE_MOVE", f"The replay is {replay.status}: only one that waits for approval is rejected.")
    return _end(replay, "replays.reject", reason, by)


def start(replay: Replay, *, by: Actor) -> Replay:
    """Let the workers begin, batch by batch."""
    _require(by, "hub.run_replay", replay)
    if replay.status == "paused":
        raise Refused("STATE_MOVE", "The replay is paused: resume it.")
    with transaction.atomic():
        advance(replay, "running", started_at=timezone.now())
        audit.record("replays.start", by=by, subject=replay, detail={"count": replay.count})
        queue.nudge("replay")
    return replay


def pause(replay: Replay, *, reason: str = "", by: Actor) -> Replay:
    """Begin no further batch; what is under way comes to its end."""
    _require(by, "hub.run_replay", replay)
    with transaction.atomic():
        advance(replay, "paused")
        audit.record("replays.pause", by=by, subject=replay, reason=reason, detail=counts(replay))
    return replay


def resume(replay: Replay, *, by: Actor) -> Replay:
    """Go on where it was paused."""
    _require(by, "hub.run_replay", replay)
    if replay.status in ("planned", "approved"):
        raise Refused("STATE_MOVE", "The replay was not started yet: start it.")
    with transaction.atomic():
        advance(replay, "running")
        audit.record("replays.resume", by=by, subject=replay, detail=counts(replay))
        queue.nudge("replay")
    return replay


def cancel(replay: Replay, *, reason: str, by: Actor) -> Replay:
    """End it, before or in the middle: what was not begun stays as it is, what is under way gets its result."""
    _require(by, "hub.run_replay", replay)
    _reason(reason)
    return _end(replay, "replays.cancel", reason, by)


def _end(replay: Replay, verb: str, reason: str, by: Actor) -> Replay:
    with transaction.atomic():
        advance(replay, "cancelled", finished_at=timezone.now())
        audit.record(verb, by=by, subject=replay, reason=reason, detail=counts(replay))
    return replay


def counts(replay: Replay) -> dict[str, int]:
    """How many items have which result, from the rows themselves."""
    found = dict(bulk.fetch("SELECT result, count(*) FROM hub_replayitem WHERE replay_id = %s GROUP BY 1", [replay.pk]))
    return {result: found.get(result, 0) for result in ("pending", "moving", "done", "skipped", "failed")}


def visible(queryset: models.QuerySet[Replay], by: Actor) -> models.QuerySet[Replay]:
    """Replays whose every item belongs to a facility that `by` sees."""
    granted = access.facilities(by)
    return queryset if granted is None else queryset.filter(facilities__contained_by=sorted(granted))


def _require(by: Actor, permission: str, replay: Replay) -> None:
    access.require(by, permission)
    granted = access.facilities(by)
    if granted is not None and not granted.issuperset(replay.facilities):
        raise NotAllowed("ACCESS_FACILITY", f"{by.name} does not see all facilities of this replay.")


def _reason(reason: str) -> None:
    if not reason.strip():
        raise Refused("REPLAY_REASON", "This needs a reason that an auditor will understand.")
