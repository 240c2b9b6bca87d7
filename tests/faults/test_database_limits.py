"""The database is restarted, full, locked, slow, or has no connection left: nothing is acknowledged that is not stored.

F-M6 (disk full), F-D1 (restarts, pool exhaustion), F-D2 (long lock, slow query).
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection

import embedded
from hub import bodies, pipeline, tasks
from hub.models import Endpoint, Message
from tests import world
from tests.hub.door_kit import Client, code, dft, errors, free_port
from tests.hub.test_mllp_crash import acknowledged, ledgers, more, own_url, process
from tests.races.kit import at_once
from tests.world import ROOT, ft1

pytestmark = pytest.mark.crash
TRIES = 2_000
RESTARTS = 3


def furnished(servers: embedded.Servers, port: int) -> str:
    """Migrations, the small network, and a port of its own for its billing door; returns the database's address."""
    url = servers.database_url
    env = {**os.environ, "DATABASE_URL": url}
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=env, check=True)
    subprocess.run([sys.executable, "-m", "tests.faults.child", "furnish"], cwd=ROOT, env=env, check=True)
    with psycopg.connect(url, autocommit=True) as database:
        database.execute(
            "UPDATE hub_endpoint SET port = %s, sending_application = '', sending_facility = '' WHERE direction = 'in'",
            [port],
        )
    return url


@contextmanager
def steady_worker(url: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker process that goes on whatever happens to its database; it has to end well when it is told to."""
    env = {**os.environ, "DATABASE_URL": url, **environment}
    command = [sys.executable, "-m", "tests.faults.child", "steady"]
    running = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE)
    try:
        assert running.stdout is not None
        assert running.stdout.readline() == b"steady\n"
        yield running
        running.send_signal(signal.SIGTERM)
        assert running.wait(60) == 0
    finally:
        running.kill()
        running.wait()
        if running.stdout is not None:
            running.stdout.close()


def kept(url: str) -> dict[str, bytes]:
    """The stored messages by control id; none is there twice."""
    with psycopg.connect(url) as database:
        found = database.execute("SELECT control_id, id, raw FROM hub_message").fetchall()
    assert len({name for name, *_ in found}) == len(found)
    return {name: bodies.open_(id_, raw) for name, id_, raw in found}


def ask_until(client: Client, wanted: str, prefix: str) -> list[str]:
    """Send messages until one is answered with `wanted` ("AE"); returns the control ids that were answered AA."""
    taken = []
    for number in range(TRIES):
        name = f"{prefix}{number}"
        answer = code(client.ask(dft(name)))
        if answer == f"{wanted} {name}":
            return taken
        assert answer == f"AA {name}"
        taken.append(name)
    pytest.fail(f"the database never answered {wanted}")


@contextmanager
def small_disk(admin_url: str) -> Iterator[Path]:
    """A disk of 8 MB, mounted where PostgreSQL may write, with the message table on it."""
    with psycopg.connect(admin_url) as admin:
        data = Path(admin.execute("SHOW data_directory").fetchone()[0])  # type: ignore[index]
    owner = data.stat()
    folder = Path(tempfile.mkdtemp(prefix="throughline-disk-", dir="/var/tmp"))
    options = f"size=8m,mode=700,uid={owner.st_uid},gid={owner.st_gid}"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        folder.rmdir()
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
        folder.rmdir()


def move_messages(admin_url: str, folder: Path) -> None:
    """The partitions of messages, their indexes and the keys lie on this disk from now on."""
    database = admin_url.rpartition("/")[0] + "/throughline"
    with psycopg.connect(database, autocommit=True) as admin:
        admin.execute(f"CREATE TABLESPACE small LOCATION '{folder}'")
        names = admin.execute(
            "SELECT c.oid::regclass::text, c.relkind FROM pg_class c WHERE c.relkind IN ('r', 'i')"
            " AND c.relnamespace = 'public'::regnamespace AND c.relname LIKE 'hub_message%'"
        ).fetchall()
        for name, kind in names:
            admin.execute(f"ALTER {'TABLE' if kind in {'r', b'r'} else 'INDEX'} {name} SET TABLESPACE small")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_F_M6_on_a_full_disk_the_answer_is_AE_and_with_room_again_it_is_AA(durable_servers: embedded.Servers) -> None:
    """What was answered AA before, between and after is in the table, byte for byte; nothing else was."""
    port = free_port()
    url = furnished(durable_servers, port)
    with small_disk(durable_servers.admin_url) as disk, process(url, port) as listener:
        move_messages(durable_servers.admin_url, disk)
        ballast = disk / "ballast"
        with Client(port) as client:
            taken = ask_until(client, "AE", "FULL") if fill(ballast) else []
            answer = client.ask(dft("FULL-AE"))
            assert (code(answer), errors(answer)) == ("AE FULL-AE", ["207"])
            assert code(client.ask(dft("FULL-CE", modes="|||AL|NE"))) == "CE FULL-CE"
            assert set(kept(url)) == set(taken)
            ballast.unlink()
            later = retry(client, "ROOM")
        assert listener.poll() is None
        assert {name: kept(url).get(name) for name in [*taken, later]} == {name: dft(name) for name in [*taken, later]}
        durable_servers.processes["postgres"].stop()  # its files lie on the disk that goes


def fill(ballast: Path) -> bool:
    """Write until nothing more goes on the disk."""
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 65_536)
        except OSError:
            return True


def retry(client: Client, name: str) -> str:
    """Send one message until it is taken; a sender does the same. Its back-off is seconds, not minutes."""
    deadline = time.monotonic() + 60
    while code(client.ask(dft(name))) != f"AA {name}":
        assert time.monotonic() < deadline, "the listener never came back"
        time.sleep(0.1)
    return name


def all_applied(url: str, count: int) -> None:
    """Wait until every stored message was worked on; each charge line is in the books once."""
    with psycopg.connect(url, autocommit=True) as database:
        deadline = time.monotonic() + 90
        waiting = "SELECT count(*) FROM hub_message WHERE status = 'received'"
        while database.execute(waiting).fetchone() != (0,):
            assert time.monotonic() < deadline, "the work does not end"
            time.sleep(0.1)
        assert database.execute("SELECT count(*), count(DISTINCT message_id) FROM billing_charge").fetchone() == (
            count, count,
        )  # fmt: skip


def test_F_D1_immediate_restarts_and_an_outage_lose_nothing_and_double_nothing(
    durable_servers: embedded.Servers,
) -> None:
    """PostgreSQL is killed three times under load and is away for three seconds once; listener and worker go on."""
    port = free_port()
    url = furnished(durable_servers, port)
    postgres = durable_servers.processes["postgres"]
    senders, stop = ledgers(port, 4)
    with process(url, port) as listener, steady_worker(url) as worker:
        for number in range(RESTARTS):
            more(senders, 30)
            postgres.kill()
            time.sleep(3 if number == 1 else 0)
            postgres.start()
            postgres.wait_ready()
        more(senders, 30)
        stop.set()
        for sender in senders:
            sender.join()
        told, stored = acknowledged(senders), kept(url)
        assert {name: stored.get(name) for name in told} == told
        all_applied(url, len(stored))
        assert (listener.poll(), worker.poll()) == (None, None)


def test_F_D1_with_no_connection_left_the_listener_says_AE_and_the_worker_waits(
    durable_servers: embedded.Servers,
) -> None:
    """Every connection is somebody else's: nothing is acknowledged, nobody dies, and with room again all goes on."""
    port = free_port()
    url = furnished(durable_servers, port)
    with process(url, port) as listener, steady_worker(url) as worker, ExitStack() as crowd, Client(port) as client:
        assert code(client.ask(dft("BEFORE"))) == "AA BEFORE"
        fill_up(crowd, url, durable_servers.admin_url)
        answer = client.ask(dft("NONE"))
        assert (code(answer), errors(answer)) == ("AE NONE", ["207"])
        crowd.close()
        retry(client, "AFTER")
        assert set(kept(url)) == {"BEFORE", "AFTER"}
        all_applied(url, 2)
        assert (listener.poll(), worker.poll()) == (None, None)


def crowd_in(crowd: ExitStack, url: str) -> None:
    """Connect until nobody is let in any more."""
    while True:
        crowd.enter_context(psycopg.connect(url, application_name="crowd"))


def fill_up(crowd: ExitStack, url: str, admin_url: str) -> None:
    """Take every connection there is, then end those of the hub: it cannot come back."""
    theirs = "FROM pg_stat_activity WHERE datname = 'throughline' AND application_name <> 'crowd'"
    with psycopg.connect(admin_url, autocommit=True) as admin:
        for _ in range(TRIES):  # whoever was ended may come back more quickly than we are
            with pytest.raises(psycopg.OperationalError, match=r"connection slots|too many"):
                crowd_in(crowd, url)
            if admin.execute(f"SELECT count(*) {theirs}").fetchone() == (0,):
                return
            admin.execute(f"SELECT pg_terminate_backend(pid) {theirs}")
    pytest.fail("the hub always found a connection")


@contextmanager
def locked(table: str) -> Iterator[None]:
    """Somebody holds this table and does not let go."""
    with psycopg.connect(own_url()) as other:
        other.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield
        other.rollback()


def own_port() -> int:
    """A port for the billing door of this test's network, which takes every sender."""
    port = free_port()
    Endpoint.objects.filter(direction="in").update(port=port, sending_application="", sending_facility="")
    return port


def test_F_D2_behind_a_long_lock_the_listener_says_AE_instead_of_waiting(
    committed_network: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits for a lock as long as it is told to; then nothing is stored, and the sender has to send again."""
    monkeypatch.setenv("THROUGHLINE_LOCK_TIMEOUT_S", "1")
    port = own_port()
    with process(own_url(), port), Client(port, timeout=30) as client:
        assert code(client.ask(dft("BEFORE"))) == "AA BEFORE"
        with locked("hub_messagekey"):
            answer = client.ask(dft("LOCKED"))
            assert (code(answer), errors(answer)) == ("AE LOCKED", ["207"])
        retry(client, "LOCKED")
    assert sorted(Message.objects.values_list("control_id", flat=True)) == ["BEFORE", "LOCKED"]


def test_F_D2_a_statement_that_never_ends_is_given_up_and_nothing_is_acknowledged(
    committed_network: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trigger that sleeps stands for a database that has become slow."""
    monkeypatch.setenv("THROUGHLINE_DOOR_TIMEOUT_S", "1")
    port = own_port()
    with process(own_url(), port), Client(port, timeout=30) as client:
        assert code(client.ask(dft("BEFORE"))) == "AA BEFORE"
        with connection.cursor() as cursor:
            cursor.execute(
                "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS"
                " 'BEGIN PERFORM pg_sleep(20); RETURN NEW; END'"
            )
            cursor.execute(
                "CREATE TRIGGER dawdle BEFORE INSERT ON hub_messagekey FOR EACH ROW EXECUTE FUNCTION dawdle()"
            )
        try:
            answer = client.ask(dft("SLOW"))
            assert (code(answer), errors(answer)) == ("AE SLOW", ["207"])
        finally:
            with connection.cursor() as cursor:
                cursor.execute("DROP TRIGGER dawdle ON hub_messagekey")
                cursor.execute("DROP FUNCTION dawdle()")
        retry(client, "SLOW")
    assert sorted(Message.objects.values_list("control_id", flat=True)) == ["BEFORE", "SLOW"]


def test_F_D2_a_worker_behind_a_long_lock_gives_up_its_batch_whole_and_does_it_later(
    committed_network: Endpoint,
) -> None:
    """Nothing of the batch is there while the lock stands, its lanes are free again, and afterwards all of it is."""
    sent = [world.dft(f"M{n}", f"A{n}", ft1(f"T{n}", "STENT", "1", "2000")) for n in range(5)]
    world.receive(*sent)

    def work() -> Any:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '300ms'")
        tasks.work()
        return "gave up"

    with locked("billing_charge"):
        assert at_once(work) == ["gave up"]
    assert set(Message.objects.values_list("status", flat=True)) == {"received"}
    assert pipeline.drain() == 5
    assert set(Message.objects.values_list("status", flat=True)) == {"applied"}
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*), count(DISTINCT message_id) FROM billing_charge")
        assert cursor.fetchall() == [(5, 5)]
