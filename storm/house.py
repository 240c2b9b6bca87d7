"""The hub's real processes in the storm, each of which may be killed, stopped and is started again when it ended."""

import base64
import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

import embedded
from embedded import ready
from embedded.ports import HOST, any_free
from embedded.process import Process, Spec

ROOT = Path(__file__).resolve().parent.parent
RESTART_S = 0.5  # as a supervisor does: not at once, and for ever
CELERY = (sys.executable, "-m", "celery", "-A", "hub")
# What is not tried for longer than this is in doubt; shorter than the lease, as in production.
ERP_TERMS = {"connect_s": 1, "read_s": 1.5}
WEB_FACILITY, WEB_DOOR = "NORTH", "carebill-web"
# An outage of the ERP lasts seconds here: with the patience that suits hours it would be the only fault of its minute.
HASTY = """
UPDATE hub_endpoint SET settings = settings || %s::jsonb, retry_first_s = 0.2, retry_cap_s = 2, breaker_pause_s = 0.3,
    breaker_cap_s = 1
WHERE direction = 'out'
"""
MAKE_WEB_DOOR = """
INSERT INTO hub_endpoint SELECT (e).* FROM (
    SELECT jsonb_populate_record(e, jsonb_build_object(
        'id', (SELECT max(id) + 1000 FROM hub_endpoint), 'code', %s::text, 'transport', 'http', 'port', NULL)) e
    FROM hub_endpoint e WHERE e.direction = 'in' AND e.facility = %s
) made
"""


@dataclass
class House:
    """Where everything is, and what runs."""

    folder: Path
    servers: embedded.Servers
    environment: dict[str, str]
    ports: dict[str, int]
    lease_s: int
    web_key: str = ""
    processes: dict[str, Process] = field(default_factory=dict)
    restarts: Counter[str] = field(default_factory=Counter)
    _due: dict[str, float] = field(default_factory=dict)

    @property
    def database_url(self) -> str:
        """Of the hub's database."""
        return self.servers.database_url

    @property
    def erp_ledger(self) -> Path:
        """The ERP's own file."""
        return self.folder / "erp.sqlite3"

    def add(self, name: str, *command: str, check: ready.Check | None = None) -> None:
        """Start a program that is kept running."""
        log = self.folder / "logs" / f"{name}.log"
        self.processes[name] = Process(Spec(name, command, self.environment, ROOT, ready=check, log=log))
        self.processes[name].start()

    def tend(self) -> None:
        """Start again what ended a moment ago. Called all the time, by the thread that started everything."""
        now = time.monotonic()
        for name, process in self.processes.items():
            if process.running():
                self._due.pop(name, None)
            elif now >= self._due.setdefault(name, now + RESTART_S):
                process.start()
                self.restarts[name] += 1
                del self._due[name]

    def wait_ready(self) -> None:
        """Everything answers; what dies on the way (PostgreSQL while an old backend lives) is started again."""
        deadline = time.monotonic() + 60
        while True:
            self.tend()
            reasons = [reason for one in self.processes.values() if (reason := self._trouble(one)) is not None]
            if not reasons:
                return
            if time.monotonic() > deadline:
                raise TimeoutError("not up after 60 s: " + "; ".join(reasons))
            time.sleep(0.1)

    def _trouble(self, process: Process) -> str | None:
        if not process.running():
            return f"{process.spec.name} does not run"
        return process.spec.ready() if process.spec.ready else None

    def run(self, *command: str) -> str:
        """Run a program of the hub to its end; what it printed."""
        return subprocess.run(
            [sys.executable, *command], cwd=ROOT, env=self.environment, check=True, stdout=subprocess.PIPE, text=True
        ).stdout

    def children(self, name: str) -> list[int]:
        """The process ids of a program's own children."""
        pid = self.processes[name].pid
        try:
            text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        except OSError:  # it is down just now
            return []
        return [int(word) for word in text.split()]

    def erp(self, method: str, document: Any = None) -> Any:
        """Speak to the ERP's fault switchboard, past the proxy."""
        request = urllib.request.Request(
            f"http://{HOST}:{self.ports['erp']}/_sandbox/faults",
            method=method,
            data=None if document is None else json.dumps(document).encode(),
            headers={
                "Authorization": f"Bearer {self.environment['SANDBOX_ERP_TOKEN']}", "Content-Type": "application/json",
            },
        )  # fmt: skip
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
            return json.loads(answer.read())

    def stop(self) -> None:
        """Stop our programs; the servers are stopped by whoever started them."""
        ours = [one for name, one in self.processes.items() if name not in self.servers.processes]
        for process in ours:
            process.signal_group(signal.SIGCONT)
            process.ask_to_stop()
        for process in ours:
            process.wait(10)
            process.stop()


@contextmanager
def standing(folder: Path, *, lease_s: int) -> Iterator[House]:
    """A hub with the demo's network on servers of its own, everything up and nothing sent yet."""
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    with embedded.up(folder / "servers", environ={}) as servers:  # never anybody's real database
        house = _house(folder, servers, lease_s)
        try:
            house.run("manage.py", "migrate", "--no-input", "-v", "0")
            _open(house)  # while the network is loaded: starting eight programs takes as long
            house.run("manage.py", "load_demo")
            with psycopg.connect(servers.database_url, autocommit=True) as db:
                db.execute(HASTY, [json.dumps(ERP_TERMS)])
                db.execute(MAKE_WEB_DOOR, [WEB_DOOR, WEB_FACILITY])
            issue = ("manage.py", "apikey", "issue", "--user", "integration", "--name", "storm", "--scope")
            house.web_key = house.run(*issue, f"in.{WEB_DOOR}").strip()
            _open_doors(house)
            house.wait_ready()
            yield house
        finally:
            house.stop()


def _house(folder: Path, servers: embedded.Servers, lease_s: int) -> House:
    ports = {name: any_free() for name in ("mllp", "web", "erp", "mllp_proxy", "erp_proxy")}
    token = secrets.token_urlsafe(24)
    environment = {
        **os.environ,
        **servers.environment(),
        "DJANGO_SETTINGS_MODULE": "hub.settings",
        "PYTHONUNBUFFERED": "1",
        "THROUGHLINE_SECRET_KEY": secrets.token_urlsafe(48),
        "THROUGHLINE_VAULT_KEYS": "storm:" + base64.b64encode(secrets.token_bytes(32)).decode(),
        "THROUGHLINE_LOG_LEVEL": "WARNING",
        "THROUGHLINE_DEBUG": "",
        "THROUGHLINE_WORKERS": "2",
        "THROUGHLINE_LEASE_S": str(lease_s),
        "THROUGHLINE_MLLP_PORT": str(ports["mllp"]),
        "THROUGHLINE_ERP_URL": f"http://{HOST}:{ports['erp_proxy']}",
        "THROUGHLINE_OUTBOUND_NETWORKS": "127.0.0.0/8",
        "THROUGHLINE_ERP_TOKEN": token,
        "SANDBOX_ERP_TOKEN": token,
    }
    return House(folder, servers, environment, ports, lease_s)


def _open(house: House) -> None:
    """The servers, which run already, and what needs tables only: web, two workers, sender, the ERP."""
    house.processes.update(house.servers.processes)
    ports, quiet = house.ports, ("--loglevel", "WARNING")
    erp = ("-m", "sandbox.erp", "--port", str(ports["erp"]), "--ledger", str(house.erp_ledger))
    house.add("erp", sys.executable, *erp, check=ready.port(ports["erp"]))
    gunicorn = ("-m", "gunicorn", "hub.wsgi", "--worker-class", "gthread", "--threads", "4", "--no-control-socket")
    bind = ("--bind", f"{HOST}:{ports['web']}", "--log-level", "warning")
    house.add("web", sys.executable, *gunicorn, *bind, check=ready.http_ok(ports["web"], "/livez"))
    for name in ("worker1", "worker2"):
        house.add(name, *CELERY, "worker", *quiet, "-n", f"{name}@storm", "-Q", "work", "-c", "1")
    house.add("sender", *CELERY, "worker", *quiet, "-n", "sender@storm", "-Q", "send", "-P", "threads", "-c", "4")


def _open_doors(house: House) -> None:
    """What needs the network's endpoints: the listener, and two beats, whose first sweep makes the lanes."""
    mllp = ("manage.py", "mllp", "--host", HOST)
    house.add("listener", sys.executable, *mllp, check=ready.port(house.ports["mllp"]))
    for name in ("beat1", "beat2"):
        house.add(name, *CELERY, "beat", "--loglevel", "WARNING", "-s", str(house.folder / name), "--pidfile", "")
