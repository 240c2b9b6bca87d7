"""What the deliveries of a replay are worth in allocated cost, and which of them fall into a closed period."""

from decimal import Decimal

from hub import bulk
from hub.stakes import Stake

# The fact of a posting names its allocation.
ALLOCATED: str = """
FROM hub_replayitem i JOIN hub_delivery d ON d.id = i.subject_id AND d.route = 'journals.post'
JOIN hub_fact f ON f.id = d.fact_id JOIN erp_allocation a ON a.id = (f.payload->>'allocation_id')::uuid
WHERE i.replay_id = %s
"""
WORTH = f"SELECT a.currency, sum(a.total) {ALLOCATED} GROUP BY a.currency"
KNOWN = f"""
SELECT count(*), count(*) FILTER (WHERE EXISTS (
    SELECT 1 FROM mappings_period p WHERE p.facility = a.facility AND p.status = 'closed'
    AND a.posting_date BETWEEN p.starts AND p.ends))
{ALLOCATED}
"""  # noqa: S608  (our own words)


def assess(replay_id: int) -> Stake:
    """The cost that these deliveries carry to the ledger."""
    worth: dict[str, Decimal] = dict(bulk.fetch(WORTH, [replay_id]))
    known, closed = bulk.fetch(KNOWN, [replay_id])[0]
    return Stake(worth, known, closed)
