"""Deliveries and calls: done, moving, or in a case; for every listener one, and none twice; no lane forgotten."""

from typing import Any

from django.conf import settings

from hub.routing import Outbound, registry
from hub.verification import Check, sql

QUEUE = "CASE WHEN d.endpoint_id IS NULL THEN d.route ELSE d.route || '@' || e.code END"
STOPPED = """
SELECT 'delivery:' || d.id, 'it is stopped and has ' || c.open || ' open cases instead of one', NULL::numeric
FROM hub_delivery d CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE x.status IN ('open', 'assigned')) AS open,
           (array_agg(x.status ORDER BY x.id DESC))[1] AS last
    FROM hub_exceptioncase x WHERE x.subject = CASE WHEN d.problem_code = 'DELIVERY_EXPIRED'
        THEN 'dispatch:' || d.dispatch_id ELSE 'delivery:' || d.id END  -- a call that was given up is one case
) c
WHERE d.status = 'stopped' AND NOT (c.open = 1 OR (c.open = 0 AND c.last IS NOT DISTINCT FROM 'waived'))
"""
BLOCKED = f"""
SELECT 'delivery:' || d.id, 'it waits behind a stop of its key that is not there', NULL::numeric
FROM hub_delivery d LEFT JOIN hub_endpoint e ON e.id = d.endpoint_id
WHERE d.status = 'blocked' AND NOT EXISTS (
    SELECT 1 FROM hub_stop s WHERE s.queue = {QUEUE} AND s.key = d.key AND s.subject_id <> d.id
)
"""  # noqa: S608  (our own words)
SENDING = """
SELECT 'delivery:' || d.id, 'it is under way in a call that is not open', NULL::numeric
FROM hub_delivery d WHERE d.status = 'sending' AND NOT EXISTS (
    SELECT 1 FROM hub_dispatch o WHERE o.id = d.dispatch_id AND o.status IN ('sending', 'waiting', 'in_doubt')
)
"""
STILL = f"""
SELECT 'delivery:' || d.id, 'it waits for more than an hour and nobody works on its lane', NULL::numeric
FROM hub_delivery d LEFT JOIN hub_endpoint e ON e.id = d.endpoint_id
WHERE d.status = 'pending' AND d.id < %(stale_id)s
AND NOT coalesce(e.paused OR e.draining_since IS NOT NULL OR NOT e.active, false) AND NOT EXISTS (
    SELECT 1 FROM hub_lane l WHERE l.queue = {QUEUE} AND l.number = d.lane AND l.served_at > %(stale)s
)
"""  # noqa: S608  (our own words)
OPEN_CALLS = "SELECT count(*) FROM hub_dispatch WHERE status IN ('sending', 'waiting', 'in_doubt')"
CALLS = """
SELECT 'dispatch:' || d.id, 'it should have been tried again at ' || d.due_at || ' and nobody did', NULL::numeric
FROM hub_dispatch d JOIN hub_endpoint e ON e.id = d.endpoint_id
WHERE d.status IN ('sending', 'waiting', 'in_doubt') AND d.due_at < %(stale)s AND e.active AND NOT e.paused
AND NOT EXISTS (
    SELECT 1 FROM hub_lane l
    WHERE l.queue = d.route || '@' || e.code AND l.number = d.lane AND l.served_at > %(stale)s
)
"""
TWICE = """
SELECT 'delivery:' || max(id::text), 'its fact is delivered ' || count(*) || ' times on ' || route, NULL::numeric
FROM hub_delivery WHERE id >= %(since_id)s GROUP BY fact_id, route, endpoint_id HAVING count(*) > 1
"""
# A listener that is new hears the facts that are published from then on: what came before its first is not missed.
REACTIONS = """
SELECT 'fact:' || f.id, 'nobody told ' || w.route || ' of it', NULL::numeric
FROM unnest(%(facts)s::text[], %(routes)s::text[]) w(fact, route)
LEFT JOIN LATERAL (
    SELECT d.fact_id FROM hub_delivery d WHERE d.route = w.route AND d.id >= %(since_id)s ORDER BY d.id LIMIT 1
) first ON true
JOIN hub_fact f ON f.name = w.fact AND f.id >= greatest(%(since_id)s, coalesce(first.fact_id, %(since_id)s))
WHERE NOT EXISTS (SELECT 1 FROM hub_delivery d WHERE d.fact_id = f.id AND d.route = w.route)
"""
# An endpoint's last change may have been the one that switched it on: what was published before it is not judged.
SENDS = """
SELECT 'fact:' || f.id, 'it has no delivery to ' || e.code, NULL::numeric
FROM unnest(%(sent)s::text[], %(roads)s::text[], %(formats)s::text[]) w(fact, route, format)
JOIN hub_endpoint e ON e.direction = 'out' AND e.active AND NOT e.shadow AND e.format = w.format
JOIN LATERAL (
    SELECT max(h.history_date) + interval '1 minute' AS at FROM hub_historicalendpoint h WHERE h.id = e.id
) changed ON true
JOIN hub_fact f ON f.name = w.fact AND f.id >= %(since_id)s AND f.published_at > changed.at
    AND (e.facility = '' OR e.facility = coalesce(f.payload ->> 'facility', ''))
WHERE NOT EXISTS (
    SELECT 1 FROM hub_delivery d WHERE d.fact_id = f.id AND d.route = w.route AND d.endpoint_id = e.id
)
"""
LANES = """
SELECT 'lane:' || c.queue || '/' || c.number, 'its lease ended at ' || c.leased_until || ' and its work waits',
       NULL::numeric
FROM hub_lane c
WHERE c.token IS NOT NULL AND c.leased_until < now() - make_interval(secs => %(lease_s)s) AND (
    (c.queue = 'inbox' AND EXISTS (SELECT 1 FROM hub_message m JOIN hub_endpoint e ON e.id = m.endpoint_id
        WHERE m.lane = c.number AND m.status = 'received' AND NOT e.paused))
    OR EXISTS (SELECT 1 FROM hub_delivery d LEFT JOIN hub_endpoint e ON e.id = d.endpoint_id
        WHERE d.route = split_part(c.queue, '@', 1) AND coalesce(e.code, '') = split_part(c.queue, '@', 2)
        AND d.lane = c.number AND d.status = 'pending'
AND NOT coalesce(e.paused OR e.draining_since IS NOT NULL OR NOT e.active, false))
    OR EXISTS (SELECT 1 FROM hub_dispatch o JOIN hub_endpoint e ON e.id = o.endpoint_id
        WHERE o.route || '@' || e.code = c.queue AND o.lane = c.number AND e.active AND NOT e.paused
        AND o.status IN ('sending', 'waiting', 'in_doubt') AND o.due_at < now())
)
"""


def _of(status: str) -> str:
    return f"SELECT count(*) FROM hub_delivery WHERE status = '{status}'"  # noqa: S608  (our own words)


def _listeners() -> dict[str, Any]:
    """Which route listens to which fact, as the registry has it now."""
    heard = [(fact, route) for fact in _facts() for route in registry.listeners(fact)]
    reactions = [(fact, route.name) for fact, route in heard if not isinstance(route, Outbound)]
    roads = [(fact, route.name, route.format) for fact, route in heard if isinstance(route, Outbound)]
    return {
        "facts": [fact for fact, _ in reactions], "routes": [name for _, name in reactions],
        "sent": [fact for fact, _, _ in roads], "roads": [name for _, name, _ in roads],
        "formats": [format_ for _, _, format_ in roads],
    }  # fmt: skip


def _facts() -> list[str]:
    routes = registry.routes.values()
    told = {fact.name for route in routes for fact in getattr(route, "facts", ())}
    return sorted(told | {route.fact.name for route in routes if isinstance(route, Outbound)})


def _lease() -> dict[str, Any]:
    return {"lease_s": settings.LEASE_S}  # the lease itself is over at `leased_until`: this is the second one


TOLD = "SELECT count(*) FROM hub_fact WHERE id >= %(since_id)s AND name = ANY(%(facts)s)"
SENT = "SELECT count(*) FROM hub_fact WHERE id >= %(since_id)s AND name = ANY(%(sent)s)"
RECENT = "SELECT count(*) FROM hub_delivery WHERE id >= %(since_id)s"
CHECKS = (
    Check("INV-2", "stopped deliveries", "A stopped delivery has exactly one open case.",
          sql(_of("stopped"), STOPPED)),
    Check("INV-2", "blocked deliveries", "A blocked delivery waits behind a stop.", sql(_of("blocked"), BLOCKED)),
    Check("INV-2", "deliveries under way", "What is under way belongs to an open call.", sql(_of("sending"), SENDING)),
    Check("INV-2", "waiting deliveries", "A waiting delivery moves within an hour.", sql(_of("pending"), STILL)),
    Check("INV-2", "open calls", "An open call is tried again when it is due.", sql(OPEN_CALLS, CALLS)),
    Check("INV-3", "deliveries", "A fact is delivered once to each listener.", sql(RECENT, TWICE)),
    Check("INV-16", "reactions", "Every fact reaches every reaction that listens to it.",
          sql(TOLD, REACTIONS, _listeners)),
    Check("INV-16", "sends", "Every fact reaches every endpoint that it is sent to.", sql(SENT, SENDS, _listeners)),
    Check("INV-17", "leases", "No lane with work is held by a lease that ended a lease ago.",
          sql("SELECT count(*) FROM hub_lane WHERE token IS NOT NULL", LANES, _lease)),
)  # fmt: skip
