"""Ringing the workers. A ring that is lost costs latency, never work: the sweep rings again."""

import threading
import time

import structlog
from django.conf import settings
from django.db import transaction
from kombu.exceptions import OperationalError
from redis import Redis, RedisError

from hub import tracing
from hub.celery import app

log = structlog.get_logger(__name__)
# One ring is enough until a worker has answered it, at the end of its turn; after so many ms another may come to help.
RING_MS = 1000
# While Redis is away nobody waits for it more often than this.
AWAY_S = 2.0


# Tasks that have no Celery queue of their own.
ROUTED = {"replay": "work", "index": "work"}


class Doorbell:
    """A Redis connection that may be away without anybody noticing more than latency."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.redis: Redis | None = None
        self.away_until = 0.0  # monotonic

    def client(self) -> Redis:
        """The connection of this process, made when it is first needed."""
        with self.lock:
            if self.redis is None:
                self.redis = Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=0.5)
        return self.redis

    def ring(self, queue: str, endpoint_id: int | None) -> None:
        """See `ring`."""
        if time.monotonic() < self.away_until:
            return
        try:
            if self.client().set(_name(queue, endpoint_id), b"1", nx=True, px=RING_MS):
                args = [] if endpoint_id is None else [endpoint_id]
                app.send_task(
                    f"hub.tasks.{queue}", args, queue=ROUTED.get(queue, queue), retry=False, headers=tracing.carrier()
                )
        except (RedisError, OperationalError, OSError) as error:
            self.away_until = time.monotonic() + AWAY_S
            log.warning("redis_away", queue=queue, error=type(error).__name__)

    def answered(self, queue: str, endpoint_id: int | None) -> None:
        """See `answered`."""
        try:
            self.client().delete(_name(queue, endpoint_id))
        except (RedisError, OSError) as error:
            log.warning("redis_away", queue=queue, error=type(error).__name__)


_doorbell = Doorbell()


def _name(queue: str, endpoint_id: int | None) -> str:
    return f"throughline:ring:{queue}:{endpoint_id or ''}"


def ring(queue: str, endpoint_id: int | None = None) -> None:
    """Wake a worker of "work", "replay" or "index", or of "send" for an endpoint, unless somebody did. Never raises."""
    _doorbell.ring(queue, endpoint_id)


def answered(queue: str, endpoint_id: int | None = None) -> None:
    """Whoever was up stops looking: the next ring counts again."""
    _doorbell.answered(queue, endpoint_id)


def nudge(queue: str, endpoint_id: int | None = None) -> None:
    """Ring once the current transaction has committed."""
    transaction.on_commit(lambda: ring(queue, endpoint_id))
