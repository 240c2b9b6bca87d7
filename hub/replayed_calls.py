"""Calls of a replay that sends again: which deliveries belong to a call that was made, and what came of each."""

from hub import bulk, ids, queue, resending
from hub.models import Endpoint, Replay
from hub.replayitems import Batch

ROWS = """
SELECT d.id, d.status, d.dispatch_id, d.route, d.endpoint_id, coalesce(o.reference, ''), coalesce(e.active, false)
FROM hub_delivery d LEFT JOIN hub_dispatch o ON o.id = d.dispatch_id AND o.status = 'delivered'
LEFT JOIN hub_endpoint e ON e.id = d.endpoint_id
WHERE d.id = ANY(%s::uuid[]) ORDER BY d.id
"""
WRITE = """
INSERT INTO hub_resend (id, replay_id, dispatch_id, route, endpoint_id, before, status, attempts, due_at, created_at,
    reference, text)
SELECT w.id, %s, w.dispatch_id, w.route, w.endpoint_id, w.before, 'waiting', 0, now(), now(), '', ''
FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::bigint[], %s::text[]) w(id, dispatch_id, route, endpoint_id, before)
ON CONFLICT DO NOTHING
"""
CANCEL = """
UPDATE hub_resend SET status = 'failed', settled_at = now(), text = 'The replay was cancelled before it went out.'
WHERE replay_id = %s AND status = 'waiting' AND attempts = 0
"""
SETTLE = """
UPDATE hub_replayitem i SET result = w.result, text = w.text, at = now()
FROM (
    SELECT x.id, CASE r.status WHEN 'done' THEN 'done' ELSE 'failed' END AS result,
        coalesce(r.text, 'It is not stored any more.') AS text
    FROM hub_replayitem x LEFT JOIN hub_delivery d ON d.id = x.subject_id
    LEFT JOIN hub_resend r ON r.replay_id = x.replay_id AND r.dispatch_id = d.dispatch_id
    WHERE x.replay_id = %s AND x.result = 'moving' AND coalesce(r.status, 'failed') IN ('done', 'failed')
) w WHERE i.id = w.id
"""
NEVER = "It was not delivered to a partner: there is no call that could be sent again."
OFF = "Its endpoint is switched off."
FORMAT = "The chosen system speaks no format for what this carries."


class Calls:
    """How calls that were made go out again; each whole, however many of its deliveries were chosen."""

    def put_back(self, batch: Batch) -> None:
        """Every delivered delivery's call waits to be sent again; no delivery, call or book changes."""
        replay = Replay.objects.select_related("destination").get(pk=batch.replay_id)
        copy_to = replay.destination if replay.mode == "copy" else None
        calls: dict[object, tuple[object, ...]] = {}
        for id_, status, dispatch_id, route, endpoint_id, reference, active in bulk.fetch(
            ROWS, [bulk.uuids(batch.subjects)]
        ):
            if why := _why_not(status, dispatch_id, route, active, copy_to):
                batch.left[id_] = why
                continue
            batch.back.add(id_)
            where, before = (endpoint_id, reference or "?") if copy_to is None else (copy_to.pk, "")
            calls.setdefault(dispatch_id, (ids.uuid7(), dispatch_id, route, where, before))
        for id_ in batch.subjects:
            if id_ not in batch.back:
                batch.left.setdefault(id_, "It is not stored any more.")
        if calls:
            bulk.run(WRITE, [replay.pk, *(list(column) for column in zip(*calls.values(), strict=True))])
        for endpoint_id in {call[3] for call in calls.values()}:
            queue.nudge("send", endpoint_id)  # type: ignore[arg-type]

    def settle(self, replay_id: int) -> int:
        """Write down what became of those that went out; what a cancelled replay has not sent stays unsent."""
        if Replay.objects.filter(pk=replay_id, status="cancelled").exists():
            bulk.run(CANCEL, [replay_id])
        return bulk.run(SETTLE, [replay_id])


def _why_not(status: str, dispatch_id: object, route: str, active: bool, copy_to: Endpoint | None) -> str:
    """Why nothing is sent of this delivery, or ""."""
    if status != "delivered" or dispatch_id is None:
        return NEVER
    if copy_to is None:
        return "" if active else OFF
    if not copy_to.active:
        return "The chosen system is switched off."
    return "" if resending.road(route, copy_to) else FORMAT
