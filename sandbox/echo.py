"""`python -m sandbox.echo`: acknowledges every MLLP message and does nothing else.

It shows what the machine's loopback and the load generator can do, so that a benchmark's figure can be judged.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from typing import cast

from sandbox.loops import run
from sandbox.mllp import Frames, NotMllp, control_id, frame

_ACK = b"MSH|^~\\&|ECHO|ECHO|||20260101000000||ACK^P03^ACK|E%b|P|2.5.1\rMSA|AA|%b\r"


class Echo(asyncio.Protocol):
    """One connection: each message is answered AA with its own control id."""

    def __init__(self) -> None:
        self._frames = Frames()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            ids = [control_id(message) for message in self._frames.feed(data)]
        except NotMllp as error:
            print(f"sandbox.echo: closing a connection: {error}", file=sys.stderr)
            self._transport.close()
            return
        self._transport.write(b"".join(frame(_ACK % (each, each)) for each in ids))


async def serve(host: str, port: int) -> int:
    """Answer until SIGTERM or SIGINT. Returns 0, or 2 if it cannot listen."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    try:
        server = await loop.create_server(Echo, host, port)
    except OSError as error:
        print(f"sandbox.echo: cannot listen on {host}:{port}: {error.strerror}", file=sys.stderr)
        return 2
    print(f"sandbox.echo: ready on {host}:{server.sockets[0].getsockname()[1]}", flush=True)
    await stopping.wait()
    server.close()
    return 0


def main() -> int:
    """Run the echo."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.echo", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one and says which")
    options = parser.parse_args()
    return run(serve(options.host, options.port))


if __name__ == "__main__":
    sys.exit(main())
