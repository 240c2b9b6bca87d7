"""How much waits to be worked on, so that a door can ask senders to wait before the hub is overrun (reliability R-11).

An estimate that is at most some seconds old: counting is never part of taking a message in.
"""

import time

from hub import bulk

# Nobody is full while fewer messages wait in all than the smallest limit: answered from the partial index alone.
ANY = """
SELECT count(*) >= (SELECT min(backlog_limit) FROM hub_endpoint WHERE direction = 'in' AND active)
FROM (SELECT FROM hub_message WHERE status = 'received'
      LIMIT (SELECT min(backlog_limit) FROM hub_endpoint WHERE direction = 'in' AND active)) w
"""
# One more than all limits together: when that many wait, at least one endpoint is over its own, and it is seen.
FULL = """
WITH doors AS (SELECT id, backlog_limit FROM hub_endpoint WHERE direction = 'in' AND active)
SELECT w.endpoint_id FROM (
    SELECT endpoint_id FROM hub_message WHERE status = 'received' LIMIT (SELECT sum(backlog_limit) + 1 FROM doors)
) w JOIN doors d ON d.id = w.endpoint_id
GROUP BY w.endpoint_id, d.backlog_limit HAVING count(*) >= d.backlog_limit
"""
# A drained one takes nothing, however little waits.
DRAINED = "SELECT id FROM hub_endpoint WHERE direction = 'in' AND draining_since IS NOT NULL"
EVERY_S = 2.0
SHARE = 20  # a count that takes long is repeated so seldom that it costs at most a twentieth of a core


class Backlog:
    """Which endpoints take nothing now: drained, or more waiting than their `backlog_limit`, as of the last look."""

    def __init__(self) -> None:
        self.full: frozenset[int] = frozenset()
        self.drained: frozenset[int] = frozenset()
        self.next_at = float("-inf")  # monotonic
        self.drained_at = float("-inf")

    def over(self, endpoint_id: int) -> bool:
        """Whether senders of this endpoint have to wait."""
        return endpoint_id in self.full or endpoint_id in self.drained

    def refresh(self) -> None:
        """Look and count again if the last look is too old."""
        start = time.monotonic()
        if start >= self.drained_at:
            self.drained = frozenset(id_ for (id_,) in bulk.fetch(DRAINED))
            self.drained_at = start + EVERY_S
        if start < self.next_at:
            return
        any_full = bulk.fetch(ANY)[0][0]
        self.full = frozenset(id_ for (id_,) in bulk.fetch(FULL)) if any_full else frozenset()
        end = time.monotonic()
        self.next_at = end + max(EVERY_S, SHARE * (end - start))
