"""Rate limits: a bucket of calls for each endpoint that has one, shared by all senders of all processes."""

from hub import bulk
from hub.models import Endpoint

FILL = """
INSERT INTO hub_bucket (endpoint_id, tokens, filled_at) VALUES (%s, %s, clock_timestamp())
ON CONFLICT (endpoint_id) DO NOTHING
"""
LOOK = """
SELECT tokens, extract(epoch FROM clock_timestamp() - filled_at)::float8
FROM hub_bucket WHERE endpoint_id = %s FOR UPDATE
"""
SPEND = "UPDATE hub_bucket SET tokens = %s, filled_at = clock_timestamp() WHERE endpoint_id = %s"


def spend(tokens: float, elapsed_s: float, *, per_minute: int, burst: int, wanted: int) -> tuple[int, float, float]:
    """(calls that may go now, tokens left, seconds until the next may go) of a bucket looked at after `elapsed_s`.

    A clock that went back fills nothing; a limit that was lowered takes effect at once.
    """
    rate = per_minute / 60
    filled = min(float(burst), tokens + max(0.0, elapsed_s) * rate)
    granted = min(wanted, int(filled))
    left = filled - granted
    return granted, left, max(0.0, 1 - left) / rate


def take(endpoint: Endpoint, wanted: int) -> tuple[int, float]:
    """Take up to `wanted` calls out of the endpoint's bucket; returns how many, and in how many seconds there is more.

    In the claiming transaction: what is rolled back was not spent. Without a limit all of them go.
    """
    if endpoint.calls_per_minute is None or wanted == 0:
        return wanted, 0.0
    bulk.run(FILL, [endpoint.pk, float(endpoint.calls_burst)])
    tokens, elapsed_s = bulk.fetch(LOOK, [endpoint.pk])[0]
    granted, left, wait_s = spend(
        tokens, elapsed_s, per_minute=endpoint.calls_per_minute, burst=endpoint.calls_burst, wanted=wanted
    )
    bulk.run(SPEND, [left, endpoint.pk])
    return granted, wait_s
