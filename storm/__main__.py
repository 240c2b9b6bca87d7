"""`make storm SEED= SECONDS=`: one storm. Its last line of output is one JSON object; exit code 1 where it failed."""

import argparse
import json
import random
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from storm.house import ROOT
from storm.run import Plan, blown


def say(text: str) -> None:
    """Progress, for whoever waits."""
    print(text, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m storm", description=__doc__)
    parser.add_argument(
        "--seed", type=int, help="the same seed makes the same faults and messages; a fresh one if absent"
    )
    parser.add_argument("--seconds", type=float, default=60, help="how long faults are injected")
    parser.add_argument("--rate", type=float, default=60, help="messages a second")
    parser.add_argument("--lease", type=int, default=4, help="THROUGHLINE_LEASE_S; a zombie sleeps longer")
    parser.add_argument("--keep", action="store_true", help="keep logs and ledgers of a storm that went well, too")
    options = parser.parse_args(arguments)
    seed = random.SystemRandom().randrange(1_000_000) if options.seed is None else options.seed
    plan = Plan(seed, options.seconds, options.rate, options.lease)
    (ROOT / "var").mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"storm-{seed}-", dir=ROOT / "var"))
    say(f"storm of seed {seed}, {plan.seconds:g} s, {plan.messages} messages; logs in {folder}")
    troubles = ["it did not come to its end"]
    try:
        with blown(plan, folder, say) as (outcome, _):
            troubles = outcome.troubles
    finally:
        if troubles:
            for trouble in troubles:
                say(f"FAILED  {trouble}")
            say(f"repeat it with: make storm SEED={seed} SECONDS={plan.seconds:g}; everything it left is in {folder}")
        elif not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(outcome.document()))
    return 1 if troubles else 0


if __name__ == "__main__":
    sys.exit(main())
