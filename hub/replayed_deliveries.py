"""Deliveries of a replay: those that stopped wait for their listener again; what a listener has is never sent again."""

from collections import defaultdict

from hub import access, again, bulk, lanes, queue
from hub.replayitems import Batch

# Reactions have lanes by their name, calls to partners by "route@endpoint".
QUEUES = """
SELECT DISTINCT d.route || coalesce('@' || e.code, ''), d.lane, d.endpoint_id
FROM hub_delivery d LEFT JOIN hub_endpoint e ON e.id = d.endpoint_id WHERE d.id = ANY(%s::uuid[]) ORDER BY 1, 2
"""
STATUSES = "SELECT id, status FROM hub_delivery WHERE id = ANY(%s::uuid[])"
SETTLE = """
UPDATE hub_replayitem i SET result = w.result, text = w.text, at = now()
FROM (
    SELECT x.id, CASE d.status WHEN 'delivered' THEN 'done' ELSE 'failed' END AS result,
        CASE d.status
            WHEN 'delivered' THEN 'Delivered.'
            WHEN 'stopped' THEN 'It stopped again: ' || d.problem_code || '.'
            WHEN 'blocked' THEN 'It waits behind another one of its key that stopped.'
            WHEN 'waived' THEN 'A person waived it meanwhile.'
            ELSE 'It is not stored any more.' END AS text
    FROM hub_replayitem x LEFT JOIN hub_delivery d ON d.id = x.subject_id
    WHERE x.replay_id = %s AND x.result = 'moving' AND coalesce(d.status, '') NOT IN ('pending', 'sending')
) w WHERE i.id = w.id
"""
LEFT = {
    "": "It is not stored any more.",
    "pending": "It waits for its listener already.",
    "sending": "It is under way already.",
    "blocked": "It waits behind a stopped one of its key that is not part of this replay.",
    "delivered": "The listener has it: what is delivered is not sent again.",
    "waived": "A named person waived it, with a reason.",
}


class Deliveries:
    """How deliveries wait for their listener again."""

    def put_back(self, batch: Batch) -> None:
        """Everyone of the batch that stopped waits again; nobody sends on their lanes while this decides."""
        ids = bulk.uuids(batch.subjects)
        roads: dict[str, list[int]] = defaultdict(list)
        endpoints = set()
        for road, lane, endpoint_id in bulk.fetch(QUEUES, [ids]):
            roads[road].append(lane)
            endpoints.add(endpoint_id)
        for road, numbers in roads.items():
            lanes.hold(road, numbers)
        found = dict(bulk.fetch(STATUSES, [ids]))
        batch.back |= {id_ for id_, status in found.items() if status == "stopped"}
        again.deliveries([id_ for id_ in batch.subjects if id_ in batch.back], reason="Replayed.", by=access.SYSTEM)
        blocked = [id_ for id_, status in found.items() if status == "blocked"]
        now = dict(bulk.fetch(STATUSES, [bulk.uuids(blocked)])) if blocked else {}
        batch.back |= {id_ for id_, status in now.items() if status == "pending"}
        batch.left = {id_: LEFT[found.get(id_, "")] for id_ in batch.subjects if id_ not in batch.back}
        for endpoint_id in endpoints:
            queue.nudge("work") if endpoint_id is None else queue.nudge("send", endpoint_id)

    def settle(self, replay_id: int) -> int:
        """Write down what became of those that went out; returns how many."""
        return bulk.run(SETTLE, [replay_id])
