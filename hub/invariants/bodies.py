"""INV-1: every message opens, and holds the bytes whose SHA-256 was written down when it was stored."""

import hashlib
import time
from uuid import UUID

from hub import bodies, bulk
from hub.errors import Transient
from hub.vault import VaultError
from hub.verification import SHOWN, Found, Span, Violation

ROWS = 200  # read at once: one message may have megabytes
NEXT = "SELECT id, sha256, raw FROM hub_message WHERE id >= %s AND id > %s ORDER BY id LIMIT %s"
# What the transaction of a check may take; PostgreSQL holds only one statement to it, and this look has many.
TIME_MS = "SELECT setting::int FROM pg_settings WHERE name = 'statement_timeout'"
LEFT = "its bytes do not have the SHA-256 that was written down when it was stored"


def look(span: Span) -> Found:
    """All messages of the span, in the order of their ids. Raises `Transient` (VERIFY_TIME) when the time is over."""
    since, last = span.params()["since_id"], UUID(int=0)
    ((budget_ms,),) = bulk.fetch(TIME_MS)
    end = time.monotonic() + budget_ms / 1000 if budget_ms else float("inf")
    checked, wrong = 0, []
    while rows := bulk.fetch(NEXT, [since, last, ROWS]):
        wrong += [found for row in rows if (found := _judge(*row))]
        checked, last = checked + len(rows), rows[-1][0]
        if len(wrong) > SHOWN:
            break
        if time.monotonic() > end:
            told = (
                f"it did not end in time: {checked:,} messages were opened, {len(wrong)} of them are not as they came"
            )
            raise Transient("VERIFY_TIME", told)
    return Found(checked, wrong[: SHOWN + 1])


def _judge(id_: UUID, sha256: bytes, stored: bytes) -> Violation | None:
    try:
        raw = bodies.open_(id_, stored)
    except VaultError as error:
        return Violation(f"message:{id_}", error.text)
    return None if hashlib.sha256(raw).digest() == bytes(sha256) else Violation(f"message:{id_}", LEFT)
