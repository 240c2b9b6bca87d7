"""Lineage: every fact has a cause, and nothing points at what is not there."""

from hub.verification import Check, sql

FACTS = "SELECT count(*) FROM hub_fact WHERE id >= %(since_id)s"
# A partner's yes to a call is a cause of its own: the fact carries the call's id as its correlation id.
CAUSES = """
SELECT 'fact:' || f.id, 'nothing caused ' || f.name, NULL::numeric FROM hub_fact f
WHERE f.id >= %(since_id)s AND f.message_id IS NULL AND f.cause_id IS NULL
AND NOT EXISTS (SELECT 1 FROM hub_dispatch o WHERE o.id = f.correlation_id)
"""
MESSAGES = """
SELECT 'fact:' || f.id, 'its message is not here', NULL::numeric FROM hub_fact f
WHERE f.id >= %(since_id)s AND f.message_id >= %(kept_id)s
AND NOT EXISTS (SELECT 1 FROM hub_message m WHERE m.id = f.message_id)
"""
CAUSED = """
SELECT 'fact:' || f.id, 'the fact that caused it is not here', NULL::numeric FROM hub_fact f
WHERE f.id >= %(since_id)s AND f.cause_id >= %(kept_id)s
AND NOT EXISTS (SELECT 1 FROM hub_fact c WHERE c.id = f.cause_id)
"""
DELIVERIES = """
SELECT 'delivery:' || d.id, 'its fact is not here', NULL::numeric FROM hub_delivery d
WHERE d.id >= %(since_id)s AND d.fact_id >= %(kept_id)s
AND NOT EXISTS (SELECT 1 FROM hub_fact f WHERE f.id = d.fact_id)
"""
# A call that was refused or given up has handed its deliveries on; every other one still has all of them.
CALLS = """
SELECT 'dispatch:' || o.id, 'it has ' || d.number || ' deliveries instead of ' || o.deliveries, NULL::numeric
FROM hub_dispatch o CROSS JOIN LATERAL (
    SELECT count(*) AS number FROM hub_delivery d WHERE d.dispatch_id = o.id
    AND d.status = CASE o.status WHEN 'delivered' THEN 'delivered' ELSE 'sending' END
) d
WHERE o.id >= %(since_id)s AND o.status NOT IN ('rejected', 'given_up') AND d.number <> o.deliveries
"""
WAITING = """
SELECT 'message:' || w.message_id, 'its part ' || w.part || ' waits, and it is ' || coalesce(m.status, 'not here'),
       w.amount
FROM hub_waiting w LEFT JOIN hub_message m ON m.id = w.message_id
WHERE m.id IS NULL OR m.status NOT IN ('held', 'received', 'stopped', 'blocked')
"""
CHECKS = (
    Check("INV-3", "facts", "Every fact has a message, a fact or a call that caused it.", sql(FACTS, CAUSES)),
    Check("INV-15", "facts and messages", "The message of every fact is here.", sql(FACTS, MESSAGES)),
    Check("INV-15", "facts and causes", "The cause of every fact is here.", sql(FACTS, CAUSED)),
    Check("INV-15", "deliveries", "The fact of every delivery is here.",
          sql("SELECT count(*) FROM hub_delivery WHERE id >= %(since_id)s", DELIVERIES)),
    Check("INV-15", "calls", "Every call has the deliveries that it was made of.",
          sql("SELECT count(*) FROM hub_dispatch WHERE id >= %(since_id)s"
              " AND status NOT IN ('rejected', 'given_up')", CALLS)),
    Check("INV-15", "what waits", "What waits belongs to a message that is not done.",
          sql("SELECT count(*) FROM hub_waiting", WAITING)),
)  # fmt: skip
