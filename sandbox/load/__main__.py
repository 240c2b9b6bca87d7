"""`python -m sandbox.load`: send DFT messages over MLLP as fast as they are acknowledged, or at a steady rate.

The last line of its output is one JSON object with the figures.
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import ExitStack
from pathlib import Path

from sandbox.load.messages import Messages
from sandbox.load.report import report
from sandbox.load.run import Plan, Run
from sandbox.load.stations import Tally
from sandbox.loops import run
from sandbox.naming import fresh_name
from sandbox.network import DEFAULT_FILE, read_network

DEFAULT_SECONDS = 60.0


def main() -> int:
    """Run the load. Returns 0 if every message was answered, 1 if not, 2 if nobody listens."""
    options = _options()
    prefix = options.run or "L" + fresh_name()
    plan = Plan(
        host=options.host,
        port=options.port,
        connections=options.connections,
        seconds=options.seconds if options.messages is None else None,
        messages=options.messages,
        rate=options.rate,
        timeout_s=options.timeout,
        retries=options.retries,
    )
    with ExitStack() as stack:
        log = None
        if options.sent_log:
            log = stack.enter_context(options.sent_log.open("w", buffering=1 << 20))
        tally = Tally(log)
        messages = Messages(read_network(options.network), prefix, options.accounts)
        load = Run(plan, messages, tally)
        try:
            seconds = run(load.go())
        except OSError as error:
            print(f"sandbox.load: cannot connect to {plan.host}:{plan.port}: {error}", file=sys.stderr)
            return 2
    unacked = load.in_flight()
    figures = report(plan, tally, sent=load.sent, unacked=unacked, seconds=seconds, size=messages.size, run=prefix)
    print(json.dumps(figures))
    return 1 if unacked else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox.load", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=2575)
    parser.add_argument("--connections", type=_positive, default=32)
    parser.add_argument("--seconds", type=float, default=DEFAULT_SECONDS, help="how long to send")
    parser.add_argument("--messages", type=_positive, help="how many to send, instead of how long")
    parser.add_argument("--rate", type=float, help="messages a second, on a schedule that is kept")
    parser.add_argument("--accounts", type=_positive, default=20_000, help="patient accounts, taken in turn")
    parser.add_argument("--timeout", type=float, default=30.0, help="seconds to wait for an answer before reconnecting")
    parser.add_argument("--retries", type=int, default=50, help="how often AE is answered by sending again")
    parser.add_argument("--run", help="prefix of all ids; a fresh one if absent")
    parser.add_argument("--sent-log", type=Path, help="file for control id, time sent, time answered, answer")
    parser.add_argument("--network", type=Path, default=DEFAULT_FILE)
    options = parser.parse_args()
    if options.rate is not None and options.rate <= 0:
        parser.error("--rate must be above zero")
    if options.run is not None and not (options.run.isascii() and options.run.isalnum()):
        parser.error("--run must be ASCII letters and digits")
    return options


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
