"""`manage.py mllp`: the MLLP listener."""

import asyncio
import resource
import signal
from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import connections

from hub.listener.limits import Limits
from hub.listener.server import Listener

try:
    import uvloop

    new_event_loop: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
except ImportError:  # there is none for this platform: asyncio's own loop does the same, slower
    new_event_loop = asyncio.new_event_loop

# What an operator may turn without reading code; the other limits have one right value.
TUNABLE = ("first_byte_s", "frame_s", "idle_s", "per_peer", "total", "grace_s")
# A hung database must be noticed: senders are answered with AE instead of waiting for it.
DATABASE_OPTIONS = {"connect_timeout": 5, "keepalives_idle": 10, "keepalives_interval": 5, "tcp_user_timeout": 15_000}


class Command(BaseCommand):
    """Listens at the ports of all active inbound MLLP endpoints."""

    help = __doc__
    requires_system_checks: list[str] = []  # it has to start, and answer AE, while the database is away

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Ports, address and limits."""
        parser.add_argument("--port", type=int, action="append", default=[], help="only this port; may be repeated")
        parser.add_argument("--host", default=settings.MLLP_HOST, help="address to listen at (%(default)s)")
        for limit in fields(Limits):
            if limit.name in TUNABLE:
                kind: Any = type(limit.default)
                name = f"--{limit.name.replace('_', '-')}"
                parser.add_argument(name, type=kind, default=limit.default, help="%(default)s")

    def handle(self, *_: Any, **options: Any) -> None:
        """Serve until SIGTERM or SIGINT; then answer what is in flight and end."""
        _raise_file_limit()
        for name, value in DATABASE_OPTIONS.items():
            connections.settings["default"]["OPTIONS"].setdefault(name, value)
        _limit_statements(connections.settings["default"]["OPTIONS"])
        limits = replace(Limits(frame_bytes=settings.MAX_MESSAGE_BYTES), **{name: options[name] for name in TUNABLE})
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(_serve(Listener(options["host"], options["port"], limits)))


def _limit_statements(database: dict[str, Any]) -> None:
    """A database that has become slow is as good as away: nobody waits for it longer than this."""
    limit = f"-c statement_timeout={settings.DOOR_TIMEOUT_S * 1000}"
    database["options"] = f"{database.get('options', '')} {limit}".strip()


async def _serve(listener: Listener) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, listener.stop)
    await listener.run()


def _raise_file_limit() -> None:
    """Every connection is an open file; the usual soft limit of 1,024 would be the first to be hit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(65_536, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
