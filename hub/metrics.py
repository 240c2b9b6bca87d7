"""What the hub tells a Prometheus: counted from rows at the moment of the question, so that it is true after any crash.

Every figure is one bounded query: over a partial index of what is open, or over the ids of the last minute. No query
counts a whole table, and a query that fails or takes too long is told as failed while the others are answered.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
import structlog
from django.conf import settings
from django.db import Error, connection, transaction
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector, CollectorRegistry

from hub import bulk, health, ids

log = structlog.get_logger(__name__)
WINDOW_S = 60
# More than this of anything is told as this many: a count that takes long helps nobody who is in a hurry.
MOST = 200_000
SAMPLE = 5_000  # documents of the last minute that latencies are taken from
STATEMENT_MS = 2_000


@dataclass(frozen=True, slots=True)
class Figure:
    """One metric: its query returns the labels, then the value. Parameters: now, since, most, sample, lanes."""

    name: str
    help: str
    labels: tuple[str, ...]
    query: str


FIGURES: Sequence[Figure] = (
    Figure(
        "throughline_messages_waiting",
        f"Messages that are stored and not read yet, by endpoint; at most {MOST} are counted in all.",
        ("endpoint",),
        "SELECT e.code, coalesce(w.n, 0) FROM hub_endpoint e LEFT JOIN (SELECT endpoint_id, count(*) n FROM ("
        " SELECT endpoint_id FROM hub_message WHERE status = 'received' LIMIT %(most)s) m GROUP BY 1) w"
        " ON w.endpoint_id = e.id WHERE e.direction = 'in' AND e.active",
    ),
    Figure(
        "throughline_messages_oldest_waiting_seconds",
        "Age of the oldest message that is not read yet; 0 when none waits.",
        (),
        "SELECT coalesce(extract(epoch FROM %(now)s - min(m.received_at)), 0)"
        " FROM generate_series(0, %(lanes)s - 1) l(n) LEFT JOIN LATERAL (SELECT received_at FROM hub_message"
        " WHERE lane = l.n AND status = 'received' ORDER BY id LIMIT 1) m ON true",
    ),
    Figure(
        "throughline_messages_unsettled",
        f"Messages that need somebody or something: held, stopped, blocked; at most {MOST} are counted in all.",
        ("status",),
        "SELECT s, coalesce(w.n, 0) FROM unnest(ARRAY['held', 'stopped', 'blocked']) s LEFT JOIN ("
        " SELECT status, count(*) n FROM (SELECT status FROM hub_message"
        " WHERE status IN ('held', 'stopped', 'blocked') LIMIT %(most)s) m GROUP BY 1) w ON w.status = s",
    ),
    Figure(
        "throughline_messages_last_minute",
        "Messages received within the last 60 seconds, by endpoint and by what became of them so far.",
        ("endpoint", "status"),
        "SELECT e.code, m.status, count(*) FROM hub_message m JOIN hub_endpoint e ON e.id = m.endpoint_id"
        " WHERE m.id >= %(since)s GROUP BY 1, 2",
    ),
    Figure(
        "throughline_stage_seconds",
        "How long the documents of the last 60 seconds took: read (stored until applied), react (fact until heard),"
        f" send (fact until the partner had it). Of at most {SAMPLE} each.",
        ("stage", "quantile"),
        "SELECT stage, q::text, percentile_cont(q) WITHIN GROUP (ORDER BY took) FROM ("
        " (SELECT 'read' stage, extract(epoch FROM settled_at - received_at)::float8 took FROM hub_message"
        "  WHERE id >= %(since)s AND status = 'applied' ORDER BY id DESC LIMIT %(sample)s)"
        " UNION ALL"
        " (SELECT CASE WHEN d.endpoint_id IS NULL THEN 'react' ELSE 'send' END,"
        "  extract(epoch FROM d.settled_at - f.published_at)::float8 FROM hub_delivery d"
        "  JOIN hub_fact f ON f.id = d.fact_id WHERE d.id >= %(since)s AND d.status = 'delivered'"
        "  ORDER BY d.id DESC LIMIT %(sample)s)"
        ") t CROSS JOIN unnest(ARRAY[0.5, 0.95, 0.99]::float8[]) q GROUP BY stage, q",
    ),
    Figure(
        "throughline_deliveries_waiting",
        f"Deliveries that nobody has taken yet, by route and endpoint; at most {MOST} are counted in all.",
        ("route", "endpoint"),
        "SELECT w.route, coalesce(e.code, ''), count(*) FROM (SELECT route, endpoint_id FROM hub_delivery"
        " WHERE status = 'pending' LIMIT %(most)s) w LEFT JOIN hub_endpoint e ON e.id = w.endpoint_id GROUP BY 1, 2",
    ),
    Figure(
        "throughline_deliveries_unsettled",
        f"Deliveries that a person has to decide about, and those behind them; at most {MOST} are counted in all.",
        ("route", "status"),
        "SELECT route, status, count(*) FROM (SELECT route, status FROM hub_delivery"
        " WHERE status IN ('stopped', 'blocked') LIMIT %(most)s) w GROUP BY 1, 2",
    ),
    Figure(
        "throughline_calls_open",
        "Calls to partners that are not settled: under way, waiting for their next try, in doubt.",
        ("endpoint", "status"),
        "SELECT e.code, o.status, count(*) FROM hub_dispatch o JOIN hub_endpoint e ON e.id = o.endpoint_id"
        " WHERE o.status IN ('sending', 'waiting', 'in_doubt') GROUP BY 1, 2",
    ),
    Figure(
        "throughline_calls_oldest_open_seconds",
        "Age of the oldest call to an endpoint that is not settled.",
        ("endpoint",),
        "SELECT e.code, extract(epoch FROM %(now)s - min(o.created_at)) FROM hub_dispatch o"
        " JOIN hub_endpoint e ON e.id = o.endpoint_id"
        " WHERE o.status IN ('sending', 'waiting', 'in_doubt') GROUP BY 1",
    ),
    Figure(
        "throughline_circuit_open",
        "1 for an endpoint that is not called because it failed too often, but for a probe now and then.",
        ("endpoint",),
        "SELECT e.code, (b.status <> 'closed')::int FROM hub_breaker b JOIN hub_endpoint e ON e.id = b.endpoint_id"
        " WHERE e.active",
    ),
    Figure(
        "throughline_cases_open",
        "Open cases, by registry code and owning role.",
        ("code", "owner"),
        "SELECT code, owner, count(*) FROM hub_exceptioncase WHERE status IN ('open', 'assigned') GROUP BY 1, 2",
    ),
    Figure(
        "throughline_cases_oldest_open_seconds",
        "Age of the oldest open case of a role.",
        ("owner",),
        "SELECT owner, extract(epoch FROM %(now)s - min(opened_at)) FROM hub_exceptioncase"
        " WHERE status IN ('open', 'assigned') GROUP BY 1",
    ),
    Figure(
        "throughline_endpoint_paused",
        "1 for an endpoint that staff have paused.",
        ("endpoint", "direction"),
        "SELECT code, direction, paused::int FROM hub_endpoint WHERE active",
    ),
    Figure(
        "throughline_lanes_leased",
        "Lanes that some worker owns, and those whose lease has run out.",
        ("state",),
        "SELECT s, count(*) FILTER (WHERE l.token IS NOT NULL AND (l.leased_until < clock_timestamp()) = (s = 'late'))"
        " FROM unnest(ARRAY['held', 'late']) s CROSS JOIN hub_lane l GROUP BY 1",
    ),
)


class Rows(Collector):
    """A Prometheus collector that asks the tables."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Every figure; `throughline_figure_failed` is 1 for those that could not be told."""
        start = time.monotonic()
        failed: dict[str, bool] = {}
        now = timezone.now()
        params = {
            "now": now, "since": ids.floor(now - timedelta(seconds=WINDOW_S)), "most": MOST,
            "sample": SAMPLE, "lanes": settings.LANES,
        }  # fmt: skip
        for figure in FIGURES:
            family = GaugeMetricFamily(figure.name, figure.help, labels=figure.labels)
            rows = _ask(figure, params)
            failed[figure.name] = rows is None
            for *labels, value in rows or ():
                family.add_metric(list(map(str, labels)), float(value))
            yield family
        yield _failed(failed)
        yield from _dependencies()
        took = "Time that it took to answer this."
        yield GaugeMetricFamily("throughline_scrape_seconds", took, value=time.monotonic() - start)


def _ask(figure: Figure, params: dict[str, Any]) -> list[tuple[Any, ...]] | None:
    """The rows of a figure, or None; the statement's own time limit keeps a scrape from hurting the work."""
    try:
        with transaction.atomic():
            bulk.run(f"SET LOCAL statement_timeout = {STATEMENT_MS}")
            return bulk.fetch(figure.query, params)
    except (Error, psycopg.Error) as error:
        log.warning("figure_failed", figure=figure.name, error=type(error).__name__)
        if not connection.is_usable():
            connection.close()
        return None


def _failed(failed: Mapping[str, bool]) -> GaugeMetricFamily:
    text = "1 for a figure that could not be told: its query failed or took longer than 2 seconds."
    family = GaugeMetricFamily("throughline_figure_failed", text, labels=("figure",))
    for name, is_so in failed.items():
        family.add_metric([name], float(is_so))
    return family


def _dependencies() -> Iterator[GaugeMetricFamily]:
    """What `/readyz` looks at, as figures."""
    family = GaugeMetricFamily(
        "throughline_dependency_up", "1 for what the hub can reach and use.", labels=("dependency",)
    )
    _, found = health.readiness()
    for name, is_up in found["checks"].items():
        family.add_metric([name], float(is_up))
    yield family


registry = CollectorRegistry(auto_describe=False)
registry.register(Rows())
