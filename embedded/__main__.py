"""`python -m embedded [--data var/embedded] up | env | forget | run -- command`: the servers without the demo."""

import argparse
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

import embedded
from embedded import servers
from embedded.home import remove_home

DEFAULT = Path("var/embedded")


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line and do what it says; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m embedded", description=__doc__)
    parser.add_argument("--data", type=Path, default=DEFAULT, help=f"where the servers keep their data ({DEFAULT})")
    parser.add_argument("--temporary", action="store_true", help="use a new folder and remove it at the end")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("up", help="run the servers until Ctrl-C and print their addresses")
    verbs.add_parser("forget", help="remove the servers' data")
    verbs.add_parser("env", help="print the addresses of the servers that run, as shell assignments")
    run = verbs.add_parser("run", help="run a command with DATABASE_URL and REDIS_URL set, then stop the servers")
    run.add_argument("command", nargs="+")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, interrupt)  # a polite end from outside leaves nothing behind either
    try:
        return VERBS[options.verb](options)
    except embedded.EmbeddedError as error:
        print(f"embedded: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def interrupt(_number: int, _frame: FrameType | None) -> None:
    """Treat SIGTERM as Ctrl-C, so that every `with` block is left in order."""
    raise KeyboardInterrupt


def show(found: embedded.Servers) -> None:
    """Print addresses in a form that `eval` and `source` understand."""
    for name, value in found.environment().items():
        print(f"export {name}={shlex.quote(value)}", flush=True)


def up(options: argparse.Namespace) -> int:
    """Run the servers until we are told to stop."""
    with ExitStack() as stack:
        show(stack.enter_context(embedded.up(folder(options, stack))))
        while True:
            signal.pause()


def env(options: argparse.Namespace) -> int:
    """Tell the addresses of servers that run already."""
    show(servers.running(options.data, wait_s=0))
    return 0


def run_command(options: argparse.Namespace) -> int:
    """Run a command beside the servers; its exit code."""
    with ExitStack() as stack:
        found = stack.enter_context(embedded.up(folder(options, stack)))
        return subprocess.run(options.command, env={**os.environ, **found.environment()}, check=False).returncode


def folder(options: argparse.Namespace, stack: ExitStack) -> Path:
    """The data folder of this call."""
    if options.temporary:
        return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="throughline-", ignore_cleanup_errors=True)))
    return Path(options.data)


def forget(options: argparse.Namespace) -> int:
    """Remove the servers' data, unless they run."""
    with servers.holding(options.data) as held:
        if not held:
            raise embedded.EmbeddedError(f"servers run on {options.data}; stop them before their data is removed")
        remove_home(options.data)
    return 0


VERBS = {"up": up, "env": env, "run": run_command, "forget": forget}

if __name__ == "__main__":
    sys.exit(main())
