"""The real processes under a benchmark: servers, listener, workers, sender and a stand-in ERP, as in `make demo`."""

import base64
import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import embedded
from embedded import ports, ready

ROOT = Path(__file__).resolve().parent.parent
LINES = 6  # journal legs of one message of the load generator
CELERY = (sys.executable, "-m", "celery", "-A", "hub", "worker", "--loglevel", "WARNING")


@dataclass
class Hub:
    """The running processes and where they are. `erps` are the ports of all ledgers that journals go to."""

    mllp: int
    erps: list[int]
    environment: dict[str, str]
    folder: Path
    workers: int
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def database_url(self) -> str:
        """Of the hub's database."""
        return self.environment["DATABASE_URL"]

    def spawn(self, name: str, *command: str) -> None:
        """Start a process in the background; its output goes to a file of its own."""
        log = (self.folder / f"{name}.log").open("ab")
        self.processes[name] = subprocess.Popen(
            command, cwd=ROOT, env=self.environment, stdout=log, stderr=log, start_new_session=True
        )

    def stop(self, name: str) -> None:
        """Stop a process and its children."""
        process = self.processes.pop(name)
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def start_work(self, name: str, children: int) -> None:
        """One `work` program with so many working processes."""
        self.spawn(name, *CELERY, "-n", f"{name}@bench", "-Q", "work", "-c", str(children))

    def start_sender(self, threads: int = 4) -> None:
        """The sender, with beat."""
        pool = ("-P", "threads", "-c", str(threads), "-B", "-s", str(self.folder / "beat"))
        self.spawn("send", *CELERY, "-n", "send@bench", "-Q", "send", *pool)

    def start_erp(self, name: str, port: int) -> None:
        """A stand-in ERP with a ledger of its own; it may take a moment until it answers."""
        ledger = str(self.folder / f"{name}.sqlite3")
        self.spawn(name, sys.executable, "-m", "sandbox.erp", "--port", str(port), "--ledger", ledger)

    def start_workers(self) -> None:
        """Workers and sender, with beat."""
        self.start_work("work", self.workers)
        self.start_sender()

    def stop_workers(self) -> None:
        """Both of them."""
        self.stop("work")
        self.stop("send")

    def run(self, *command: str) -> str:
        """Run a program to its end; returns what it printed."""
        return subprocess.run(
            [sys.executable, *command], cwd=ROOT, env=self.environment, check=True, stdout=subprocess.PIPE, text=True
        ).stdout

    def load(self, *arguments: str, port: int | None = None) -> dict[str, Any]:
        """Run the load generator against the listener; its figures."""
        output = self.run("-m", "sandbox.load", "--port", str(port or self.mllp), *arguments)
        figures: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
        return figures

    def cpu(self) -> dict[str, float]:
        """Seconds of processor time that each part has used so far, its children included."""
        groups = {process.pid: name for name, process in self.processes.items()}
        used = dict.fromkeys([*groups.values(), "postgres"], 0.0)
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                name, fields = stat.read_text().split("(", 1)[1].rsplit(") ", 1)
            except OSError:  # it ended meanwhile
                continue
            values = fields.split()
            owner = "postgres" if name == "postgres" else groups.get(int(values[2]))  # values[2]: process group
            if owner is not None:
                # Of PostgreSQL also what its ended children used: a worker's session ends with each of its turns.
                spent = sum(map(int, values[11:15] if owner == "postgres" else values[11:13]))
                used[owner] += spent / os.sysconf("SC_CLK_TCK")
        return used

    def ledger(self, port: int, *, distinct: bool = False) -> dict[str, Any]:
        """One ERP's own totals; `distinct` counts the different references too, which takes it a while."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/v1/totals" + ("" if distinct else "?distinct=0"),
            headers={"Authorization": f"Bearer {self.environment['SANDBOX_ERP_TOKEN']}"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            totals: dict[str, Any] = json.loads(answer.read())
        return totals

    def lines(self) -> int:
        """Journal legs in all ledgers together."""
        return sum(int(self.ledger(port)["lines"]) for port in self.erps)

    def posted(self, lines: int, patience_s: float) -> float:
        """Wait until the ledgers have so many lines; the moment (monotonic) when they had. TimeoutError after that."""
        deadline = time.monotonic() + patience_s
        while (have := self.lines()) < lines:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the ledger has {have} of {lines} lines after {patience_s:.0f} s")
            time.sleep(0.1)
        return time.monotonic()


@contextmanager
def running(folder: Path, *, workers: int) -> Iterator[Hub]:
    """A hub with the demo's network loaded, on servers of its own with safe durability; workers are not started yet."""
    folder.mkdir(parents=True, exist_ok=True)
    with embedded.up(folder / "servers", environ={}) as servers:  # never anybody's real database
        taken: list[int] = []
        for _ in range(2):
            taken.append(ports.next_free(21000, taken=frozenset(taken)))
        token = secrets.token_urlsafe(24)
        environment = {
            **os.environ,
            **servers.environment(),
            "DJANGO_SETTINGS_MODULE": "hub.settings",
            "THROUGHLINE_SECRET_KEY": secrets.token_urlsafe(48),
            "THROUGHLINE_VAULT_KEYS": "bench:" + base64.b64encode(secrets.token_bytes(32)).decode(),
            "THROUGHLINE_LOG_LEVEL": "WARNING",
            "THROUGHLINE_WORKERS": str(workers),
            "THROUGHLINE_MLLP_PORT": str(taken[0]),
            "THROUGHLINE_ERP_URL": f"http://127.0.0.1:{taken[1]}",
            "THROUGHLINE_OUTBOUND_NETWORKS": "127.0.0.0/8",
            "THROUGHLINE_ERP_TOKEN": token,
            "SANDBOX_ERP_TOKEN": token,
        }
        hub = Hub(taken[0], [taken[1]], environment, folder, workers)
        try:
            hub.run("manage.py", "migrate", "--no-input", "-v", "0")
            hub.start_erp("erp", taken[1])
            hub.run("manage.py", "load_demo")
            hub.spawn("mllp", sys.executable, "manage.py", "mllp", "--host", "127.0.0.1")
            wait_for(hub.mllp)
            wait_for(taken[1])
            yield hub
        finally:
            for name in list(hub.processes):
                hub.stop(name)


def wait_for(port: int) -> None:
    """Until something listens there; TimeoutError after a minute."""
    deadline, answers = time.monotonic() + 60, ready.port(port)
    while answers() is not None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing listens at port {port}")
        time.sleep(0.1)
