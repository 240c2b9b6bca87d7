"""`make bench-search ROWS=10000000`: pages and searches over twelve months of messages, on a PostgreSQL of its own.

Fills the months with two processes (`benchmarks.search_fill` tells with what), measures (`benchmarks.search_measure`
tells how), and holds the rate of acknowledgements with all of it against the rate of the empty hub. Progress goes to
standard error, the last line of standard output is one JSON object.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.hub import ROOT, Hub, running
from benchmarks.telling import figures_of, say

MONTHS, FILLERS = 12, 2


def months(now: datetime) -> list[str]:
    """This month and the eleven before."""
    count = now.year * 12 + now.month - 1
    return [f"{number // 12}-{number % 12 + 1:02}" for number in range(count - MONTHS + 1, count + 1)]


def fill(hub: Hub, rows: int) -> float:
    """Fill all months; seconds."""
    begun, wanted = time.monotonic(), months(datetime.now(UTC))
    command = [sys.executable, "-m", "benchmarks.search_fill", "--rows", str(rows // MONTHS)]
    processes = [
        subprocess.Popen([*command, *wanted[number::FILLERS]], cwd=ROOT, env=hub.environment)
        for number in range(FILLERS)
    ]
    codes = [process.wait() for process in processes]
    if any(codes):
        raise RuntimeError("filling failed: its error stands above")
    return time.monotonic() - begun


def bench(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """All phases; the figures."""
    say("setting up the hub ...")
    with running(folder, workers=FILLERS) as hub:
        figures: dict[str, Any] = {"rows": options.rows // MONTHS * MONTHS, "months": MONTHS}
        say("acknowledgements of the empty hub")
        rate = ("--connections", "32", "--seconds", str(options.seconds))
        figures["acked_per_s_empty"] = hub.load(*rate)["acked_per_s"]
        say(f"filling {figures['rows']:,} messages ...")
        figures["fill_s"] = fill(hub, options.rows)
        say(f"  {figures['fill_s']:.0f} s; acknowledgements with all of it")
        figures["acked_per_s_full"] = hub.load(*rate)["acked_per_s"]
        say("pages and searches")
        figures |= json.loads(hub.run("-m", "benchmarks.search_measure").strip().splitlines()[-1])
        figures["acked_full_to_empty"] = figures["acked_per_s_full"] / figures["acked_per_s_empty"]
    return figures


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--seconds", type=float, default=10, help="length of each sending")
    options = parser.parse_args(arguments)
    figures_of("bench-search-", lambda folder: bench(folder, options))


if __name__ == "__main__":
    main()
