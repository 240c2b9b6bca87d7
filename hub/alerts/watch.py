"""One look at every rule: episodes begin, go on and end. Two looks at once do no harm: one waits and finds it done."""

from collections.abc import Sequence
from datetime import datetime

import psycopg
import structlog
from django.db import Error, transaction
from django.utils import timezone

from hub import access, bulk, cases, ids
from hub.alerts import notices, sensors, webhooks
from hub.alerts.sensors import Reading
from hub.models import AlertEpisode, AlertRule

log = structlog.get_logger(__name__)
LOCK = 7_304_001  # of this look among PostgreSQL's advisory locks
STATEMENT_MS = 5_000
# Feeds are heard by what came since the last look, not by searching for each one's last message. A look that comes late
# goes back no further than this.
FARTHEST_S = 3600


def watch(now: datetime | None = None) -> None:
    """Look at all active rules, then tell what has to be told. A rule that cannot be looked at is logged and left."""
    now = now or timezone.now()
    with transaction.atomic():
        if not bulk.fetch("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])[0][0]:
            return
        _hear(now)
    for rule in AlertRule.objects.filter(active=True).select_related("endpoint", "webhook"):
        try:
            with transaction.atomic():
                bulk.run("SELECT pg_advisory_xact_lock(%s)", [LOCK])
                bulk.run(f"SET LOCAL statement_timeout = {STATEMENT_MS}")
                _look(rule, sensors.readings(rule, now), now)
        except (Error, psycopg.Error) as error:
            log.error("alert_rule_failed", rule=rule.name, error=type(error).__name__)
    _forget_inactive(now)
    notices.tell(now)


def _hear(now: datetime) -> None:
    """Note when each feed was last heard; one that was never watched before counts as heard now."""
    bulk.run(
        "INSERT INTO hub_feedstate (endpoint_id, last_at) SELECT id, %(now)s FROM hub_endpoint"
        " WHERE direction = 'in' AND active ON CONFLICT DO NOTHING",
        {"now": now},
    )
    latest = bulk.fetch("SELECT max(last_at) FROM hub_feedstate")[0][0]
    since = max(latest.timestamp(), now.timestamp() - FARTHEST_S) if latest else now.timestamp() - FARTHEST_S
    bulk.run(
        "UPDATE hub_feedstate s SET last_at = w.last_at FROM (SELECT endpoint_id, max(received_at) last_at"
        " FROM hub_message WHERE id >= %s GROUP BY 1) w WHERE w.endpoint_id = s.endpoint_id AND w.last_at > s.last_at",
        [ids.floor(datetime.fromtimestamp(since - 60, tz=now.tzinfo))],  # a commit may be a little late
    )


def _look(rule: AlertRule, found: Sequence[Reading], now: datetime) -> None:
    """Begin, go on with and end episodes: one statement for each of the three, however many subjects there are."""
    lasting = {episode.subject: episode for episode in rule.episodes.filter(ended_at=None)}
    begun, kept = {}, []
    for reading in found:
        episode = lasting.pop(reading.subject, None)
        if episode is None:
            begun[reading.subject] = AlertEpisode(
                rule=rule, subject=reading.subject, text=reading.text, value=reading.value, facility=reading.facility,
                began_at=now, seen_at=now,
            )  # fmt: skip
        else:
            episode.text, episode.value, episode.seen_at = reading.text, reading.value, now
            kept.append(episode)
    AlertEpisode.objects.bulk_update(kept, ["text", "value", "seen_at"])
    webhooks.tell("alert.began", AlertEpisode.objects.bulk_create(begun.values()), now)
    if rule.owner:
        cases.open_many((_case(rule, reading) for reading in found), by=access.SYSTEM)
    _end(list(lasting.values()), now)


def _end(over: Sequence[AlertEpisode], now: datetime) -> None:
    if not over:
        return
    for episode in over:
        episode.ended_at = now
    AlertEpisode.objects.bulk_update(over, ["ended_at"])
    webhooks.tell("alert.ended", over, now)
    subjects = [_subject(episode.rule_id, episode.subject) for episode in over]
    cases.close("ALERT", subjects, reason="The condition is over.", by=access.SYSTEM)


def _forget_inactive(now: datetime) -> None:
    """What a rule found that is switched off now is over."""
    with transaction.atomic():
        over = AlertEpisode.objects.filter(ended_at=None, rule__active=False).select_related("rule__webhook")
        _end(list(over), now)


def _subject(rule_id: int, subject: str) -> str:
    return f"alert:{rule_id}:{subject}"


def _case(rule: AlertRule, reading: Reading) -> cases.NewCase:
    return cases.NewCase(
        code="ALERT", subject=_subject(rule.pk, reading.subject), title=f"{rule.name}: {reading.subject}"[:200],
        text=f"{reading.text} {sensors.SENSORS[rule.kind].advice}", owner=rule.owner, severity=2 if rule.urgent else 3,
        facility=reading.facility,
    )  # fmt: skip
