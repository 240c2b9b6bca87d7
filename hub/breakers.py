"""Circuit breakers: a partner that is away is asked by one call now and then, and by no other (reliability R-6).

    closed --failures in a row--> open --pause--> half open: one call probes --answer--> closed
                                    ^                     |
                                    +------failure--------+

To say no is to answer: refusals never open a circuit. The state is a row, so all senders of all processes see it.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from hub import bulk
from hub.models import Endpoint
from hub.retrying import Chance, Policy
from hub.sendcall import Call

ANSWERS = frozenset({"ok", "rejected"})
FAILURES = frozenset({"retryable", "unknown"})
# A tenth at most, so that several hubs do not probe one partner in the same moment.
JITTER = 0.1

LOOK = "SELECT probe_at <= now() FROM hub_breaker WHERE endpoint_id = %s AND status IN ('open', 'half_open')"
PROBE = """
UPDATE hub_breaker SET status = 'half_open', probe_at = now() + make_interval(secs => %s)
WHERE endpoint_id = %s AND status IN ('open', 'half_open') AND probe_at <= now()
"""
FAIL = """
INSERT INTO hub_breaker (endpoint_id, status, failures, openings, code, text)
VALUES (%(endpoint)s, 'closed', 1, 0, %(code)s, %(text)s)
ON CONFLICT (endpoint_id) DO UPDATE SET code = excluded.code, text = excluded.text,
    failures = CASE WHEN %(answered)s THEN 1 ELSE hub_breaker.failures + 1 END
RETURNING status, failures, openings, probe_at
"""
OPEN = """
UPDATE hub_breaker SET status = 'open', openings = openings + 1, opened_at = coalesce(opened_at, now()), probe_at = %s
WHERE endpoint_id = %s AND status IN ('closed', 'half_open')
"""
# An answer to a call from before the circuit opened does not close it: the probe decides.
HEAL = """
UPDATE hub_breaker SET status = 'closed', failures = 0, openings = 0, opened_at = NULL, probe_at = NULL
WHERE endpoint_id = %s AND status IN ('closed', 'half_open') AND failures + openings > 0
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a batch of calls did to the circuit."""

    healed: bool = False  # the partner answers, where calls had failed
    probe_at: datetime | None = None  # open: until then nothing is sent


def look(endpoint: Endpoint) -> str:
    """ "closed", "open" (send nothing) or "probe" (one call may try); one read of one row."""
    rows = bulk.fetch(LOOK, [endpoint.pk])
    if not rows:
        return "closed"
    return "probe" if rows[0][0] else "open"


def probe(endpoint: Endpoint) -> bool:
    """Take the probe, in the claiming transaction; False where somebody else has it.

    A prober that dies is followed by another one when its lease has run out.
    """
    return bulk.run(PROBE, [settings.LEASE_S, endpoint.pk]) == 1


def pause_s(
    endpoint: Endpoint, openings: int, *, asked_s: float | None = None, chance: Chance = random.random
) -> float:
    """Seconds until the next probe: twice as long after each that failed, capped; never before the partner asked."""
    longest = Policy(endpoint.breaker_pause_s, 2.0, endpoint.breaker_cap_s).wait_s(openings + 1)
    return max(longest, asked_s or 0.0) * (1 + JITTER * chance())


def note(endpoint: Endpoint, calls: Sequence[Call]) -> Verdict:
    """Count what the calls met, in the settling transaction. Costs one look at one row while all is well."""
    told = [call.outcome for call in calls if call.outcome is not None]
    answered = any(outcome.kind in ANSWERS for outcome in told)
    # A defect of our own connector says nothing about the partner.
    failed = [outcome for outcome in told if outcome.kind in FAILURES and outcome.code != "BUG"]
    if not failed:
        return Verdict(healed=answered and bulk.run(HEAL, [endpoint.pk]) == 1)
    last = failed[-1]
    status, failures, openings, probe_at = bulk.fetch(
        FAIL, {"endpoint": endpoint.pk, "code": last.code[:60], "text": last.text[:2000], "answered": answered}
    )[0]
    tripped = status == "closed" and 0 < endpoint.breaker_failures <= failures
    if not tripped and status != "half_open":
        return Verdict(probe_at=probe_at)
    probe_at = timezone.now() + timedelta(seconds=pause_s(endpoint, openings, asked_s=last.retry_after_s))
    bulk.run(OPEN, [probe_at, endpoint.pk])
    return Verdict(probe_at=probe_at)
