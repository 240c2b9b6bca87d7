"""`make demo`: everything that runs when Throughline runs, as one table of processes, with partners to talk to.

The product is known here by its command lines only. Passwords and keys travel in the environment, never in arguments.
"""

import argparse
import base64
import os
import secrets
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from embedded import ports, ready, servers
from embedded.console import Console
from embedded.errors import EmbeddedError
from embedded.home import PRIVATE_DIR, keep_secret
from embedded.ports import HOST
from embedded.process import Spec
from embedded.supervisor import Supervisor

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
WEB, MLLP, ERP = 8000, 2575, 8801  # wanted; the next free one where taken
WORKERS = 2  # as many as there are cores on a small machine; the lanes are shared among them
RATE = 3.0  # messages a second: the pages show life within seconds
# The demo may be run by root or by a container's made-up user; Celery warns both at every start.
CELERY_WARNINGS = (
    "You're running the worker with superuser privileges",
    "An entry for the specified gid or egid was not",
)
STEP_S = 240  # a migration or the loading of the network on a slow machine


@dataclass(frozen=True, slots=True)
class Addresses:
    """The ports of this run."""

    web: int
    mllp: int
    erp: int

    @property
    def web_url(self) -> str:
        """What a person opens."""
        return f"http://{HOST}:{self.web}/"

    @property
    def erp_url(self) -> str:
        """Where the hub finds the stand-in ERP."""
        return f"http://{HOST}:{self.erp}"


def processes(given: Sequence[str], at: Addresses, folder: Path, rate: float) -> tuple[Spec, ...]:
    """The process table, in the order of the start. `given` names the servers that have to be ready first."""
    manage = (PYTHON, "manage.py")
    celery = (PYTHON, "-m", "celery", "--quiet", "-A", "hub", "worker", "--loglevel", "WARNING")
    quiet = ("--log-level", "warning", "--no-control-socket")
    gunicorn = (PYTHON, "-m", "gunicorn", "hub.wsgi", "--worker-class", "gthread", "--threads", "8", *quiet)
    feed = (PYTHON, "-m", "sandbox.billing", "--host", HOST)
    after = tuple(given)
    loaded = (*after, "load")
    return (
        Spec("migrate", (*manage, "migrate", "--no-input", "-v", "0"), after=after, once=True, ready_timeout_s=STEP_S),
        Spec(
            "erp",
            (PYTHON, "-m", "sandbox.erp", "--port", str(at.erp), "--ledger", str(folder / "erp.sqlite3")),
            ready=ready.port(at.erp),
        ),
        Spec(
            "load",
            (*manage, "load_demo", "--logins", str(folder / "logins.txt")),
            after=("migrate", "erp"),
            once=True,
            ready_timeout_s=STEP_S,
        ),
        Spec(
            "web",
            (*gunicorn, "--bind", f"{HOST}:{at.web}", "--graceful-timeout", "8"),
            after=loaded,
            ready=ready.http_ok(at.web, "/"),
        ),
        Spec(
            "mllp",
            (*manage, "mllp", "--host", HOST, "--port", str(at.mllp)),
            after=loaded,
            ready=ready.port(at.mllp),
            stop_timeout_s=20,  # it drains: what was read is stored and acknowledged first
        ),
        Spec(
            "worker",
            (*celery, "-n", "work@%h", "-Q", "work", "-c", str(WORKERS)),
            after=loaded,
            stop_timeout_s=20,  # the batches under way are finished
        ),
        Spec(
            "sender",
            # One process for sending and for beat: threads, because a sender waits for partners most of the time.
            (*celery, "-n", "send@%h", "-Q", "send", "-P", "threads", "-c", "8", "-B", "-s", str(folder / "beat")),
            after=loaded,
            stop_timeout_s=20,
        ),
        Spec(
            "feed",
            (*feed, "--port", str(at.mllp), "--rate", f"{rate:g}", "--ledger", str(folder / "feed.jsonl")),
            after=("mllp", "worker", "sender"),
        ),
    )


def environment(addresses: servers.Servers, at: Addresses, folder: Path) -> dict[str, str]:
    """What every process of the demo is told; what the caller already set stays as it is."""
    token = keep_secret(folder / "erp_token")
    ours = {
        **addresses.environment(),
        "DJANGO_SETTINGS_MODULE": "hub.settings",
        "PYTHONUNBUFFERED": "1",  # lines appear when they are written
        "PYTHONWARNINGS": ",".join(f"ignore:{text}" for text in CELERY_WARNINGS),
        "THROUGHLINE_SECRET_KEY": keep_secret(folder / "secret_key"),
        "THROUGHLINE_VAULT_KEYS": keep_secret(folder / "vault_keys", vault_key),
        "THROUGHLINE_WORKERS": str(WORKERS),
        "THROUGHLINE_LOG_LEVEL": "WARNING",  # at three messages a second the rest would hide what matters
        "THROUGHLINE_MLLP_PORT": str(at.mllp),
        "THROUGHLINE_ERP_URL": at.erp_url,
        "THROUGHLINE_OUTBOUND_NETWORKS": "127.0.0.0/8,::1/128",  # the stand-in partners are on this machine
        "THROUGHLINE_ERP_TOKEN": token,
        "SANDBOX_ERP_TOKEN": token,
    }
    return {name: os.environ.get(name) or value for name, value in ours.items()}


def vault_key() -> str:
    """A first key for sealing partners' secrets, in the form that the settings want."""
    return "demo:" + base64.b64encode(secrets.token_bytes(32)).decode()


def choose_ports() -> tuple[Addresses, list[str]]:
    """The ports of this run, and a sentence for each one that is not the usual one."""
    chosen: list[int] = []
    notes = []
    for name, wanted in (("web", WEB), ("MLLP", MLLP), ("ERP", ERP)):
        port = ports.next_free(wanted, taken=frozenset(chosen))
        chosen.append(port)
        if port != wanted:
            notes.append(f"port {wanted} is taken, {name} uses {port} instead")
    return Addresses(*chosen), notes


def banner(at: Addresses, folder: Path, seconds: float) -> str:
    """What a person needs to know once everything is up."""
    logins = folder / "logins.txt"
    known = logins.read_text().strip() if logins.exists() else f"(load_demo wrote no {logins})"
    lines = "\n".join(f"    {line}" for line in known.splitlines())
    return (
        f"\nThroughline is up after {seconds:.0f} s.\n\n"
        f"  Open    {at.web_url}\n"
        f"  Log in\n{lines}\n\n"
        f"  HL7 over MLLP   {HOST}:{at.mllp}\n"
        f"  Stand-in ERP    {at.erp_url}\n"
        "  Stop with Ctrl-C. The data stays in var/; the next `make demo` goes on with it.\n "
    )


def run(data_dir: Path, folder: Path, *, rate: float = RATE, only_try: bool = False) -> int:
    """Run the demo until it is told to stop (or, with `only_try`, until everything is up); the exit code."""
    begun = time.monotonic()
    folder.mkdir(mode=PRIVATE_DIR, parents=True, exist_ok=True)
    (ROOT / "var" / "static").mkdir(parents=True, exist_ok=True)  # the web server looks there first
    with servers.holding(data_dir) as held:
        if not held:
            raise EmbeddedError(f"the demo (or another session) already runs on {data_dir}; stop it first")
        at, notes = choose_ports()
        print("making the private PostgreSQL and Valkey ready ...", flush=True)
        plan = servers.prepare(data_dir)
        given = [spec.name for spec in plan.specs]
        specs = (*plan.specs, *processes(given, at, folder, rate))
        console = Console([spec.name for spec in specs])
        for note in notes:
            console.say(note)
        os.environ.update(environment(plan.servers, at, folder))

        def all_up() -> None:
            console.say(banner(at, folder, time.monotonic() - begun))
            supervisor.note = f" {at.web_url}"  # stays in sight when the banner has scrolled away
            if only_try:
                supervisor.ask_to_stop()

        supervisor = Supervisor(specs, console=console, data_dir=data_dir.resolve(), all_up=all_up)
        with servers.announced(data_dir, plan.servers):
            return supervisor.run()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of the demo."""
    parser = argparse.ArgumentParser(prog="python -m embedded.demo", description=__doc__)
    parser.add_argument(
        "--data", type=Path, default=ROOT / "var" / "embedded", help="where the servers keep their data"
    )
    parser.add_argument(
        "--folder", type=Path, default=ROOT / "var" / "demo", help="keys, log-ins, the partners' ledgers"
    )
    parser.add_argument("--rate", type=float, default=RATE, help="messages a second of the billing feed")
    parser.add_argument("--try", dest="only_try", action="store_true", help="stop again as soon as everything is up")
    options = parser.parse_args(arguments)
    os.chdir(ROOT)
    try:
        return run(options.data, options.folder, rate=options.rate, only_try=options.only_try)
    except EmbeddedError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
