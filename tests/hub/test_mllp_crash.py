"""The listener as a real process: killed, stopped, with its database taken away. A client's ledger is compared."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection

import embedded
from hub import bodies
from tests.hub.door_kit import Client, code, dft, endpoint, errors, free_port, stored

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.crash


@contextmanager
def process(database_url: str, port: int, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """`manage.py mllp` for one port; killed at the end if it still runs."""
    command = [sys.executable, "manage.py", "mllp", "--port", str(port), *options]
    running = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "DATABASE_URL": database_url})
    try:
        for _ in range(600):
            assert running.poll() is None, "the listener ended"
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield running
    finally:
        running.kill()
        running.wait()


def own_url() -> str:
    """The address of this test's database."""
    settings: Any = connection.settings_dict
    auth = f"{settings['USER']}:{settings['PASSWORD']}" if settings["PASSWORD"] else settings["USER"]
    return f"postgresql://{auth}@{settings['HOST']}:{settings['PORT']}/{settings['NAME']}"


class Ledger(threading.Thread):
    """A sender that writes down what it was answered, and sends again what it was not."""

    def __init__(self, port: int, name: str, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.port, self.prefix, self.stop = port, name, stop
        self.acknowledged: dict[str, bytes] = {}
        self.bodies: dict[str, bytes] = {}
        self.resent = 0

    def run(self) -> None:
        number = 0
        while not self.stop.is_set():
            try:
                with Client(self.port, timeout=10) as client:
                    while not self.stop.is_set():
                        name = f"{self.prefix}-{number}"
                        self.resent += name in self.bodies
                        self.bodies[name] = dft(name, account=self.prefix)
                        answer = client.ask(self.bodies[name])
                        if code(answer) != f"AA {name}":
                            break
                        self.acknowledged[name] = answer
                        number += 1
            except (OSError, AssertionError):
                time.sleep(0.05)


def ledgers(port: int, count: int) -> tuple[list[Ledger], threading.Event]:
    """So many senders, under way."""
    stop = threading.Event()
    started = [Ledger(port, f"S{number}", stop) for number in range(count)]
    for ledger in started:
        ledger.start()
    return started, stop


def acknowledged(senders: list[Ledger]) -> dict[str, bytes]:
    """What all of them were told is stored, with its bytes."""
    return {name: sender.bodies[name] for sender in senders for name in list(sender.acknowledged)}


def more(senders: list[Ledger], count: int) -> None:
    """Wait until so many more messages are acknowledged."""
    wanted = len(acknowledged(senders)) + count
    for _ in range(6000):
        if len(acknowledged(senders)) > wanted:
            return
        time.sleep(0.01)
    pytest.fail("the messages were not acknowledged within a minute")


@pytest.mark.django_db(transaction=True)
def test_F_M1_F_M2_kill_9_loses_nothing_that_was_acknowledged():
    """Killed in full flight, five times: the ledger is in the table, nothing twice, and a resend hears the same."""
    port = free_port()
    endpoint(port=port)
    senders, stop = ledgers(port, 8)
    for _ in range(5):
        with process(own_url(), port) as listener:
            more(senders, 200)
            listener.send_signal(signal.SIGKILL)
            listener.wait()
    with process(own_url(), port):
        more(senders, 50)
        stop.set()
        for sender in senders:
            sender.join()
        told = acknowledged(senders)
        with Client(port) as client:
            for sender in senders:
                for name in list(sender.acknowledged)[-3:]:
                    assert client.ask(sender.bodies[name]) == sender.acknowledged[name]
    with connection.cursor() as cursor:
        cursor.execute("SELECT control_id, id, raw FROM hub_message")
        rows = cursor.fetchall()
    kept = {name: bodies.open_(id_, bytes(raw)) for name, id_, raw in rows}
    assert len(kept) == len(rows)
    assert {name: kept.get(name) for name in told} == told
    assert len(told) > 1000
    assert sum(sender.resent for sender in senders) > 0


@pytest.mark.django_db(transaction=True)
def test_R_1_a_listener_that_is_told_to_stop_answers_what_is_in_flight():
    """SIGTERM under load: exit code 0, and each stored message was acknowledged to its sender."""
    port = free_port()
    endpoint(port=port)
    senders, stop = ledgers(port, 8)
    with process(own_url(), port) as listener:
        more(senders, 200)
        listener.send_signal(signal.SIGTERM)
        assert listener.wait(30) == 0
    stop.set()
    for sender in senders:
        sender.join()
    assert stored() == {"received": len(acknowledged(senders))}


def test_F_M5_R_12_without_its_database_the_listener_asks_to_send_again(durable_servers: embedded.Servers):
    """PostgreSQL is stopped and killed under load: AE without it, AA when it is back, and every AA is in the table."""
    url = durable_servers.database_url
    environment = {**os.environ, "DATABASE_URL": url}
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=environment, check=True)
    port = free_port()
    with psycopg.connect(url, autocommit=True) as database:
        made = "INSERT INTO hub_partner (code, name, kind, active) VALUES ('cb', 'CB', 'billing', true) RETURNING id"
        partner = database.execute(made).fetchone()[0]
        database.execute(
            "INSERT INTO hub_endpoint (partner_id, code, name, direction, format, transport, facility,"
            " sending_application, sending_facility, port, allowed_peers, production, concurrency, backlog_limit,"
            " silent_after_minutes, settings, secret, paused, active) VALUES (%s, 'cb', 'cb', 'in', 'hl7v2', 'mllp',"
            " '', '', '', %s, '', true, 1, 500000, 60, '{}', '', false, true)",
            [partner, port],
        )
    postgres = durable_servers.processes["postgres"]
    senders, stop = ledgers(port, 4)
    with process(url, port) as listener:
        for halt in (postgres.stop, postgres.kill):
            more(senders, 100)
            halt()
            with Client(port) as client:
                answer = client.ask(dft("AWAY"))
                assert (code(answer), errors(answer)) == ("AE AWAY", ["207"])
                assert code(client.ask(dft("AWAY2", modes="|||AL|NE"))) == "CE AWAY2"
            postgres.start()
            postgres.wait_ready()
        more(senders, 100)
        assert listener.poll() is None
        stop.set()
        for sender in senders:
            sender.join()
    told = acknowledged(senders)
    with psycopg.connect(url) as database:
        found = database.execute("SELECT control_id, id, raw FROM hub_message").fetchall()
        kept = {name: bodies.open_(id_, raw) for name, id_, raw in found}
        assert database.execute("SELECT count(*) FROM hub_message").fetchone() == (len(kept),)
    assert {name: kept.get(name) for name in told} == told
