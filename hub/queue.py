"""Ringing the workers. A ring that is lost costs latency, never work: the sweep rings again."""

import time

import structlog
from django.conf import settings
from django.db import transaction
from kombu.exceptions import OperationalError
from redis import Redis, RedisError

from hub.celery import app

log = structlog.get_logger(__name__)
# One ring is enough until a worker has answered it; after this many ms the next one may ring again.
RING_MS = 1000
_redis: Redis | None = None
_away_until = 0.0  # monotonic; while Redis is away nobody waits for it more than once in a while


def _client() -> Redis:
    global _redis
    if _redis is None:
        _redis = Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=0.5)
    return _redis


def ring(queue: str) -> None:
    """Wake a worker of `queue` ("work" or "send") now, unless somebody just did. Never raises: Redis is a doorbell."""
    global _away_until
    if time.monotonic() < _away_until:
        return
    try:
        if _client().set(f"throughline:ring:{queue}", b"1", nx=True, px=RING_MS):
            app.send_task(f"hub.tasks.{queue}", queue=queue, retry=False)
    except (RedisError, OperationalError, OSError) as error:
        _away_until = time.monotonic() + 2
        log.warning("redis_away", queue=queue, error=type(error).__name__)


def answered(queue: str) -> None:
    """A worker is up and looking: the next ring counts again."""
    try:
        _client().delete(f"throughline:ring:{queue}")
    except (RedisError, OSError) as error:
        log.warning("redis_away", queue=queue, error=type(error).__name__)


def nudge(queue: str) -> None:
    """Ring once the current transaction has committed."""
    transaction.on_commit(lambda: ring(queue))
