"""`make bench`: DFT messages through the real processes, from MLLP to the ERP's ledger over HTTP.

Every message is about 1.1 KB with three FT1 lines: three charges, six journal legs. The phases: what the machine can
do; acknowledgements at 1, 8 and 32 connections without workers in the way of the figure; end to end while sending; a
steady rate; and draining a backlog of two sizes. Progress goes to standard error, the last line of standard output is
one JSON object.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg

from benchmarks import machine
from benchmarks.hub import LINES, ROOT, Hub, running
from benchmarks.telling import figures_of, say

LATENCY = """
SELECT percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY extract(epoch FROM j.settled_at - m.received_at) * 1000)
FROM hub_message m JOIN billing_charge c ON c.message_id = m.id AND c.part = 0
JOIN erp_journalline l ON l.charge_id = c.id AND l.leg = 0 JOIN erp_allocation a ON a.id = l.allocation_id
JOIN erp_journal j ON j.id = a.journal_id WHERE m.received_at >= %s AND m.control_id LIKE %s
"""


def echo(hub: Hub, seconds: float) -> float:
    """Messages a second that the loopback and the load generator reach without any hub."""
    port = hub.mllp + 500
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox.echo", "--port", str(port)], cwd=ROOT, stdout=subprocess.DEVNULL
    )
    try:
        time.sleep(1.5)
        return float(hub.load("--connections", "32", "--seconds", str(seconds), port=port)["acked_per_s"])
    finally:
        process.terminate()
        process.wait()


def doors(hub: Hub, seconds: float) -> dict[str, Any]:
    """Acknowledged after commit, by number of connections, with nothing else running."""
    figures: dict[str, Any] = {}
    for connections in (1, 8, 32):
        result = hub.load("--connections", str(connections), "--seconds", str(seconds))
        say(f"  {connections:>2} connections: {result['acked_per_s']:.0f} msg/s, p50 {result['ack_p50_ms']:.1f} ms")
        suffix = "" if connections == 32 else f"_{connections}"
        figures |= {
            f"{name}{suffix}": result[name] for name in ("acked_per_s", "ack_p50_ms", "ack_p95_ms", "ack_p99_ms")
        }
        figures["not_acked"] = figures.get("not_acked", 0) + sum(result["other"].values())
    return figures


def drain(hub: Hub, messages: int) -> float:
    """Messages a second out of a backlog: stored while the workers were away, until the ERP has the last line."""
    before = hub.lines()
    hub.load("--connections", "32", "--messages", str(messages))
    begun = time.monotonic()
    hub.start_workers()
    rate = messages / (hub.posted(before + messages * LINES, 600) - begun)
    hub.stop_workers()
    say(f"  {messages} waiting: {rate:.0f} msg/s")
    return rate


def through(hub: Hub, seconds: float) -> tuple[float, dict[str, Any]]:
    """End to end while sending as fast as it is acknowledged: all messages over the time until the last is posted."""
    before = hub.lines()
    used, begun = hub.cpu(), time.monotonic()
    result = hub.load("--connections", "32", "--seconds", str(seconds))
    done = hub.posted(before + int(result["acked"]) * LINES, 600)
    share = {name: round((after - used[name]) / result["acked"] * 1e6) for name, after in hub.cpu().items()}
    say(f"  processor time, microseconds a message: {share}")
    return result["acked"] / (done - begun), {**result, "cpu_us": share}


def steady(hub: Hub, rate: int, seconds: float) -> dict[str, Any]:
    """A steady rate: acknowledgement latency, and from stored to settled in the ledger."""
    before = hub.lines()
    with psycopg.connect(hub.database_url) as connection:
        (since,) = connection.execute("SELECT now()").fetchone() or (None,)
    result = hub.load("--connections", "8", "--seconds", str(seconds), "--rate", str(rate), "--run", "STDY")
    hub.posted(before + int(result["acked"]) * LINES, 120)
    time.sleep(1)
    with psycopg.connect(hub.database_url) as connection:
        (found,) = connection.execute(LATENCY, [since, "STDY%"]).fetchone() or ([None, None],)
    return {
        "steady_rate": rate,
        "steady_ack_p99_ms": result["ack_p99_ms"],
        "steady_end_to_end_p50_ms": round(found[0], 1),
        "steady_end_to_end_p95_ms": round(found[1], 1),
    }


def bench(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """All phases; the figures."""
    say("setting up the hub and its ERP ...")
    with running(folder, workers=options.workers) as hub:
        figures: dict[str, Any] = {"workers": options.workers}
        say("what the machine can do")
        figures["echo_per_s"] = echo(hub, options.seconds / 4)
        figures["pg_rows_per_s"] = machine.pg_rows_per_s(hub.database_url)
        hub.start_workers()
        time.sleep(8)
        say("end to end while sending")
        figures["end_to_end_per_s"], sending = through(hub, options.seconds / 2)
        figures["acked_per_s_while_working"] = sending["acked_per_s"]
        figures["cpu_us_per_message"] = sending["cpu_us"]
        say(f"  {figures['end_to_end_per_s']:.0f} msg/s")
        say("a steady rate")
        figures |= steady(hub, options.rate, options.seconds / 2)
        hub.stop_workers()
        if options.backlog:
            say("draining a backlog, then one of twice the size")
            small, large = drain(hub, options.backlog), drain(hub, options.backlog * 2)
            figures |= {"drain_per_s": small, "drain_doubled_per_s": large, "drain_ratio": large / small}
        say("acknowledged after commit")
        figures |= doors(hub, options.seconds / 3)
        figures["hub_to_echo"] = figures["acked_per_s"] / figures["echo_per_s"]
    return figures


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.charge_to_cost", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="length of the whole sending, shared by the phases")
    parser.add_argument("--rate", type=int, default=1000, help="messages a second of the steady phase")
    parser.add_argument("--backlog", type=int, default=50_000, help="messages of the smaller backlog; 0 leaves it out")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args(arguments)
    figures_of("bench-", lambda folder: bench(folder, options))


if __name__ == "__main__":
    main()
