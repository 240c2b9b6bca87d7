"""Messages of a replay: those that stopped, were refused or applied go back into the inbox; the rest says why not."""

from uuid import UUID

from hub import access, again, bulk, lanes, queue
from hub.replayitems import Batch
from hub.routing import registry

LANES = "SELECT DISTINCT lane FROM hub_message WHERE id = ANY(%s::uuid[]) ORDER BY 1"
ROWS = """
SELECT m.id, m.status, m.kind, e.format FROM hub_message m JOIN hub_endpoint e ON e.id = m.endpoint_id
WHERE m.id = ANY(%s::uuid[])
"""
STATUSES = "SELECT id, status FROM hub_message WHERE id = ANY(%s::uuid[])"
SETTLE = """
UPDATE hub_replayitem i SET result = w.result, text = w.text, at = now()
FROM (
    SELECT x.id,
        CASE WHEN m.status IN ('applied', 'skipped') THEN 'done' ELSE 'failed' END AS result,
        CASE m.status
            WHEN 'applied' THEN 'Applied; what it had done before was recognised.'
            WHEN 'skipped' THEN 'Read; nothing in it is for us.'
            WHEN 'stopped' THEN 'It stopped again: ' || m.problem_code || '.'
            WHEN 'held' THEN 'Some of its lines wait for a case; they go on by themselves.'
            WHEN 'blocked' THEN 'It waits behind another one of its key that stopped.'
            WHEN 'waived' THEN 'A person waived it meanwhile.'
            WHEN 'replaced' THEN 'A person replaced it meanwhile.'
            ELSE 'It is not stored any more.' END AS text
    FROM hub_replayitem x LEFT JOIN hub_message m ON m.id = x.subject_id
    WHERE x.replay_id = %s AND x.result = 'moving' AND m.status IS DISTINCT FROM 'received'
) w WHERE i.id = w.id
"""
GONE = "It is not stored any more."
LEFT = {
    "received": "It waits for a worker already.",
    "held": "A case holds some of its lines: heal the case, and they go on by themselves.",
    "blocked": "It waits behind a stopped one of its key that is not part of this replay.",
    "skipped": "Nothing in it is for us.",
    "waived": "A named person waived it, with a reason; retry it by itself if that was wrong.",
    "replaced": "An edited copy took its place.",
}
ONCE = "It tells of a state that later messages may have changed: what is applied is not applied again."
ROUTE = "Nothing here reads {} any more."


class Messages:
    """How messages go back into the inbox."""

    def put_back(self, batch: Batch) -> None:
        """Everyone of the batch that may be done again waits for a worker; nobody reads them while this decides."""
        ids = bulk.uuids(batch.subjects)
        lanes.hold("inbox", [lane for (lane,) in bulk.fetch(LANES, [ids])])
        found = {id_: (status, kind, format_) for id_, status, kind, format_ in bulk.fetch(ROWS, [ids])}
        blocked = []
        for id_ in batch.subjects:
            status, kind, format_ = found.get(id_, ("", "", ""))
            if status == "blocked":
                blocked.append(id_)
            elif why := _why_not(status, kind, format_):
                batch.left[id_] = why
            else:
                batch.back.add(id_)
        again.messages([id_ for id_ in batch.subjects if id_ in batch.back], reason="Replayed.", by=access.SYSTEM)
        _follow(batch, blocked)
        queue.nudge("work")

    def settle(self, replay_id: int) -> int:
        """Write down what became of those that a worker has had; returns how many."""
        return bulk.run(SETTLE, [replay_id])


def _why_not(status: str, kind: str, format_: str) -> str:
    """Why a message of this status is left as it is, or ""."""
    if not status:
        return GONE
    route = registry.inbound(format_, kind)
    if status == "applied" and not (route and route.repeatable):
        return ONCE if route else ROUTE.format(kind)
    return LEFT.get(status, "")


def _follow(batch: Batch, blocked: list[UUID]) -> None:
    """Those behind one of the batch went back with it; the others still wait for theirs."""
    now = dict(bulk.fetch(STATUSES, [bulk.uuids(blocked)])) if blocked else {}
    for id_ in blocked:
        if now[id_] == "received":
            batch.back.add(id_)
        else:
            batch.left[id_] = LEFT["blocked"]
