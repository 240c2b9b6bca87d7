"""`python -m sandbox.erp`: run the stand-in ERP until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import signal
import sqlite3
import sys
from pathlib import Path

from sandbox.erp.app import Erp
from sandbox.erp.errors import Refused
from sandbox.erp.server import HttpServer
from sandbox.loops import run
from sandbox.network import DEFAULT_FILE, read_network

TOKEN_VARIABLE = "SANDBOX_ERP_TOKEN"  # noqa: S105 - the variable's name


def main() -> int:
    """Run the ERP. Returns 0 after SIGTERM or SIGINT, 2 if it could not start."""
    options = _options()
    try:
        token = options.token or os.environ.get(TOKEN_VARIABLE) or kept_token(options.ledger)
        erp = Erp(options.ledger, read_network(options.network), token)
        if options.faults:
            erp.faults.set(json.loads(options.faults))
    except (OSError, ValueError, sqlite3.Error) as error:
        print(f"sandbox.erp: cannot start: {error}", file=sys.stderr)
        return 2
    except Refused as refused:
        print(f"sandbox.erp: --faults: {refused}", file=sys.stderr)
        return 2
    try:
        return run(_serve(erp, options.host, options.port))
    finally:
        erp.close()


def kept_token(ledger_file: Path) -> str:
    """Return the token kept beside the ledger, making one that only the owner can read at the first start."""
    file = ledger_file.with_name(ledger_file.name + ".token")
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return file.read_text().strip()
    with os.fdopen(descriptor, "w") as new:
        token = secrets.token_urlsafe(32)
        new.write(token + "\n")
    return token


async def _serve(erp: Erp, host: str, port: int) -> int:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    server = HttpServer(erp.handle)
    try:
        bound = await server.start(host, port)
    except OSError as error:
        print(f"sandbox.erp: cannot listen on {host}:{port}: {error.strerror}", file=sys.stderr)
        return 2
    print(f"sandbox.erp: ready on http://{host}:{bound}, {erp.ledger.count()} journals in the ledger", flush=True)
    await stopping.wait()
    await server.stop()
    print(f"sandbox.erp: stopped, {erp.ledger.count()} journals in the ledger", flush=True)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox.erp", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8801, help="0 takes a free one and says which")
    parser.add_argument("--ledger", type=Path, default=Path("var/demo/erp.sqlite3"), help="the SQLite file")
    parser.add_argument("--network", type=Path, default=DEFAULT_FILE, help="the reference data")
    parser.add_argument("--token", help=f"else {TOKEN_VARIABLE}, else the file <ledger>.token")
    parser.add_argument("--faults", help="JSON, as for POST /_sandbox/faults")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
