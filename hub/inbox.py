"""receive(): store the bytes once, sealed, then acknowledge. The one way into the hub, whatever the door.

The ordinary case is one statement and one durable commit for a whole batch: the narrow key table says which messages
are new, and those are written. What is left over (seen before, refused, other bytes under a known control id) is
settled in a second transaction together with its cases. Only then may anything be acknowledged. Sent again, the same
bytes find their key and get the same answer, byte for byte; nothing is written twice.
"""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from psycopg import Cursor

from hub import access, answers, arrival_cases, bodies, bulk, cases, doors, ids, tracing
from hub.arrivals import Arrival
from hub.doors import Refusal
from hub.errors import Transient


@dataclass(slots=True)
class Receipt:
    """What became of one arrival: which stored message stands for it, and what it is answered with."""

    arrival: Arrival
    message_id: UUID
    answer: str  # "AA", or "AR|202|MSH^1^11|text"
    fresh: bool = True  # False: these bytes were here before
    refusal: Refusal | None = None

    @property
    def plain(self) -> bool:
        """Whether nothing but the message itself has to be written; a case is committed together with its message."""
        return self.refusal is None and not self.arrival.batch_problems

    def replies(self) -> list[bytes]:
        """The acknowledgements to send; none where not even an MSH could be read."""
        envelope = self.arrival.envelope
        return answers.replies(envelope, self.answer, self.message_id) if envelope is not None else []


# Claims the keys and writes the messages whose key was free: one round trip, where a key statement and COPY need six.
# Measured with 1 to 300 messages: half the time of those, and less than half of the processor time.
# `durable`: whoever configured the database or role for speed did not mean messages that are acknowledged.
STORE = """
WITH arrived AS (
    SELECT * FROM unnest(
        %b::uuid[], %b::bigint[], %b::text[], %b::text[], %b::text[], %b::bytea[], %b::text[], %b::text[], %b::text[],
        %b::smallint[], %b::text[], %b::uuid[], %b::bytea[], %b::text[], %b::text[], %b::text[], %b::text[]
    ) a(id, endpoint_id, sender, control_id, variant, sha256, answer, kind, key, lane, status, correlation_id, raw,
        notes, problem_code, problem, origin)
), durable AS (
    SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'
), claimed AS (
    INSERT INTO hub_messagekey (endpoint_id, sender, control_id, variant, message_id, sha256, answer)
    SELECT endpoint_id, sender, control_id, variant, id, sha256, answer FROM arrived
    WHERE (SELECT count(*) FROM durable) >= 0
    ON CONFLICT DO NOTHING RETURNING message_id
)
INSERT INTO hub_message (
    id, endpoint_id, received_at, sender, control_id, kind, key, lane, status, attempts, correlation_id, sha256, raw,
    parts, notes, problem_code, problem, origin, settled_at
)
SELECT id, endpoint_id, %b, sender, control_id, kind, key, lane, status, 0, correlation_id, sha256, raw, 0,
       notes::jsonb, problem_code, problem, origin::jsonb, CASE WHEN status = 'refused' THEN %b END
FROM arrived JOIN claimed ON claimed.message_id = arrived.id
RETURNING id
"""
KNOWN = """
SELECT w.id, k.variant, k.message_id, k.sha256, k.answer
FROM unnest(%b::uuid[], %b::bigint[], %b::text[], %b::text[], %b::text[])
 w(id, endpoint_id, sender, control_id, variant)
JOIN hub_messagekey k ON k.endpoint_id = w.endpoint_id AND k.sender = w.sender AND k.control_id = w.control_id
 AND k.variant IN ('', w.variant)
"""
# A control id whose window is over is free again: the message that had it stays, its key goes. The old message's id in
# WHERE: of two listeners that both find it expired, one frees it.
RELEASE = """
DELETE FROM hub_messagekey k
USING unnest(%b::uuid[], %b::bigint[], %b::text[], %b::text[]) w(id, endpoint_id, sender, control_id)
WHERE k.endpoint_id = w.endpoint_id AND k.sender = w.sender AND k.control_id = w.control_id AND k.variant = ''
 AND k.message_id = w.id
RETURNING k.message_id
"""
TRIES = 5  # of a key that other listeners keep changing under us


def receive(arrivals: Sequence[Arrival], *, now: datetime) -> list[Receipt]:
    """Store what is new of a batch, durably; a receipt for each arrival, in their order.

    Acknowledge after this returns, never before, then ring the workers. Two equal keys in one batch are treated as if
    they had come one after the other. Raises the database's own errors; what was stored before is recognised when it
    is sent again.
    """
    with tracing.span("door", arrivals, messages=len(arrivals)):
        return _receive(arrivals, now)


def _receive(arrivals: Sequence[Arrival], now: datetime) -> list[Receipt]:
    receipts = [Receipt(arrival, ids.uuid7(), answers.STORED, refusal=arrival.refusal) for arrival in arrivals]
    first = {_key(receipt): receipt for receipt in reversed(receipts) if receipt.plain}
    done = _store(list(first.values()), now) if first else set()
    rest = [receipt for receipt in receipts if receipt.message_id not in done]
    if rest:
        with transaction.atomic():
            for group in _rounds(rest):
                _settle(group, now)
            cases.open_many((case for receipt in rest for case in arrival_cases.of(receipt)), by=access.SYSTEM)
    return receipts


def _rounds(receipts: Sequence[Receipt]) -> Iterator[list[Receipt]]:
    """The batch in groups in which every key occurs once; nearly always there is one group."""
    waiting = receipts
    while waiting:
        group: dict[tuple[int, str, str], Receipt] = {}
        later = [receipt for receipt in waiting if group.setdefault(_key(receipt), receipt) is not receipt]
        yield list(group.values())
        waiting = later


def _key(receipt: Receipt) -> tuple[int, str, str]:
    arrival = receipt.arrival
    return arrival.terms.id, arrival.sender, arrival.control_id


def _settle(group: list[Receipt], now: datetime) -> None:
    """Decide for each of the group whether it was here before, is refused, or is other bytes under a known control id.

    A refused message does not own its control id: it is remembered under its own bytes, so that its sender may correct
    it and send it again under the same id. A control id that is older than the window may be used again (R-3).
    """
    undecided = group
    for _ in range(TRIES):
        undecided = _resolve(undecided, now)
        if not undecided:
            return
    raise Transient("IF_KEYS", "Other listeners keep changing the same control ids; the sender has to send again.")


def _resolve(undecided: list[Receipt], now: datetime) -> list[Receipt]:
    """One look at the stored keys, and what follows from it; returns those whose key changed while we looked."""
    known = _known(undecided)
    window = now - timedelta(days=settings.CONTROL_ID_WINDOW_DAYS)
    mine: list[Receipt] = []  # to be written if the key is still free
    expired: list[tuple[UUID, int, str, str]] = []
    for receipt in undecided:
        own = receipt.arrival.sha256
        base, same = known.get((receipt.message_id, "")), known.get((receipt.message_id, own.hex()))
        if base is not None and base.sha256 == own:
            same = base
        if same is not None:
            receipt.message_id, receipt.answer, receipt.fresh = same.message_id, same.answer, False
            continue
        mine.append(receipt)
        if receipt.refusal is None and base is not None:
            if ids.moment(base.message_id) < window:
                expired.append((base.message_id, *_key(receipt)))
            else:
                receipt.refusal = doors.CONFLICT
    if expired:
        _rows(RELEASE, [*zip(*expired, strict=True)])
    done = _store(mine, now) if mine else set()
    return [receipt for receipt in mine if receipt.message_id not in done]


def _store(receipts: Sequence[Receipt], now: datetime) -> set[UUID]:
    """Write those whose key is free; returns their ids. Sorted by key, so that two listeners cannot deadlock."""
    ordered = sorted(receipts, key=_key)
    return {id_ for (id_,) in _rows(STORE, [*zip(*_arrived(ordered), strict=True)], now)}


def store_beside(arrival: Arrival, message_id: UUID, now: datetime) -> bool:
    """Write an edited copy under its own bytes, beside the message that has its control id; False if they are known.

    In the caller's transaction. Sent later by the partner itself, the same bytes find this key and are answered AA.
    """
    row = list(_arrived([Receipt(arrival, message_id, answers.STORED)])[0])
    row[VARIANT] = arrival.sha256.hex()
    return bool(_rows(STORE, [[value] for value in row], now))


class Known(NamedTuple):
    """A stored key."""

    message_id: UUID
    sha256: bytes
    answer: str


def _known(receipts: Sequence[Receipt]) -> dict[tuple[UUID, str], Known]:
    """The stored keys by (our id, variant): the control id's own, and that of the same bytes."""
    columns = zip(*((one.message_id, *_key(one), one.arrival.sha256.hex()) for one in receipts), strict=True)
    rows = _rows(KNOWN, [*columns])
    return {
        (id_, variant): Known(message_id, bytes(sha256), answer) for id_, variant, message_id, sha256, answer in rows
    }


def _rows(statement: str, columns: Sequence[Sequence[Any]], now: datetime | None = None) -> list[Any]:
    """A statement with its parameters bound by the server, in binary: Django's own cursor would quote each value."""
    connection.ensure_connection()
    raw: Any = connection.connection
    params = [*map(list, columns), *([] if now is None else [now, now])]
    with Cursor(raw) as cursor:
        return cursor.execute(statement, params, prepare=True).fetchall()


VARIANT = 4  # its place in a row of `arrived`


def _arrived(receipts: Sequence[Receipt]) -> list[tuple[Any, ...]]:
    sealed = bodies.seal([(receipt.message_id, receipt.arrival.raw) for receipt in receipts])
    return [*map(_row, receipts, sealed)]


def _row(receipt: Receipt, raw: bytes) -> tuple[Any, ...]:
    """The columns of `arrived`, in their order."""
    arrival, refusal = receipt.arrival, receipt.refusal
    receipt.answer = answers.STORED if refusal is None else refusal.answer
    return (
        receipt.message_id,
        arrival.terms.id,
        arrival.sender,
        arrival.control_id,
        "" if refusal is None else arrival.sha256.hex(),
        arrival.sha256,
        receipt.answer,
        arrival.kind,
        arrival.key,
        zlib.crc32(arrival.key.encode()) % settings.LANES,
        "received" if refusal is None else "refused",
        arrival.correlation_id or receipt.message_id,
        raw,
        bulk.json(arrival.notes) if arrival.notes else "[]",
        "" if refusal is None else refusal.problem,
        "" if refusal is None else refusal.text,
        bulk.json(dict(arrival.origin)) if arrival.origin else None,
    )
