"""The suite's own PostgreSQL and Valkey, and what tests of every app share.

Nothing has to be prepared: unless DATABASE_URL and REDIS_URL name servers, the suite starts its own and removes them
at the end. With `-n` the controller starts one pair for all workers; pytest-django gives each worker a database.
"""

import base64
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django
import psycopg
import pytest
from django.conf import settings
from django.db import connection
from xdist.scheduler import LoadScopeScheduling

import embedded
from embedded import testing
from hub import environment

ROOT = Path(__file__).resolve().parent.parent
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
NEEDED = ("DATABASE_URL", "REDIS_URL")
TOGETHER = ("tests/storm/",)  # one storm for all of them

# Only the process that the person started owns servers; parallel workers inherit the addresses.
OWNED = None if WORKER or all(os.environ.get(name) for name in NEEDED) else testing.SuiteServers(ROOT / "var" / "test")

if OWNED:
    os.environ.update(OWNED.environment())
if WORKER:
    os.environ["REDIS_URL"] = testing.own_database(os.environ["REDIS_URL"], WORKER)

# Here and not in pyproject.toml: settings read the addresses, which are known only now.
os.environ["DJANGO_SETTINGS_MODULE"] = "hub.settings"
os.environ.setdefault("THROUGHLINE_SECRET_KEY", "a key for tests only, nothing is protected by it")
os.environ.setdefault("THROUGHLINE_VAULT_KEYS", "tests:" + base64.b64encode(b"k" * 32).decode())
os.environ.setdefault("THROUGHLINE_OUTBOUND_NETWORKS", "127.0.0.0/8,::1/128")  # the tests' partners are on this machine
# Collected static files: there are none in a fresh clone, and whitenoise warns where the folder itself is missing.
(ROOT / "var" / "static").mkdir(parents=True, exist_ok=True)
django.setup()
# Where the environment names the settings module, they were read before this file was.
settings.OUTBOUND_NETWORKS = environment.networks("THROUGHLINE_OUTBOUND_NETWORKS")


def pytest_xdist_setupnodes(config: pytest.Config) -> None:
    """Parallel run: start the servers before the workers, which then find them in the environment."""
    if OWNED:
        OWNED.start()
    # A worker has to choose its Redis database before it reads the settings; with this variable pytest-django would
    # read them for it first.
    os.environ.pop("DJANGO_SETTINGS_MODULE", None)


class Together(LoadScopeScheduling):
    """Tests that share something large go to one worker, all others to whoever is free.

    What `--dist loadgroup` would do: xdist 3.8 marks the groups in a way that pytest 9.2 does not keep.
    """

    def _split_scope(self, nodeid: str) -> str:
        return next((folder for folder in TOGETHER if nodeid.startswith(folder)), nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together:
    """Who gets which test, in a parallel run."""
    return Together(config, log)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the servers, however the run ended."""
    if OWNED:
        OWNED.close()


@pytest.fixture(scope="session")
def servers() -> embedded.Servers:
    """A running PostgreSQL and Redis-compatible server (fast, without safe durability: test data only)."""
    if OWNED:
        OWNED.start()
    return embedded.Servers(*(os.environ[name] for name in NEEDED), os.environ.get(testing.ADMIN_VARIABLE, ""))


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None, servers: embedded.Servers) -> None:
    """pytest-django's hook before it makes its databases: by then the server has to run."""


OTHERS = (
    "SELECT pid, coalesce(backend_type, '?'), coalesce(state, '?'), left(query, 80) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
PATIENCE_S = 10


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Before the test database goes, whoever still looks at it is waited for, then ended and named.

    Autovacuum may be at work there, and a killed process's session may not have noticed yet: neither is a failure.
    """
    yield
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        deadline = time.monotonic() + PATIENCE_S
        while others := _rows(cursor, OTHERS):
            if time.monotonic() > deadline:
                print("still at the test database:", *others, file=sys.stderr)
                _end([pid for pid, *_ in others], connection.settings_dict["NAME"])
                break
            time.sleep(0.2)
        connection.close()


def _rows(cursor: Any, statement: str) -> list[Any]:
    cursor.execute(statement)
    found: list[Any] = cursor.fetchall()
    return found


def _end(pids: list[int], database: str) -> None:
    """End sessions: as superuser of the suite's own server, else as whoever the tests log in as."""
    url = os.environ.get(testing.ADMIN_VARIABLE) or os.environ["DATABASE_URL"]
    with psycopg.connect(url, autocommit=True) as admin:
        for pid in pids:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %s AND datname = %s",
                [pid, database],
            )


@pytest.fixture
def durable_servers(tmp_path: Path) -> Iterator[embedded.Servers]:
    """Servers of a test's own with safe durability, which it may stop, kill and start (`servers.processes`)."""
    with embedded.up(tmp_path / "servers", environ={}) as servers:
        yield servers
