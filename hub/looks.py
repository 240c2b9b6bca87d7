"""Looks that are made again and again: each alone, each in a transaction of its own, each within its time."""

from collections.abc import Callable

import psycopg
import structlog
from django.db import Error, transaction

from hub import bulk

log = structlog.get_logger(__name__)
LOCK = 7_304_002  # of these looks among PostgreSQL's advisory locks
STATEMENT_MS = 20_000


def alone(name: str, work: Callable[[], None]) -> bool:
    """Do it in a transaction that nobody else does at the same time; what the database refuses is logged and left.

    Returns whether it was done. Two at once do no harm: one of them goes away.
    """
    try:
        with transaction.atomic():
            if not bulk.fetch("SELECT pg_try_advisory_xact_lock(%s, hashtext(%s))", [LOCK, name])[0][0]:
                return False
            bulk.run(f"SET LOCAL statement_timeout = {STATEMENT_MS}")
            work()
    except (Error, psycopg.Error) as error:
        log.error("look_failed", name=name, error=type(error).__name__)
        return False
    return True
