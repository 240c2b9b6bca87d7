"""Messages: what was acknowledged is here, byte for byte, and either done, moving, or in a case."""

from hub.invariants import bodies
from hub.verification import Check, sql

# A control id may be used again after its window; then the older message's key is gone, rightly.
KEYS = """
SELECT 'message:' || m.id, 'no key recognises it: sent again, it would be taken in twice', NULL::numeric
FROM hub_message m WHERE m.id >= %(window_id)s AND NOT EXISTS (
    SELECT 1 FROM hub_messagekey k
    WHERE k.endpoint_id = m.endpoint_id AND k.sender = m.sender AND k.control_id = m.control_id
    AND k.variant IN ('', encode(m.sha256, 'hex')) AND k.message_id = m.id AND k.sha256 = m.sha256
)
"""
ACKNOWLEDGED = """
SELECT 'message:' || k.message_id, 'it was acknowledged to ' || k.sender || ' and is not here', NULL::numeric
FROM hub_messagekey k WHERE k.message_id >= %(since_id)s
AND NOT EXISTS (SELECT 1 FROM hub_message m WHERE m.id = k.message_id)
"""
# A person may waive the case of a stopped document and let it stand: that is somebody's decision, with a reason.
STOPPED = """
SELECT 'message:' || m.id, 'it is stopped and has ' || c.open || ' open cases instead of one', NULL::numeric
FROM hub_message m CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE x.status IN ('open', 'assigned')) AS open,
           (array_agg(x.status ORDER BY x.id DESC))[1] AS last
    FROM hub_exceptioncase x WHERE x.message_id = m.id AND x.subject = 'message:' || m.id
) c
WHERE m.status = 'stopped' AND NOT (c.open = 1 OR (c.open = 0 AND c.last IS NOT DISTINCT FROM 'waived'))
"""
BLOCKED = """
SELECT 'message:' || m.id, 'it waits behind a stop of its key that is not there', NULL::numeric
FROM hub_message m JOIN hub_endpoint e ON e.id = m.endpoint_id
WHERE m.status = 'blocked' AND NOT EXISTS (
    SELECT 1 FROM hub_stop s WHERE s.queue = 'in:' || e.code AND s.key = m.key AND s.subject_id <> m.id
)
"""
HELD = """
SELECT 'message:' || m.id, 'it is held and nothing says what it waits for', NULL::numeric
FROM hub_message m
WHERE m.status = 'held' AND NOT EXISTS (SELECT 1 FROM hub_waiting w WHERE w.message_id = m.id)
"""
STILL = """
SELECT 'message:' || m.id, 'it waits since ' || m.received_at || ' and nobody works on its lane', NULL::numeric
FROM hub_message m JOIN hub_endpoint e ON e.id = m.endpoint_id
WHERE m.status = 'received' AND m.id < %(stale_id)s AND NOT e.paused AND NOT EXISTS (
    SELECT 1 FROM hub_lane l WHERE l.queue = 'inbox' AND l.number = m.lane AND l.served_at > %(stale)s
)
"""
CONFLICTS = """
SELECT 'message:' || max(m.id::text), 'its control id was taken in with other content, and no case says so',
       NULL::numeric
FROM hub_message m JOIN hub_endpoint e ON e.id = m.endpoint_id
WHERE m.id >= %(window_id)s AND m.status NOT IN ('refused', 'replaced')
GROUP BY e.code, m.endpoint_id, m.sender, m.control_id
HAVING count(DISTINCT m.sha256) > 1 AND NOT EXISTS (
    SELECT 1 FROM hub_exceptioncase x WHERE x.code = 'IF_CONFLICT'
    AND x.subject = left('control_id:' || e.code || ':' || m.sender || ':' || m.control_id, 300)
)
"""


def _of(status: str) -> str:
    return f"SELECT count(*) FROM hub_message WHERE status = '{status}'"  # noqa: S608  (our own words)


CHECKS = (
    Check("INV-1", "bytes", "Every message has the bytes that were acknowledged.", bodies.look),
    Check(
        "INV-1", "keys", "Every message is recognised when it is sent again.",
        sql("SELECT count(*) FROM hub_message WHERE id >= %(window_id)s", KEYS),
    ),
    Check(
        "INV-1", "acknowledged", "Every key leads to its message: what was acknowledged is here.",
        sql("SELECT count(*) FROM hub_messagekey WHERE message_id >= %(since_id)s", ACKNOWLEDGED),
    ),
    Check("INV-2", "stopped messages", "A stopped message has exactly one open case.", sql(_of("stopped"), STOPPED)),
    Check("INV-2", "blocked messages", "A blocked message waits behind a stop.", sql(_of("blocked"), BLOCKED)),
    Check("INV-2", "held messages", "A held message waits for something.", sql(_of("held"), HELD)),
    Check("INV-2", "waiting messages", "A waiting message moves within an hour.", sql(_of("received"), STILL)),
    Check(
        "INV-18", "control ids", "No control id is taken in with two contents without a case.",
        sql("SELECT count(*) FROM hub_message WHERE id >= %(window_id)s AND status <> 'refused'", CONFLICTS),
    ),
)  # fmt: skip
