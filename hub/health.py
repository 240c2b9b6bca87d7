"""Is this process alive, and could it do its work? Two questions with two answers, for whatever watches it."""

from collections.abc import Callable, Mapping
from typing import Any

import psycopg
import structlog
from django.conf import settings
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from redis import Redis, RedisError

log = structlog.get_logger(__name__)


class _Found:
    migrated = False  # once all migrations are applied they stay so for the life of this code


def _database() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (Error, psycopg.Error) as error:
        connection.close()
        log.warning("readiness_database", error=type(error).__name__)
        return False
    return True


def _migrations() -> bool:
    if not _Found.migrated:
        try:
            executor = MigrationExecutor(connection)
        except (Error, psycopg.Error) as error:
            log.warning("readiness_migrations", error=type(error).__name__)
            return False
        _Found.migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    return _Found.migrated


def _redis() -> bool:
    try:
        with Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=0.5) as redis:
            return bool(redis.ping())
    except (RedisError, OSError) as error:
        log.warning("readiness_redis", error=type(error).__name__)
        return False


NEEDED: Mapping[str, Callable[[], bool]] = {"database": _database, "migrations": _migrations}
# Without its doorbell the hub works on, a sweep later: not a reason to take it out of service.
WANTED: Mapping[str, Callable[[], bool]] = {"redis": _redis}


def readiness() -> tuple[bool, dict[str, Any]]:
    """Whether requests should be sent here, and what was found: `{"status": ..., "checks": {name: true or false}}`."""
    checks: dict[str, bool] = {}
    for name, check in NEEDED.items():
        checks[name] = all(checks.values()) and check()  # without a database the rest need not be asked
    ready = all(checks.values())
    for name, check in WANTED.items():
        checks[name] = check()
    status = "not ready" if not ready else "ready" if all(checks.values()) else "degraded"
    return ready, {"status": status, "checks": checks}
