"""Reconciliation: every line and every unit of money that came in, and where it is now.

For each interface, facility, day and currency

    in = posted + reversed + in flight + held + rejected + duplicate + waived

The two sides come from different rows. *In* is what the messages hold (their number of documents) and what was told of
each line when it entered the books (the facts, which never change); the right side is what the lines' own rows say
today. Nothing is counted ahead: every figure is derived from the rows of the days that are asked for.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import OperationalError, transaction
from django.utils import timezone
from psycopg.errors import QueryCanceled

from hub import bulk, ids
from hub.errors import Transient
from hub.routing import Inbound, registry
from mappings.canonical import CapturedLine, ChargeCaptured, ChargeReversed, ReversedLine

FIGURES = {
    "posted": "Posted",
    "reversed": "Reversed",
    "in_flight": "In flight",
    "held": "Held",
    "rejected": "Rejected",
    "duplicate": "Duplicate",
    "waived": "Waived",
}
MOST_DAYS = 31
PATIENCE_S = 15  # whoever adds up for longer is told so, and asks for fewer days
LINES_SHOWN = 200
ZERO = Decimal(0)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # no id is older
SLACK = timedelta(hours=1)  # between a message's time and that in its id, at the ends of a day

FIGURE = """
CASE WHEN c.status = 'captured' THEN 'in_flight' WHEN c.status = 'posted' AND c.kind = 'credit' THEN 'reversed'
    ELSE c.status END
"""
# The signed money of one line `l` of a fact `f`: lines are arrays, a credit's figures are positive.
CAPTURED_AT, REVERSED_AT = (row.__struct_fields__.index("amount") for row in (CapturedLine, ReversedLine))
TOLD = f"""
CASE f.name WHEN '{ChargeCaptured.name}' THEN (l ->> {CAPTURED_AT})::numeric ELSE -(l ->> {REVERSED_AT})::numeric END
"""
# `told`: what the facts said of each line. A line that is not in the books was told to nobody: its own row speaks.
BASE = f"""
WITH mine AS MATERIALIZED (
    SELECT m.id, m.endpoint_id, m.correlation_id, m.status, m.parts, e.facility,
           (m.received_at AT TIME ZONE %(zone)s)::date AS day
    FROM hub_message m JOIN hub_endpoint e ON e.id = m.endpoint_id
    WHERE m.id >= %(low)s AND m.id < %(high)s AND m.kind = ANY(%(kinds)s)
    AND m.received_at >= %(start)s AND m.received_at < %(end)s
    AND (%(endpoint)s::bigint IS NULL OR m.endpoint_id = %(endpoint)s)
), told AS MATERIALIZED (
    SELECT m.endpoint_id, m.day, coalesce(nullif(f.payload ->> 'facility', ''), m.facility) AS facility,
           f.payload ->> 'currency' AS currency, (l ->> 0)::uuid AS charge_id,
           {TOLD} AS amount
    FROM mine m
    JOIN hub_fact f ON f.correlation_id = m.correlation_id AND f.message_id = m.id AND f.id >= %(low)s
        AND f.name IN ('{ChargeCaptured.name}', '{ChargeReversed.name}')
    CROSS JOIN LATERAL jsonb_array_elements(f.payload -> 'lines') l
), lines AS MATERIALIZED (
    SELECT m.endpoint_id, m.day, coalesce(nullif(c.facility, ''), m.facility) AS facility, c.currency, c.id,
           m.id AS message_id, {FIGURE} AS figure, c.amount,
           coalesce(t.amount, CASE WHEN c.status IN ('captured', 'posted') THEN 0 ELSE c.amount END) AS came
    FROM mine m JOIN billing_charge c ON c.message_id = m.id AND c.id >= %(low)s
    LEFT JOIN (SELECT charge_id, sum(amount) AS amount FROM told GROUP BY 1) t ON t.charge_id = c.id
)
"""  # noqa: S608  (names of our own)
SUMS = f"""{BASE}
SELECT endpoint_id, facility, day, currency, figure, count(*), sum(amount), sum(came) FROM lines GROUP BY 1, 2, 3, 4, 5
UNION ALL
SELECT m.endpoint_id, m.facility, m.day, '', '', sum(m.parts - coalesce(n.lines, 0))::bigint, 0, 0
FROM mine m LEFT JOIN (SELECT message_id, count(*) AS lines FROM lines GROUP BY 1) n ON n.message_id = m.id
WHERE m.status IN ('applied', 'held') AND m.parts <> coalesce(n.lines, 0) GROUP BY 1, 2, 3
UNION ALL
SELECT t.endpoint_id, t.facility, t.day, t.currency, '', 0, 0, sum(t.amount)
FROM told t WHERE NOT EXISTS (SELECT 1 FROM lines l WHERE l.id = t.charge_id) GROUP BY 1, 2, 3, 4
"""  # noqa: S608
LINES = f"""{BASE}
SELECT l.id FROM lines l WHERE l.facility = %(facility)s AND l.currency = %(currency)s
AND (l.figure = %(figure)s OR (%(figure)s = 'difference' AND l.amount <> l.came))
ORDER BY l.id DESC LIMIT %(most)s
"""  # noqa: S608
MESSAGES = """
SELECT m.endpoint_id, (m.received_at AT TIME ZONE %(zone)s)::date, m.status, count(*)
FROM hub_message m
WHERE m.id >= %(low)s AND m.id < %(high)s AND m.received_at >= %(start)s AND m.received_at < %(end)s
GROUP BY 1, 2, 3
"""


@dataclass(slots=True)
class Balance:
    """One interface, facility, day and currency. Money is signed: credits are negative."""

    endpoint_id: int
    facility: str  # the line's; where it is not known yet, the interface's
    day: date  # when the message came, in the installation's time zone
    currency: str  # "" for documents of which no line is there, so that nobody knows
    interface: str = ""  # the endpoint's code, for those who show it
    lines_in: int = 0
    money_in: Decimal = ZERO
    lines: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FIGURES, 0))
    money: dict[str, Decimal] = field(default_factory=lambda: dict.fromkeys(FIGURES, ZERO))

    @property
    def lines_missing(self) -> int:
        """Lines that came in and are nowhere; zero, unless something is lost."""
        return self.lines_in - sum(self.lines.values())

    @property
    def difference(self) -> Decimal:
        """Money that came in and is nowhere; zero, unless something is lost or was altered."""
        return self.money_in - sum(self.money.values(), ZERO)

    @property
    def balanced(self) -> bool:
        """Whether every line and every unit of money is accounted for."""
        return not self.lines_missing and not self.difference


@contextmanager
def bounded() -> Iterator[None]:
    """No statement in here takes longer than `PATIENCE_S`: then it raises `Transient` with what to ask for instead."""
    try:
        with transaction.atomic():
            bulk.run("SELECT set_config('statement_timeout', %s, true)", [f"{PATIENCE_S}s"])
            yield
    except OperationalError as error:
        if not isinstance(error.__cause__, QueryCanceled):
            raise
        text = f"Adding up took longer than {PATIENCE_S} s and was stopped: ask for fewer days, or for one interface."
        raise Transient("API_UNAVAILABLE", text) from error


def balances(
    first: date, last: date, *, facilities: Collection[str] | None = None, endpoint_id: int | None = None
) -> list[Balance]:
    """The balances of these days, both included, newest day first; of these facilities, of all where None is given."""
    found: dict[tuple[Any, ...], Balance] = {}
    for *place, figure, lines, money, came in bulk.ask(SUMS, _span(first, last, endpoint_id)):
        balance = found.setdefault(tuple(place), Balance(*place))
        balance.lines_in += lines
        balance.money_in += came
        if figure in FIGURES:  # a line in no state that we know is accounted for nowhere
            balance.lines[figure] += lines
            balance.money[figure] += money
    seen = [one for one in found.values() if facilities is None or one.facility in facilities]
    return sorted(seen, key=lambda one: (-one.day.toordinal(), one.endpoint_id, one.facility, one.currency))


def charge_ids(balance: tuple[int, str, date, str], figure: str) -> list[UUID]:
    """The newest lines behind one figure of (endpoint id, facility, day, currency), or behind its "difference"."""
    endpoint_id, facility, day, currency = balance
    wanted = {"facility": facility, "currency": currency, "figure": figure, "most": LINES_SHOWN}
    return [row[0] for row in bulk.ask(LINES, _span(day, day, endpoint_id) | wanted)]


def messages(first: date, last: date) -> dict[tuple[int, date], dict[str, int]]:
    """How many messages came through each interface on each day, by status: money is only known once they are read."""
    found: dict[tuple[int, date], dict[str, int]] = defaultdict(dict)
    for endpoint_id, day, status, number in bulk.ask(MESSAGES, _span(first, last, None)):
        found[endpoint_id, day][status] = number
    return found


def kinds() -> list[str]:
    """The kinds of message that charges come in."""
    route = registry.routes["charges.dft"]
    assert isinstance(route, Inbound)
    return list(route.kinds)


def _span(first: date, last: date, endpoint_id: int | None) -> dict[str, Any]:
    zone = timezone.get_default_timezone()
    start = datetime.combine(first, time.min, zone)
    end = datetime.combine(last + timedelta(days=1), time.min, zone)
    return {
        "zone": settings.TIME_ZONE, "start": start, "end": end, "low": ids.floor(max(start - SLACK, EPOCH)),
        "high": ids.floor(end + SLACK), "kinds": kinds(), "endpoint": endpoint_id,
    }  # fmt: skip
