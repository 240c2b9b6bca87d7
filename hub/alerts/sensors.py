"""What a rule's kind measures: bounded queries, each giving the subjects for which it is over its threshold now."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from django.conf import settings

from hub import bulk, ids, shapes, volumes
from hub.models import AlertRule, Endpoint

# Fewer messages than this say nothing about a share.
ENOUGH = 20
SHARE_WINDOW = timedelta(minutes=5)
MOST = 200_000  # a backlog is counted up to here


@dataclass(frozen=True, slots=True)
class Reading:
    """One subject over the threshold: its figure, and the sentence that a person reads. No patient data."""

    subject: str
    value: float
    text: str
    facility: str = ""


@dataclass(frozen=True, slots=True)
class Sensor:
    """How a kind is measured: its unit, its usual threshold, and the look itself (rule, threshold, now)."""

    unit: str
    usual: float
    look: Callable[[AlertRule, float, datetime], list[Reading]]
    advice: str


def readings(rule: AlertRule, now: datetime) -> list[Reading]:
    """The subjects for which the rule's condition holds now."""
    sensor = SENSORS[rule.kind]
    threshold = sensor.usual if rule.threshold is None else rule.threshold
    return sensor.look(rule, threshold, now)


def _age(seconds: float) -> str:
    return shapes.age(timedelta(seconds=seconds))


def _silent(rule: AlertRule, _threshold: float, now: datetime) -> list[Reading]:
    """Each feed has its own patience (`silent_after_minutes`); a paused one and one never heard are not silent."""
    doors = Endpoint.objects.filter(
        direction="in", active=True, paused=False, silent_after_minutes__gt=0, feed_state__isnull=False,
        draining_since=None,
        **({"pk": rule.endpoint_id} if rule.endpoint_id else {}),
    ).select_related("feed_state")  # fmt: skip
    found = []
    for door in doors:
        silence = now - door.feed_state.last_at
        if silence > timedelta(minutes=door.silent_after_minutes):
            text = f"{door.name} has sent nothing for {shapes.age(silence)}; {door.silent_after_minutes} min are usual."
            found.append(Reading(door.code, silence.total_seconds(), text, door.facility))
    return found


def _below_usual(rule: AlertRule, threshold: float, now: datetime) -> list[Reading]:
    """The last whole hour against the same hour of former weeks, for feeds that usually send enough to tell."""
    doors = Endpoint.objects.filter(
        direction="in", active=True, paused=False, **({"pk": rule.endpoint_id} if rule.endpoint_id else {})
    ).order_by("code")
    custom = volumes.usual(now)
    found = []
    for door in doors:
        seen = custom.get(door.pk)
        if seen is None or seen.usual < ENOUGH or 100 * seen.messages >= threshold * seen.usual:
            continue
        text = (
            f"{door.name} sent {shapes.count(seen.messages, 'message')} in its last whole hour; {seen.usual:,.0f} are "
            f"usual at this time of the week."
        )
        found.append(Reading(door.code, 100 * seen.messages / seen.usual, text, door.facility))
    return found


def _backlog(rule: AlertRule, threshold: float, _now: datetime) -> list[Reading]:
    rows = bulk.fetch(
        "SELECT e.code, e.name, e.facility, w.n FROM hub_endpoint e JOIN (SELECT endpoint_id, count(*) n FROM ("
        " SELECT endpoint_id FROM hub_message WHERE status = 'received' LIMIT %s) m GROUP BY 1) w"
        " ON w.endpoint_id = e.id WHERE w.n > %s AND (%s::bigint IS NULL OR e.id = %s) ORDER BY e.code",
        [MOST, threshold, rule.endpoint_id, rule.endpoint_id],
    )
    return [
        Reading(code, n, f"{shapes.count(n, 'message')} of {name} wait to be read.", facility)
        for code, name, facility, n in rows
    ]


def _oldest_message(_rule: AlertRule, threshold: float, now: datetime) -> list[Reading]:
    rows = bulk.fetch(
        "SELECT max(extract(epoch FROM %s::timestamptz - m.received_at))::float8 FROM generate_series(0, %s) l(n)"
        " CROSS JOIN LATERAL (SELECT w.received_at FROM hub_message w JOIN hub_endpoint e ON e.id = w.endpoint_id"
        "  WHERE w.lane = l.n AND w.status = 'received' AND NOT e.paused ORDER BY w.id LIMIT 1) m",
        [now, settings.LANES - 1],
    )
    age = rows[0][0]
    if age is None or age <= threshold:
        return []
    return [Reading("inbox", age, f"The oldest message that nobody has read waits for {_age(age)}.")]


def _error_share(rule: AlertRule, threshold: float, now: datetime) -> list[Reading]:
    rows = bulk.fetch(
        "SELECT e.code, e.name, e.facility, w.n, w.bad FROM hub_endpoint e JOIN ("
        " SELECT endpoint_id, count(*) n, count(*) FILTER (WHERE status IN ('stopped', 'refused')) bad"
        " FROM hub_message WHERE id >= %s GROUP BY 1) w ON w.endpoint_id = e.id"
        " WHERE w.n >= %s AND 100.0 * w.bad / w.n > %s AND (%s::bigint IS NULL OR e.id = %s) ORDER BY e.code",
        [ids.floor(now - SHARE_WINDOW), ENOUGH, threshold, rule.endpoint_id, rule.endpoint_id],
    )
    return [
        Reading(
            code, 100 * bad / n,
            f"{bad:,} of {shapes.count(n, 'message')} of {name} stopped or were refused within 5 minutes.", facility,
        )
        for code, name, facility, n, bad in rows
    ]  # fmt: skip


def _oldest_call(rule: AlertRule, threshold: float, now: datetime) -> list[Reading]:
    rows = bulk.fetch(
        "SELECT e.code, e.name, e.facility, extract(epoch FROM %s::timestamptz - min(o.created_at))::float8"
        " FROM hub_dispatch o JOIN hub_endpoint e ON e.id = o.endpoint_id"
        " WHERE o.status IN ('sending', 'waiting', 'in_doubt') AND (%s::bigint IS NULL OR e.id = %s)"
        " GROUP BY e.id ORDER BY e.code",
        [now, rule.endpoint_id, rule.endpoint_id],
    )
    return [
        Reading(code, age, f"A call to {name} is not settled for {_age(age)}.", facility)
        for code, name, facility, age in rows
        if age > threshold
    ]


def _circuit(rule: AlertRule, threshold: float, now: datetime) -> list[Reading]:
    rows = bulk.fetch(
        "SELECT e.code, e.name, e.facility, extract(epoch FROM %s::timestamptz - b.opened_at)::float8, b.text"
        " FROM hub_breaker b JOIN hub_endpoint e ON e.id = b.endpoint_id"
        " WHERE b.status <> 'closed' AND e.active AND (%s::bigint IS NULL OR e.id = %s) ORDER BY e.code",
        [now, rule.endpoint_id, rule.endpoint_id],
    )
    return [
        Reading(code, age, f"Nothing is sent to {name} for {_age(age)}, but for a probe now and then: {text}", facility)
        for code, name, facility, age, text in rows
        if age is not None and age > threshold
    ]


def _oldest_delivery(rule: AlertRule, threshold: float, now: datetime) -> list[Reading]:
    """What was stopped, or is behind a stop: the business deadline of whatever somebody has to decide."""
    rows = bulk.fetch(
        "SELECT d.route, coalesce(e.code, ''), coalesce(e.facility, ''), count(*),"
        " extract(epoch FROM %s::timestamptz - min(f.published_at))::float8"
        " FROM (SELECT route, endpoint_id, fact_id FROM hub_delivery WHERE status IN ('stopped', 'blocked')"
        "  ORDER BY status, id LIMIT %s) d JOIN hub_fact f ON f.id = d.fact_id"
        " LEFT JOIN hub_endpoint e ON e.id = d.endpoint_id WHERE %s::bigint IS NULL OR d.endpoint_id = %s"
        " GROUP BY 1, 2, 3 ORDER BY 1, 2",
        [now, MOST, rule.endpoint_id, rule.endpoint_id],
    )
    return [
        Reading(
            f"{route}@{code}" if code else route, age,
            f"{shapes.count(n, 'delivery', 'deliveries')} of {route} wait for a person, the oldest for {_age(age)}.",
            facility,
        )
        for route, code, facility, n, age in rows
        if age > threshold
    ]  # fmt: skip


def _stuck_lane(_rule: AlertRule, threshold: float, _now: datetime) -> list[Reading]:
    rows = bulk.fetch(
        "SELECT queue, number, extract(epoch FROM clock_timestamp() - leased_until)::float8 FROM hub_lane"
        " WHERE token IS NOT NULL AND leased_until < clock_timestamp() - make_interval(secs => %s) ORDER BY 1, 2",
        [threshold],
    )
    return [
        Reading(f"{queue}:{number}", late, f"Lane {number} of {queue} was due back {_age(late)} ago, and has work.")
        for queue, number, late in rows
    ]


def _case_age(_rule: AlertRule, threshold: float, now: datetime) -> list[Reading]:
    rows = bulk.fetch(
        "SELECT id, title, facility, extract(epoch FROM %s::timestamptz - opened_at)::float8 FROM hub_exceptioncase"
        " WHERE status = 'open' AND severity <= 2 AND opened_at < %s AND code <> 'ALERT' ORDER BY opened_at LIMIT 200",
        [now, now - timedelta(seconds=threshold)],
    )
    return [
        Reading(f"case:{id_}", age, f"Nobody has taken the case “{title}” for {_age(age)}.", facility)
        for id_, title, facility, age in rows
    ]


def _certificate(_rule: AlertRule, threshold: float, now: datetime) -> list[Reading]:
    """The listener's own and those that endpoints name. A file that cannot be read is told as run out."""
    named = {str(settings.MLLP_TLS["certificate"])}
    for door in Endpoint.objects.filter(direction="in", active=True, transport="mllp"):
        named.add(str((door.settings.get("tls") or {}).get("certificate") or ""))
    found = []
    for name in sorted(named - {""}):
        days = _days_left(Path(name), now)
        if days is None:
            found.append(Reading(name[-200:], 0.0, f"The certificate {name} cannot be read."))
        elif days <= threshold:
            found.append(Reading(name[-200:], days, f"The certificate {name} runs out in {days:.0f} days."))
    return found


def _days_left(path: Path, now: datetime) -> float | None:
    try:
        ends = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
    except (OSError, ValueError):
        return None
    return (ends - now.astimezone(UTC)) / timedelta(days=1)


def _disk(_rule: AlertRule, threshold: float, _now: datetime) -> list[Reading]:
    """Room for bytes or for files, whichever is less, as the worker that looks sees it. What cannot be seen is told."""
    found = []
    for name in sorted({*settings.DISK_PATHS, settings.ARCHIVE_FOLDER} - {""}):
        try:
            disk = os.statvfs(name)
        except OSError as error:
            found.append(Reading(name[-200:], 0.0, f"{name} cannot be looked at: {error.strerror}."))
            continue
        free = 100 * min(disk.f_bavail / max(disk.f_blocks, 1), disk.f_favail / disk.f_files if disk.f_files else 1)
        if free <= threshold:
            left = f"{disk.f_bavail * disk.f_frsize / 2**30:,.1f} GiB"
            found.append(Reading(name[-200:], free, f"The disk of {name} has {free:.1f} % left ({left} for bytes)."))
    return found


SENSORS: Mapping[str, Sensor] = {
    "silent_feed": Sensor("", 0, _silent, "Ask the sender whether it runs, and look at the connection."),
    "below_usual": Sensor(
        "per cent of the usual", 20, _below_usual, "Ask the sender what it holds back, and look at the connection."
    ),
    "backlog": Sensor("messages", 10_000, _backlog, "Are the workers running? Start more of them."),
    "oldest_message": Sensor("seconds", 300, _oldest_message, "Are the workers running? Start more of them."),
    "error_share": Sensor("per cent", 10, _error_share, "Look at the stopped messages: the sender changed something."),
    "oldest_call": Sensor("seconds", 3600, _oldest_call, "Is the partner there? Look up what is in doubt by hand."),
    "circuit": Sensor("seconds", 120, _circuit, "See to the partner; the circuit closes by itself once it answers."),
    "oldest_delivery": Sensor("seconds", 86_400, _oldest_delivery, "Correct what was refused and retry, or waive it."),
    "stuck_lane": Sensor("seconds", 60, _stuck_lane, "Look for a worker that hangs and end it; others take over."),
    "case_age": Sensor("seconds", 14_400, _case_age, "Assign it to somebody."),
    "disk": Sensor("per cent", 10, _disk, "Free or add space: a full disk stops the doors. Archives can be moved."),
    "certificate": Sensor("days", 30, _certificate, "Renew it; the listener takes the new file by itself."),
}  # fmt: skip
