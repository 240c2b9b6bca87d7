"""The pair of servers that everything else needs: `up()` starts them, or joins those that run already."""

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from embedded import leftovers, ports
from embedded.errors import EmbeddedError
from embedded.home import PRIVATE_FILE, Home, open_home
from embedded.postgres import Postgres
from embedded.process import Process, Spec
from embedded.runas import RunAs
from embedded.valkey import Valkey

ANNOUNCEMENT = "servers.json"
JOIN_S = 60
JOIN_POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Servers:
    """Addresses of a PostgreSQL and a Redis-compatible server.

    `admin_url` is the superuser's door, "" when the database is not ours. `processes` holds the servers that this
    `up()` started, by name ("postgres", "valkey"), so that a fault test can stop, kill and start them; they keep
    their addresses. It is empty for servers that somebody else started.
    """

    database_url: str
    redis_url: str
    admin_url: str = ""
    processes: dict[str, Process] = field(default_factory=dict, compare=False, repr=False)

    def environment(self) -> dict[str, str]:
        """The environment variables by which the product is told."""
        return {"DATABASE_URL": self.database_url, "REDIS_URL": self.redis_url}


@dataclass(frozen=True, slots=True)
class Plan:
    """What has to be started to get `servers`: nothing for the ones that the environment names."""

    servers: Servers
    specs: tuple[Spec, ...]


@contextmanager
def up(
    data_dir: Path | str,
    *,
    durable: bool = True,
    run_as: RunAs | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Iterator[Servers]:
    """Servers for the length of a `with` block.

    DATABASE_URL and REDIS_URL, where `environ` has them, are used as they are. Otherwise servers are started on
    `data_dir` and stopped at the end; if another session of this user runs servers there, they are joined and left
    running. `durable=False` is for test data only. Raises EmbeddedError with the reason and the end of the log.
    """
    with holding(Path(data_dir)) as held:
        if not held:
            yield running(Path(data_dir))
            return
        plan = prepare(Path(data_dir), durable=durable, run_as=run_as, environ=environ)
        processes = {spec.name: Process(spec) for spec in plan.specs}
        try:
            for process in processes.values():
                process.start()
            for process in processes.values():
                process.wait_ready()
            with announced(Path(data_dir), plan.servers):
                yield replace(plan.servers, processes=processes)
        finally:
            for process in reversed(processes.values()):
                process.stop()


def prepare(
    data_dir: Path,
    *,
    durable: bool = True,
    run_as: RunAs | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Plan:
    """Everything up to the start: folders, passwords, ports, initdb; the caller holds `data_dir` (see `holding`)."""
    database_url, redis_url = (environ.get(name, "") for name in ("DATABASE_URL", "REDIS_URL"))
    admin_url, specs = "", []
    if not (database_url and redis_url):
        home = open_home(data_dir.resolve(), run_as=run_as)
        chosen = choose_ports(home)
    if not database_url:
        postgres = Postgres(home, chosen["postgres"], durable)
        database_url, admin_url = postgres.url, postgres.admin_url
        specs.append(postgres.prepare())
    if not redis_url:
        valkey = Valkey(home, chosen["valkey"], durable)
        redis_url = valkey.url
        specs.append(valkey.prepare())
    return Plan(Servers(database_url, redis_url, admin_url), tuple(specs))


def choose_ports(home: Home) -> dict[str, int]:
    """Free ports for the servers; the ones of last time where they are free, so that noted addresses stay true."""
    path = home.folder / "ports.json"
    before = json.loads(path.read_text()) if path.exists() else {}
    chosen = {name: ports.any_free(before.get(name)) for name in ("postgres", "valkey")}
    path.write_text(json.dumps(chosen) + "\n")
    return chosen


@contextmanager
def holding(data_dir: Path) -> Iterator[bool]:
    """Hold the lock on `data_dir` (the kernel frees it when we end, however); False if another session has it."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (data_dir / "lock").open("a") as file:
        held = try_lock(file)
        if held:
            (data_dir / ANNOUNCEMENT).unlink(missing_ok=True)  # of a session that was killed
            leftovers.sweep(data_dir.resolve())
        yield held


def try_lock(file: IO[str]) -> bool:
    """Take an exclusive lock on an open file without waiting; whether it was free."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def announced(data_dir: Path, servers: Servers) -> Iterator[None]:
    """While the block runs, other sessions of this user find the addresses in `servers.json`."""
    path = data_dir / ANNOUNCEMENT
    half = path.with_suffix(".new")  # complete before it is seen
    descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE)
    with os.fdopen(descriptor, "w") as file:
        json.dump({**servers.environment(), "ADMIN_URL": servers.admin_url}, file)
    half.rename(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def running(data_dir: Path, *, wait_s: float = JOIN_S) -> Servers:
    """The servers that another session runs on `data_dir`; waits while it starts them, EmbeddedError if it does not."""
    path = data_dir / ANNOUNCEMENT
    deadline = time.monotonic() + wait_s
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(JOIN_POLL_S)
    try:
        told = json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError) as error:
        raise EmbeddedError(
            f"No servers run on {data_dir} ({path} announces none). Start them with: "
            f"python -m embedded --data {data_dir} up"
        ) from error
    return Servers(told["DATABASE_URL"], told["REDIS_URL"], told["ADMIN_URL"])
