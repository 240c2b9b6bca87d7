"""The test suite's own servers: addresses are known at once, the servers start when the first test needs them."""

import os
import shutil
import socket
from pathlib import Path

from embedded import leftovers
from embedded.home import open_home
from embedded.ports import HOST
from embedded.postgres import Postgres
from embedded.process import Process, Spec
from embedded.servers import Servers, try_lock
from embedded.valkey import Valkey

ADMIN_VARIABLE = "THROUGHLINE_TEST_ADMIN_URL"
MAX_DATABASES = 16  # of Redis


class SuiteServers:
    """Servers for one run of the suite, in a folder below `parent` that goes away with them.

    Settings are read before the first fixture runs, hence the addresses up front: each port is held by a bound
    socket until its server takes it. A test of pure functions never starts anything. Safe durability is off: the
    data does not outlive the run. Crash tests use `embedded.up(..., environ={})` for servers of their own.
    """

    def __init__(self, parent: Path) -> None:
        remove_stale(parent)
        self.folder = parent / f"run-{os.getpid()}"
        self.folder.mkdir(mode=0o700, parents=True)
        self.lock = (self.folder / "lock").open("a")
        try_lock(self.lock)
        home = open_home(self.folder.resolve())
        self.held = [hold_port(), hold_port()]
        postgres_port, valkey_port = (held.getsockname()[1] for held in self.held)
        self.makers = (Postgres(home, postgres_port, durable=False), Valkey(home, valkey_port, durable=False))
        self.processes: dict[str, Process] = {}

    @property
    def servers(self) -> Servers:
        """The addresses, and the processes once they run."""
        postgres, valkey = self.makers
        return Servers(postgres.url, valkey.url, postgres.admin_url, self.processes)

    def environment(self) -> dict[str, str]:
        """What settings and the workers of a parallel run read; an address that the caller set stays as it is."""
        ours = {**self.servers.environment(), ADMIN_VARIABLE: self.servers.admin_url}
        return {name: os.environ.get(name) or value for name, value in ours.items()}

    def start(self) -> Servers:
        """Start what is not running yet; raises EmbeddedError with the end of the server's log."""
        if not self.processes:
            specs: list[Spec] = [maker.prepare() for maker in self.makers]
            for held in self.held:
                held.close()
            self.processes.update({spec.name: Process(spec) for spec in specs})
            for process in self.processes.values():
                process.start()
            for process in self.processes.values():
                process.wait_ready()
        return self.servers

    def close(self) -> None:
        """Stop the servers and remove their folder."""
        for process in reversed(self.processes.values()):
            process.stop()
        for held in self.held:
            held.close()
        self.lock.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def hold_port() -> socket.socket:
    """A socket bound to a free loopback port: nobody else is given that number until it is closed."""
    held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    held.bind((HOST, 0))
    return held


def remove_stale(parent: Path) -> None:
    """Remove the folders of runs that were killed: their lock is free."""
    for folder in parent.glob("run-*"):
        with (folder / "lock").open("a") as file:
            if try_lock(file):
                leftovers.sweep(folder.resolve())
                shutil.rmtree(folder, ignore_errors=True)


def own_database(redis_url: str, worker: str) -> str:
    """`redis_url` with a database of its own for the parallel worker "gw<n>"; unchanged for any other name."""
    number = worker.removeprefix("gw")
    if not worker.startswith("gw") or not number.isdigit():
        return redis_url
    base, _slash, _database = redis_url.rpartition("/")
    return f"{base}/{int(number) % MAX_DATABASES}"
