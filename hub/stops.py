"""Stops: a document that needs a person holds back later ones of its own key, and says so."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from hub import bulk
from hub.batches import Poison
from hub.cases import NewCase
from hub.errors import HubError


def put(queue: str, entries: Sequence[tuple[str, UUID]], now: datetime) -> None:
    """Stop these keys of the queue at these documents; a key that is stopped already stays as it is."""
    if entries:
        bulk.run(
            "INSERT INTO hub_stop (queue, key, subject_id, since)"
            " SELECT %s, k, s, %s FROM unnest(%s::text[], %s::uuid[]) x(k, s) ON CONFLICT DO NOTHING",
            [queue, now, [key for key, _ in entries], [subject for _, subject in entries]],
        )


LIFT = "DELETE FROM hub_stop WHERE subject_id = ANY(%s::uuid[])"
# Whoever is blocked on a key that nothing stops any more goes on; a key that another document stops stays blocked.
FREE_MESSAGES = """
UPDATE hub_message m SET status = 'received'
FROM (
    SELECT DISTINCT l.endpoint_id, l.key, 'in:' || e.code AS queue
    FROM hub_message l JOIN hub_endpoint e ON e.id = l.endpoint_id WHERE l.id = ANY(%s::uuid[])
) w
WHERE m.status = 'blocked' AND m.endpoint_id = w.endpoint_id AND m.key = w.key
  AND NOT EXISTS (SELECT 1 FROM hub_stop s WHERE s.queue = w.queue AND s.key = w.key)
"""
FREE_DELIVERIES = """
UPDATE hub_delivery d SET status = 'pending'
FROM (
    SELECT DISTINCT l.route, l.endpoint_id, l.key, l.route || coalesce('@' || e.code, '') AS queue
    FROM hub_delivery l LEFT JOIN hub_endpoint e ON e.id = l.endpoint_id WHERE l.id = ANY(%s::uuid[])
) w
WHERE d.status = 'blocked' AND d.route = w.route AND d.endpoint_id IS NOT DISTINCT FROM w.endpoint_id AND d.key = w.key
  AND NOT EXISTS (SELECT 1 FROM hub_stop s WHERE s.queue = w.queue AND s.key = w.key)
"""


def lift_messages(message_ids: Iterable[UUID]) -> int:
    """Lift the stops that these messages put on their keys; returns how many messages were blocked and follow now.

    The caller holds their lanes.
    """
    return _lift(FREE_MESSAGES, message_ids)


def lift_deliveries(delivery_ids: Iterable[UUID]) -> int:
    """Lift the stops that these deliveries put on their keys; returns how many were blocked and follow now.

    The caller holds their lanes.
    """
    return _lift(FREE_DELIVERIES, delivery_ids)


def _lift(free: str, subject_ids: Iterable[UUID]) -> int:
    ids = bulk.uuids(subject_ids)
    bulk.run(LIFT, [ids])
    return bulk.run(free, [ids])


def explain(error: Exception) -> tuple[str, str]:
    """(registry code, text) of whatever stopped a document. A bug shows its type and place, never its values."""
    if isinstance(error, HubError):
        return error.code, error.text + (f" (at {error.where})" if error.where else "")
    if isinstance(error, Poison):
        return "POISON", str(error)
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = "" if trace is None else f" in {trace.tb_frame.f_code.co_name}, line {trace.tb_lineno}"
    return "BUG", f"{type(error).__name__}{place}. This is a defect of ours: the integration engineer must look."


def case(code: str, text: str, *, subject: str, what: str, owner: str = "integration", **fields: object) -> NewCase:
    """The case that belongs to a stop."""
    severity = 2 if code in {"BUG", "POISON"} else 3
    title = f"{what} stopped: {code}"
    return NewCase(code=code, subject=subject, title=title, text=text, owner=owner, severity=severity, **fields)  # type: ignore[arg-type]
