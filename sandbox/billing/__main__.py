"""`python -m sandbox.billing`: feed charges to a receiver until told to stop.

The last line of its output is one JSON object that sums up what was sent and answered.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import signal
import sys
from pathlib import Path

from sandbox.billing.feed import Feed, Pace
from sandbox.billing.ledger import ClientLedger
from sandbox.billing.messages import Generator
from sandbox.billing.mix import DEFAULT_MIX, read_mix
from sandbox.billing.sender import Target
from sandbox.naming import fresh_name
from sandbox.network import DEFAULT_FILE, Network, read_network


def main() -> int:
    """Run the feed. Returns 0 if all was answered, 1 if not, 2 if it could not start."""
    options = _options()
    try:
        network = read_network(options.network)
        ledger = ClientLedger(options.ledger)
        generator = Generator(
            secrets.randbits(32) if options.seed is None else options.seed,
            network,
            run=options.run or fresh_name(),
            mix=read_mix(options.mix),
            unknown_department=options.unknown_department,
        )
    except (OSError, ValueError) as error:
        print(f"sandbox.billing: cannot start: {error}", file=sys.stderr)
        return 2
    return asyncio.run(_feed(generator, network, ledger, options))


async def _feed(generator: Generator, network: Network, ledger: ClientLedger, options: argparse.Namespace) -> int:
    feed = Feed(
        generator,
        [row["code"] for row in network["facilities"]],
        Target(options.host, options.port, options.timeout),
        Pace(options.rate, options.connections, options.messages, options.seconds),
        ledger,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, feed.stop)
    print(f"sandbox.billing: feeding {options.host}:{options.port}, {options.rate:g} messages a second", flush=True)
    summary = await feed.go()
    print(json.dumps(summary))
    return 1 if summary["unanswered"] else 0


def _options() -> argparse.Namespace:
    names = ", ".join(f"{name}={share:g}" for name, share in DEFAULT_MIX.items())
    parser = argparse.ArgumentParser(prog="python -m sandbox.billing", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=2575)
    parser.add_argument("--rate", type=_above_zero, default=3.0, help="messages a second, all hospitals together")
    parser.add_argument("--connections", type=int, default=3, help="shared evenly by the hospitals")
    parser.add_argument("--messages", type=int, help="stop after so many")
    parser.add_argument("--seconds", type=float, help="stop after so long")
    parser.add_argument("--seed", type=int, help="the same seed makes the same choices")
    parser.add_argument("--run", help="goes into every id; a fresh one if absent")
    parser.add_argument("--mix", default="", help=f"changes to the shares, default {names}")
    parser.add_argument("--unknown-department", default="CATHLAB2", help="the department that nobody has mapped")
    parser.add_argument("--timeout", type=_above_zero, default=10.0, help="seconds to wait for an acknowledgement")
    parser.add_argument("--ledger", type=Path, help="file to append what was sent and answered to, as JSON lines")
    parser.add_argument("--network", type=Path, default=DEFAULT_FILE)
    options = parser.parse_args()
    if options.connections < 1:
        parser.error("--connections must be at least 1")
    return options


def _above_zero(text: str) -> float:
    number = float(text)
    if not number > 0:
        raise argparse.ArgumentTypeError("must be above zero")
    return number


if __name__ == "__main__":
    sys.exit(main())
