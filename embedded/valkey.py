"""A private Valkey server (it speaks Redis's protocol): password, append-only file, loopback only."""

import signal
from dataclasses import dataclass

import redis

from embedded import binaries
from embedded.home import PRIVATE_FILE, Home
from embedded.leftovers import end_owner
from embedded.ports import HOST
from embedded.process import Spec

CONNECT_S = 2
STOP_S = 20


@dataclass(frozen=True, slots=True)
class Valkey:
    """An embedded server in `home` on `port`, reachable at `url`."""

    home: Home
    port: int
    durable: bool = True

    @property
    def url(self) -> str:
        """Where Celery connects; the password is part of it."""
        return f"redis://:{self.home.secret('valkey.password')}@{HOST}:{self.port}/0"

    def prepare(self) -> Spec:
        """Write the configuration, end what a killed session left, and tell how to start."""
        found = binaries.find_valkey()
        program = self.home.program(found, root=found.parent, parts=(found.name,))
        self.home.make("valkey")
        configuration = self.home.folder / "valkey.conf"
        pid_file = self.home.folder / "valkey" / "valkey.pid"
        end_owner(pid_file, belongs_to=configuration, how=signal.SIGTERM, timeout_s=STOP_S)
        # The password goes into a private file: a command line can be read by every user of the machine.
        configuration.write_text("\n".join(self.lines()) + "\n")
        configuration.chmod(PRIVATE_FILE)
        self.home.give(configuration)
        return Spec(
            name="valkey",
            argv=(str(program), str(configuration)),
            cwd=self.home.folder,
            ready=self.ready,
            stop_signal=signal.SIGTERM,
            stop_timeout_s=STOP_S,
            run_as=self.home.run_as,
            log=self.home.log("valkey"),
        )

    def lines(self) -> list[str]:
        """The configuration file."""
        folder = self.home.folder / "valkey"
        return [
            f"bind {HOST}",
            f"port {self.port}",
            f'requirepass "{self.home.secret("valkey.password")}"',
            f'dir "{folder}"',
            f'pidfile "{folder / "valkey.pid"}"',
            "daemonize no",
            "set-proc-title no",  # the command line stays as it was, so that a leftover can be known by it
            f"appendonly {'yes' if self.durable else 'no'}",
            "appendfsync everysec",  # a doorbell: the sweep rings again for what the last second lost
            'save ""',  # no snapshots beside the append-only file
            "maxmemory 256mb",
            "maxmemory-policy noeviction",  # a full broker says so; it never drops a task in silence
            "databases 16",  # one each for the workers of a parallel test run
            "tcp-keepalive 60",
            "loglevel notice",
        ]

    def ready(self) -> str | None:
        """Ready when it answers PING with our password."""
        client = redis.Redis.from_url(self.url, socket_connect_timeout=CONNECT_S, socket_timeout=CONNECT_S)
        try:
            client.ping()
        except redis.RedisError as error:
            return str(error)
        finally:
            client.close()
        return None
