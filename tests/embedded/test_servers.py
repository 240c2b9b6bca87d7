"""The embedded servers, run for real: safe settings, data that stays, sessions that were killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
import redis

import embedded
from embedded import leash, leftovers, runas, servers
from embedded.home import open_home, remove_home
from embedded.postgres import Postgres
from embedded.process import Process

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can step down to another account")


def ask(url: str, query: str) -> object:
    """The first column of the first row."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(query).fetchone()
        return row[0] if row else None


def run(url: str, *statements: str) -> None:
    """Run statements, each committed by itself."""
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def test_the_hub_is_no_superuser(servers: embedded.Servers) -> None:
    """The hub's role may create databases and is otherwise plain; the admin door is the superuser's."""
    query = "SELECT rolname || ' ' || rolsuper || ' ' || rolcreatedb FROM pg_roles WHERE rolname = current_user"
    assert ask(servers.database_url, query) == "throughline false true"
    assert ask(servers.admin_url, query) == "postgres true true"


def test_postgres_is_private_and_checks_its_pages(servers: embedded.Servers) -> None:
    """Loopback only, scram passwords only, data checksums on, text in UTF-8 with case rules for all of it."""
    assert ask(servers.database_url, "SHOW listen_addresses") == "127.0.0.1"
    assert ask(servers.database_url, "SHOW data_checksums") == "on"
    assert ask(servers.database_url, "SHOW server_encoding") == "UTF8"
    assert ask(servers.database_url, "SELECT upper('é')") == "É"
    methods = "SELECT string_agg(DISTINCT auth_method, ',') FROM pg_hba_file_rules"
    assert ask(servers.admin_url, methods) == "scram-sha-256"
    wrong = servers.database_url.replace("throughline:", "throughline:wrong-", 1)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


def test_no_values_reach_the_servers_log(durable_servers: embedded.Servers, tmp_path: Path) -> None:
    """An error leaves its kind in the log, never the statement or the values in it: they may be a patient's."""
    run(durable_servers.database_url, "CREATE TABLE t (name text PRIMARY KEY)", "INSERT INTO t VALUES ('ZZCANARY')")
    with (
        psycopg.connect(durable_servers.database_url) as connection,
        pytest.raises(psycopg.errors.UniqueViolation),
    ):
        connection.execute("INSERT INTO t VALUES (%s)", ["ZZCANARY"])
    log = (tmp_path / "servers" / "postgres.log").read_text()
    assert "duplicate key value violates unique constraint" in log
    assert "ZZCANARY" not in log


def test_durable_unless_told_otherwise(servers: embedded.Servers, durable_servers: embedded.Servers) -> None:
    """Safe settings are the default; the suite's own pair is fast, and still logs a commit before answering."""
    names = ("fsync", "synchronous_commit", "full_page_writes")
    durable = [ask(durable_servers.database_url, f"SHOW {name}") for name in names]
    fast = [ask(servers.database_url, f"SHOW {name}") for name in names]
    assert durable == ["on", "on", "on"]
    assert fast == ["off", "on", "off"]


def test_valkey_wants_its_password_and_drops_nothing(durable_servers: embedded.Servers) -> None:
    """No password, no answer; an append-only file is kept and a full server refuses instead of evicting."""
    client = redis.Redis.from_url(durable_servers.redis_url, decode_responses=True)
    wanted = {"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction", "bind": "127.0.0.1"}
    found = client.config_get(*wanted)
    port = client.connection_pool.connection_kwargs["port"]
    client.close()
    assert found == wanted
    stranger = redis.Redis(port=port)
    with pytest.raises(redis.AuthenticationError):
        stranger.ping()
    stranger.close()


def test_the_data_is_found_again(tmp_path: Path) -> None:
    """A second session on the same folder has the first one's rows, keys, passwords and ports."""
    with embedded.up(tmp_path, environ={}) as first:
        run(first.database_url, "CREATE TABLE t (n int)", "INSERT INTO t VALUES (42)")
        client = redis.Redis.from_url(first.redis_url)
        client.set("bell", "rung")
        client.close()
    with embedded.up(tmp_path, environ={}) as second:
        assert second == first
        assert ask(second.database_url, "SELECT n FROM t") == 42
        client = redis.Redis.from_url(second.redis_url)
        assert client.get("bell") == b"rung"
        client.close()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(second.database_url)


def test_a_second_session_joins_the_first(tmp_path: Path) -> None:
    """While servers run on a folder, another `up` gets their addresses, and leaves them running."""
    with embedded.up(tmp_path, environ={}) as first:
        with embedded.up(tmp_path, environ={}) as second:
            assert second == first
            assert second.processes == {}
        assert ask(first.database_url, "SELECT 1") == 1
    with pytest.raises(embedded.EmbeddedError, match="No servers run on"):
        servers.running(tmp_path, wait_s=0)


def test_named_servers_are_used_as_they_are(servers: embedded.Servers, tmp_path: Path) -> None:
    """DATABASE_URL and REDIS_URL win: nothing is started for what they name."""
    with embedded.up(tmp_path / "none", environ=servers.environment()) as found:
        assert found.environment() == servers.environment()
        assert found.processes == {}
    with embedded.up(tmp_path / "half", environ={"DATABASE_URL": servers.database_url}) as found:
        assert found.database_url == servers.database_url
        assert list(found.processes) == ["valkey"]
    assert not (tmp_path / "half" / "postgres").exists()


def test_commits_survive_kill_9(durable_servers: embedded.Servers) -> None:
    """The server is killed and started again at the same address: what was committed is there."""
    url, postgres = durable_servers.database_url, durable_servers.processes["postgres"]
    run(url, "CREATE TABLE t (n int)", "INSERT INTO t SELECT generate_series(1, 1000)")
    postgres.kill()
    assert not postgres.running()
    start_until_ready(postgres)
    assert ask(url, "SELECT count(*) FROM t") == 1000


def start_until_ready(process: Process) -> None:
    """Start PostgreSQL after a kill; it refuses for a moment while orphaned backends let go of the shared memory."""
    for _attempt in range(20):
        process.start()
        try:
            process.wait_ready()
        except embedded.EmbeddedError as error:
            if "shared memory" not in str(error):
                raise
            time.sleep(0.2)
        else:
            return
    raise AssertionError("PostgreSQL did not come back")


UP_AND_WAIT = """
import sys, time, embedded
with embedded.up(sys.argv[1], environ={}) as servers:
    print(servers.processes["postgres"].pid, servers.processes["valkey"].pid, servers.database_url, flush=True)
    time.sleep(600)
"""


@pytest.mark.skipif(not leftovers.LINUX, reason="the leash is a promise of Linux")
def test_servers_end_with_a_killed_session(tmp_path: Path) -> None:
    """kill -9 of the session that started them: both servers shut down in order, and the folder can be used again."""
    session = subprocess.Popen([sys.executable, "-c", UP_AND_WAIT, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert session.stdout is not None
    postgres, valkey, url = session.stdout.readline().split()
    run(url, "CREATE TABLE t (n int)")
    session.kill()
    session.communicate()
    assert leftovers.wait_gone([int(postgres), int(valkey)], 30) == []
    assert "database system is shut down" in (tmp_path / "postgres.log").read_text()
    with embedded.up(tmp_path, environ={}) as again:
        assert ask(again.database_url, "SELECT count(*) FROM t") == 0


def test_an_orphaned_server_is_ended_first(tmp_path: Path) -> None:
    """A PostgreSQL that outlived its session is shut down, not fought with over the same files."""
    home = open_home(tmp_path)
    with embedded.up(tmp_path, environ={}) as first:
        port = int(first.database_url.rpartition(":")[2].split("/")[0])
    spec = Postgres(home, port).prepare()
    # No signal on the parent's end: this one is meant to stay, as after a crash on a system without the leash.
    argv = runas.leashed(list(spec.argv), run_as=spec.run_as, signal_number=0)
    with (tmp_path / "orphan.log").open("w") as log:
        orphan = subprocess.Popen(argv, stdout=log, stderr=log)
    deadline = time.monotonic() + 30
    while not (tmp_path / "postgres" / "postmaster.pid").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with embedded.up(tmp_path, environ={}) as again:
        assert orphan.wait(timeout=30) == 0
        assert again.processes["postgres"].pid != orphan.pid
        assert ask(again.database_url, "SELECT 1") == 1


def test_a_stale_pid_file_is_not_believed(tmp_path: Path) -> None:
    """After a reboot the noted number may be anybody's: that process is left alone and the server starts."""
    with embedded.up(tmp_path, environ={}):
        pass
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    (tmp_path / "postgres" / "postmaster.pid").write_text(f"{bystander.pid}\n{tmp_path}/postgres\n")
    try:
        with embedded.up(tmp_path, environ={}) as again:
            assert ask(again.database_url, "SELECT 1") == 1
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_data_of_another_version_is_refused(tmp_path: Path) -> None:
    """PostgreSQL cannot read another major version's files, and the text says what to do."""
    with embedded.up(tmp_path, environ={}):
        pass
    (tmp_path / "postgres" / "PG_VERSION").write_text("9\n")
    with (
        pytest.raises(embedded.EmbeddedError, match=r"made by PostgreSQL 9, but .* pg_dump"),
        embedded.up(tmp_path, environ={}),
    ):
        pass


def test_a_server_that_cannot_start_shows_its_log(tmp_path: Path) -> None:
    """The error of the start carries the end of the server's own log."""
    with embedded.up(tmp_path, environ={}):
        pass
    (tmp_path / "postgres" / "global" / "pg_control").unlink()
    with (
        pytest.raises(embedded.EmbeddedError, match=r"postgres ended with exit code \d before(.|\n)*pg_control"),
        embedded.up(tmp_path, environ={}),
    ):
        pass


def test_half_an_initdb_is_done_again(tmp_path: Path) -> None:
    """A session that was killed during the first start leaves nothing that looks like a database."""
    (tmp_path / "postgres.new").mkdir()
    (tmp_path / "postgres.new" / "PG_VERSION").write_text("18\n")
    with embedded.up(tmp_path, environ={}) as found:
        assert ask(found.database_url, "SELECT 1") == 1
    assert not (tmp_path / "postgres.new").exists()


@ROOT_ONLY
def test_runs_under_a_folder_that_only_root_can_enter(tmp_path: Path) -> None:
    """Where user namespaces are refused, root steps down to an account without rights, with copies in its reach."""
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    data = private / "data"
    try:
        with embedded.up(data, environ={}, run_as=runas.account(runas.NOBODY)) as found:
            pids = [process.pid for process in found.processes.values()]
            assert [Path(f"/proc/{pid}").stat().st_uid for pid in pids] == [runas.NOBODY, runas.NOBODY]
            run(found.database_url, "CREATE TABLE t (n int)")
            folder = Path((data / "elsewhere").read_text())
            assert folder.stat().st_mode & 0o777 == 0o700
            assert folder.stat().st_uid == runas.NOBODY
        with embedded.up(data, environ={}) as again:  # the files' owner decides how it goes on
            assert Path(f"/proc/{again.processes['postgres'].pid}").stat().st_uid == runas.NOBODY
            assert ask(again.database_url, "SELECT count(*) FROM t") == 0
    finally:
        remove_home(data)
    assert not folder.exists()


@ROOT_ONLY
@pytest.mark.skipif(os.geteuid() != 0 or not runas.namespaces_work(), reason="user namespaces are refused here")
def test_a_plain_user_needs_nothing_special(tmp_path: Path) -> None:
    """Whoever is not root runs the servers directly, with files of their own."""
    argv = [sys.executable, "-m", "embedded", "--data", str(tmp_path / "data"), "run", "--"]
    argv += [sys.executable, "-c", "import os; print(os.getuid(), os.environ['DATABASE_URL'][:25])"]
    command = runas.leashed(argv, run_as=runas.NAMESPACE, signal_number=signal.SIGKILL)
    environment = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    answer = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    expected = f"{leash.known_id()} postgresql://throughline:"
    assert (answer.returncode, answer.stdout.strip()) == (0, expected), answer.stderr


@ROOT_ONLY
def test_somebody_elses_folder_is_refused(tmp_path: Path) -> None:
    """A plain user who meets a folder of another owner is told whose it is and what to do."""
    data = tmp_path / "postgres"
    data.mkdir()
    os.chown(data, 4711, 4711)
    tmp_path.chmod(0o755)
    code = f"from pathlib import Path; from embedded import runas; runas.choose(Path({str(data)!r}))"
    command = runas.leashed([sys.executable, "-c", code], run_as=runas.NAMESPACE, signal_number=signal.SIGKILL)
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert f"and you are uid {leash.known_id()}" in answer.stderr
