"""A private PostgreSQL server: made once, started with safe settings, reachable with a password on loopback only."""

import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from embedded import binaries, leftovers, postgres_settings, runas
from embedded.errors import EmbeddedError
from embedded.home import PRIVATE_FILE, SOCKET_PATH_LIMIT, Home
from embedded.ports import HOST
from embedded.process import Spec

SUPERUSER = "postgres"
ROLE = DATABASE = "throughline"
INITDB_S = 120
CONNECT_S = 3
STOP_S = 60  # a fast shutdown writes a checkpoint first
BUILTIN_LOCALES = 17  # the first version with case rules for all of Unicode that need neither ICU nor the system


@dataclass(frozen=True, slots=True)
class Postgres:
    """An embedded server in `home` on `port`. The hub uses `url`; fault tests may use the superuser's `admin_url`."""

    home: Home
    port: int
    durable: bool = True

    @property
    def data(self) -> Path:
        """The server's data directory (PGDATA)."""
        return self.home.folder / "postgres"

    @property
    def url(self) -> str:
        """Where the hub connects: a role that may create databases and is no superuser, as in production."""
        return f"postgresql://{ROLE}:{self.home.secret('postgres.role')}@{HOST}:{self.port}/{DATABASE}"

    @property
    def admin_url(self) -> str:
        """The superuser's door, for fault tests and repairs."""
        return f"postgresql://{SUPERUSER}:{self.home.secret('postgres.superuser')}@{HOST}:{self.port}/postgres"

    def prepare(self) -> Spec:
        """Make the data directory if there is none, end what a killed session left, and tell how to start."""
        found = binaries.find_postgres()
        bin_dir = self.home.program(found.bin_dir, root=found.root, parts=found.parts)
        if self.data.exists():
            self.check_version(found.version)
            pid_file = self.data / "postmaster.pid"
            leftovers.end_owner(pid_file, belongs_to=self.data, how=signal.SIGINT, timeout_s=STOP_S)
        else:
            self.initialise(bin_dir, found.version)
        return Spec(
            name="postgres",
            argv=(str(bin_dir / "postgres"), "-D", str(self.data), "-p", str(self.port), *self.flags()),
            cwd=self.home.folder,
            ready=self.ready,
            stop_signal=signal.SIGINT,  # fast shutdown: open transactions are rolled back, nobody is waited for
            stop_timeout_s=STOP_S,
            run_as=self.home.run_as,
            log=self.home.log("postgres"),
        )

    def flags(self) -> list[str]:
        """The server's settings; its socket folder is private, and left out where the path is too long for one."""
        folder = self.home.make("run")
        fits = len(os.fsencode(folder / f".s.PGSQL.{self.port}")) <= SOCKET_PATH_LIMIT
        socket = ["-c", f"unix_socket_directories={folder if fits else ''}"]
        return [*postgres_settings.flags(durable=self.durable), *socket]

    def check_version(self, version: int) -> None:
        """EmbeddedError if the data was made by another major version: PostgreSQL cannot read it."""
        made_by = (self.data / "PG_VERSION").read_text().strip()
        if made_by != str(version):
            raise EmbeddedError(
                f"{self.data} was made by PostgreSQL {made_by}, but the programs found are version {version}. "
                f"Move the data over with pg_dump of version {made_by}, or remove {self.home.folder} to begin anew."
            )

    def initialise(self, bin_dir: Path, version: int) -> None:
        """Run initdb beside the final place and move it there: a killed initdb never leaves half a database."""
        half = self.home.folder / "postgres.new"
        shutil.rmtree(half, ignore_errors=True)
        self.home.make(half.name)
        password = self.home.folder / "initdb.password"
        password.write_text(self.home.secret("postgres.superuser") + "\n")
        password.chmod(PRIVATE_FILE)
        self.home.give(password)
        argv = [str(bin_dir / "initdb"), "-D", str(half), "-U", SUPERUSER, f"--pwfile={password}"]
        argv += ["--auth=scram-sha-256", "--data-checksums", "--encoding=UTF8", "--locale=C", "--no-instructions"]
        if version >= BUILTIN_LOCALES:
            argv += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        if not self.durable:
            argv.append("--no-sync")
        command = runas.leashed(argv, run_as=self.home.run_as, signal_number=signal.SIGKILL)
        answer = subprocess.run(
            command, cwd=self.home.folder, capture_output=True, text=True, timeout=INITDB_S, check=False
        )
        password.unlink()
        if answer.returncode != 0:
            text = (answer.stdout + answer.stderr).strip()
            raise EmbeddedError(f"initdb could not make {half} ({self.home.run_as.name}):\n{text}")
        half.rename(self.data)

    def ready(self) -> str | None:
        """Ready when the superuser can log in; then the hub's role and database are made if they are missing."""
        try:
            with psycopg.connect(self.admin_url, connect_timeout=CONNECT_S, autocommit=True) as connection:
                self.make_role_and_database(connection)
        except psycopg.OperationalError as error:
            return str(error).strip().replace("\n", " ")
        return None

    def make_role_and_database(self, connection: psycopg.Connection) -> None:
        """Create the hub's role and its database; harmless when they exist."""
        role, name = sql.Identifier(ROLE), sql.Identifier(DATABASE)
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [ROLE]).fetchone():
            # CREATEDB lets the test suite make its databases; the role is otherwise as plain as in production.
            word = sql.Literal(self.home.secret("postgres.role"))
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}").format(role, word))
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, role))
