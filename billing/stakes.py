"""What the messages of a replay are worth in charges, and which of them fall into a closed period."""

from decimal import Decimal

from hub import bulk
from hub.stakes import Stake

WORTH: str = """
SELECT c.currency, sum(c.amount)
FROM hub_replayitem i JOIN billing_charge c ON c.message_id = i.subject_id
WHERE i.replay_id = %s AND c.status IN ('held', 'captured', 'posted') GROUP BY c.currency
"""
KNOWN = """
SELECT count(DISTINCT c.message_id), count(DISTINCT c.message_id) FILTER (WHERE EXISTS (
    SELECT 1 FROM mappings_period p WHERE p.facility = c.facility AND p.status = 'closed'
    AND coalesce(c.posting_date, c.service_date) BETWEEN p.starts AND p.ends))
FROM hub_replayitem i JOIN billing_charge c ON c.message_id = i.subject_id
WHERE i.replay_id = %s AND c.status IN ('held', 'captured', 'posted')
"""


def assess(replay_id: int) -> Stake:
    """The charges that these messages became so far; a message that stopped before it was read has none yet."""
    worth: dict[str, Decimal] = dict(bulk.fetch(WORTH, [replay_id]))
    known, closed = bulk.fetch(KNOWN, [replay_id])[0]
    return Stake(worth, known, closed)
