"""Fills months with messages for `benchmarks.search`: `python -m benchmarks.search_fill 2026-01 2026-02 --rows 800000`.

Messages are real HL7 text out of one template with numbers and names of their own, each sealed for its own id; the
segments of the blind index are made by the indexer's own functions from the same rows. Key rows, facts, deliveries and
charges (3 messages in 16 have them) are written by INSERT ... SELECT out of the messages.
"""

import argparse
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import django
from django.db import connection
from django.utils import timezone

django.setup()

from hub import bodies, bulk, ids, partitions  # noqa: E402
from hub.models import Endpoint  # noqa: E402
from hub.search import indexing  # noqa: E402

CHUNK = 20_000
NAMES = [first + second for first in ("AND", "BER", "CAR", "DOR", "EST", "FRI", "GAR", "HOL", "ING", "JOR")
         for second in ("ERSON", "GMAN", "LIND", "MOND", "NELL", "OWSKI", "QUIST", "RELL", "STEIN", "TON")]  # fmt: skip
ITEMS = [f"ITM{number:05}" for number in range(5000)]
TEXT = (
    "MSH|^~\\&|CAREBILL|RIVER|HUB|HUB|%(stamp)s||DFT^P03^DFT_P03|%(control)s|P|2.5.1\rEVN|P03|%(stamp)s\r"
    "PID|1||MRN%(account)s^^^RIVER^MR||%(name)s^%(given)s||19%(yy)02d0%(m)d1%(d)d|F|||%(house)d MAIN STREET^^DES MOINES"
    "^IA^50309||||||||%(account)s^^^RIVER^AN\rPV1|1|I|EP^%(house)d^A|||||||CAR|||||||||V%(account)s\r"
    "FT1|1|%(control)sA||%(day)s||CG|%(item)s||SYNTHETIC LINE OF A CHARGE|1|2000.10||EP|||||||||ORD%(order)d\r"
    "FT1|2|%(control)sB||%(day)s||CG|BALLOON||SYNTHETIC LINE OF A CHARGE|2|620||OR|||||||||\r"
    "FT1|3|%(control)sC||%(day)s||CG|GAUZE||SYNTHETIC LINE OF A CHARGE|3|13.50||OR|||||||||\r"
)
COLUMNS = [
    ("id", "uuid"), ("endpoint_id", "int8"), ("received_at", "timestamptz"), ("sender", "text"),
    ("control_id", "text"), ("kind", "text"), ("key", "text"), ("lane", "int2"), ("status", "text"),
    ("attempts", "int2"), ("correlation_id", "uuid"), ("sha256", "bytea"), ("raw", "bytea"), ("parts", "int2"),
    ("notes", "jsonb"), ("problem_code", "text"), ("problem", "text"), ("settled_at", "timestamptz"),
]  # fmt: skip
NO_NOTES = bulk.Encoded(b"[]")
KEYS = """
INSERT INTO hub_messagekey (endpoint_id, sender, control_id, variant, message_id, sha256, answer)
SELECT endpoint_id, sender, control_id, '', id, sha256, 'AA' FROM hub_message WHERE id >= %s AND id < %s
"""
# The ids of what a message caused are made of its own, in the same millisecond.
FACTS = """
INSERT INTO hub_fact (id, name, key, payload, message_id, cause_id, correlation_id, published_at)
SELECT overlay(m.id::text placing 'fac' from 25)::uuid, 'charge.captured/1', m.key, '{"charges": 1}', m.id, NULL,
       m.correlation_id, m.received_at
"""
DELIVERIES = """
INSERT INTO hub_delivery (id, fact_id, route, endpoint_id, key, lane, "group", weight, status, attempts, problem_code,
    problem, settled_at)
SELECT overlay(m.id::text placing 'de1' from 25)::uuid, overlay(m.id::text placing 'fac' from 25)::uuid,
       'journals.allocate_cost', NULL, m.key, m.lane, '', 1, 'delivered', 0, '', '', m.received_at
"""
CHARGES = """
INSERT INTO billing_charge (id, message_id, part, partner, correlation_id, line_key, kind, status, hold_code, account,
    visit, facility, department, cost_center, charge_code, revenue_code, service_line, source_facility,
    source_department, source_code, description, quantity, amount, currency, cost_basis, service_date, posting_date,
    late, procedure_code, modifiers, filler_order, flags, captured_at)
SELECT overlay(m.id::text placing 'c4a' from 25)::uuid, m.id, 0, 'carebill', m.correlation_id, m.control_id || 'A',
       'charge', 'posted', '', m.key, '', 'RIVER', 'R110', 'CC-R110', 'STENT', '', '', '', 'EP',
       'ITM' || lpad(mod(right(m.control_id, 8)::int, 5000)::text, 5, '0'),
       'Stent', 1, 2000.10, 'USD', 'standard', m.received_at::date, m.received_at::date, false, '', '',
       'ORD' || right(m.control_id, 8)::int, '{}', m.received_at
"""
CHARGE_KEYS = """
INSERT INTO billing_chargekey (partner, line_key, charge_id, content)
SELECT 'carebill', m.control_id || 'A', overlay(m.id::text placing 'c4a' from 25)::uuid, '\\x00'
"""


def rows(start: datetime, end: datetime, count: int, door: Endpoint) -> Iterator[list[tuple[Any, ...]]]:
    """The month's messages in chunks, evenly spread over it, as COPY and as the indexer want them."""
    step = (end - start) / count
    chance = random.Random(start.isoformat())
    sender = f"{door.sending_application}|{door.sending_facility}"
    for first in range(0, count, CHUNK):
        made = []
        for number in range(first, min(first + CHUNK, count)):
            at = start + step * number
            id_ = UUID(int=ids.floor(at).int | 7 << 76 | 2 << 62 | chance.getrandbits(62))
            control, account = f"B{start:%y%m}{number:08}", f"{start:%y%m}{number // 8:07}"
            raw = (TEXT % {
                "stamp": f"{at:%Y%m%d%H%M%S}", "day": f"{at:%Y%m%d}", "control": control, "account": account,
                "name": chance.choice(NAMES), "given": chance.choice(NAMES), "yy": number % 90, "m": number % 9 + 1,
                "d": number % 9, "house": number % 977, "item": ITEMS[number % 5000], "order": number,
            }).encode()  # fmt: skip
            made.append((id_, at, control, account, raw))
        sealed = bodies.seal([(one[0], one[4]) for one in made])
        yield [
            (id_, door.pk, at, sender, control, "DFT^P03", account, (first + place) % 16, "applied", 0, id_,
             sha256(raw).digest(), stored, 3, NO_NOTES, "", "", at)
            for place, ((id_, at, control, account, raw), stored) in enumerate(zip(made, sealed, strict=True))
        ]  # fmt: skip


def fill(month: datetime, count: int, door: Endpoint) -> None:
    """One month: messages with their segments, then what belongs to them."""
    end = min(partitions.month_after(month), timezone.now() - timedelta(minutes=30))
    for table in (*partitions.TABLES, *partitions.DERIVED):
        partitions.ensure_one(table, month)
    for chunk in rows(month, end, count, door):
        bulk.copy("hub_message", COLUMNS, chunk)
        for first in range(0, len(chunk), indexing.MESSAGES):
            part = chunk[first : first + indexing.MESSAGES]
            indexing.write(indexing.read([(row[0], row[12], row[6], row[4], row[10]) for row in part]))
    span = [ids.floor(month), ids.floor(end)]
    bulk.run(KEYS, span)
    for statement in (FACTS, DELIVERIES, CHARGES, CHARGE_KEYS):
        with connection.cursor() as cursor:
            low, high = span
            cursor.execute(f"{statement} FROM hub_message m WHERE m.id >= '{low}' AND m.id < '{high}'"
                           " AND m.lane IN (0, 5, 10)")  # fmt: skip


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search_fill", description=__doc__)
    parser.add_argument("months", nargs="+")
    parser.add_argument("--rows", type=int, required=True, help="messages of each month")
    options = parser.parse_args()
    door = Endpoint.objects.filter(direction="in").order_by("pk")[0]
    for month in options.months:
        fill(datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC), options.rows, door)


if __name__ == "__main__":
    main()
