"""Once more: stopped documents go back into their queue in one stroke, and the cases about them end.

The callers hold the lanes of what they put back, so that nobody works on them while this decides.
"""

from collections.abc import Callable, Sequence
from uuid import UUID

from hub import bulk, cases, stops
from hub.access import Actor

MESSAGES = """
UPDATE hub_message SET status = 'received', problem_code = '', problem = '', attempts = 0, settled_at = NULL
WHERE id = ANY(%s::uuid[]) AND status IN ('stopped', 'refused', 'applied')
"""
DELIVERIES = """
UPDATE hub_delivery SET status = 'pending', problem_code = '', problem = '', dispatch_id = NULL, attempts = 0
WHERE id = ANY(%s::uuid[]) AND status = 'stopped'
"""


def messages(ids: Sequence[UUID], *, reason: str, by: Actor) -> int:
    """Let these messages wait for a worker again; returns how many of their keys were blocked and follow now."""
    return _again(MESSAGES, "message", stops.lift_messages, ids, reason, by)


def deliveries(ids: Sequence[UUID], *, reason: str, by: Actor) -> int:
    """Let these deliveries wait for their listener again; returns how many of their keys follow now."""
    return _again(DELIVERIES, "delivery", stops.lift_deliveries, ids, reason, by)


def _again(
    statement: str, kind: str, lift: Callable[[Sequence[UUID]], int], ids: Sequence[UUID], reason: str, by: Actor
) -> int:
    if not ids:
        return 0
    bulk.run(statement, [bulk.uuids(ids)])
    freed = lift(ids)
    cases.close_about([f"{kind}:{id_}" for id_ in ids], reason=reason, by=by)
    return freed
