"""The figures of a run."""

from __future__ import annotations

from array import array
from typing import Any

from sandbox.load.run import Plan
from sandbox.load.stations import Tally


def report(plan: Plan, tally: Tally, *, sent: int, unacked: int, seconds: float, size: int, run: str) -> dict[str, Any]:
    """Return the figures as one JSON object. Latencies are milliseconds, from the intended time of sending."""
    accepted = tally.finals[b"AA"] + tally.finals[b"CA"]
    latencies = sorted(tally.latencies)
    return {
        "messages": sent,
        "acked": accepted,
        "other": {code.decode("latin-1"): count for code, count in tally.finals.items() if code not in (b"AA", b"CA")},
        "unacked": unacked,
        "seconds": round(seconds, 3),
        "acked_per_s": round(accepted / seconds, 1) if seconds > 0 else 0.0,
        "ack_p50_ms": percentile(latencies, 50),
        "ack_p95_ms": percentile(latencies, 95),
        "ack_p99_ms": percentile(latencies, 99),
        "ack_max_ms": percentile(latencies, 100),
        "sent_late_p99_ms": percentile(sorted(tally.lateness), 99),
        "connections": plan.connections,
        "rate": plan.rate,
        "bytes_per_message": size,
        "resent": tally.resent,
        "reconnects": tally.reconnects,
        "strange_answers": tally.strange,
        "answers": {code.decode("latin-1"): count for code, count in tally.answers.items()},
        "run": run,
    }


def percentile(ordered: list[float] | array[float], percent: float) -> float | None:
    """Return the smallest value that at least so many percent do not exceed, in milliseconds; None of nothing."""
    if not ordered:
        return None
    rank = max(0, -(-len(ordered) * percent // 100) - 1)
    return round(ordered[int(rank)] * 1000, 3)
