"""Webhooks: a row for everything that a receiver has to be told, written together with the episode that it tells of.

    row (with the episode) -> claim (commit) -> call -> record (commit)

A call is signed, goes out with the same id and body however often it is tried, and is done when the receiver answers
2xx. Whoever answers 410 is switched off. Source: Standard Webhooks; reliability F-H1, F-H2, F-H4.
"""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from django.db import transaction
from django.utils import timezone

from hub import access, audit, bulk, cases, vault
from hub.access import Actor
from hub.alerts import posting, signing
from hub.alerts.posting import Answer
from hub.errors import HubError, Refused
from hub.models import AlertEpisode, Webhook, WebhookCall, WebhookTry
from hub.models.states import advance

log = structlog.get_logger(__name__)
# Seconds until the next try, after each one that failed; after the last of them the call is given up (75.6 h in all).
AGAIN_S = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
JITTER = 0.1  # so much longer at most, so that what failed together does not come back together
LONGEST_S = 86_400.0  # no receiver is waited for longer than this, whatever it asks for
LEASE_S = 60  # longer than any call takes; whoever died in one is followed by another
LEAVE_S = 60  # a receiver that does not answer is left alone so long, whatever else waits for it
OLD_SECRET = timedelta(days=1)  # a secret that was replaced signs so long beside the new one

# What was told first of an episode is told before what came later of it.
CLAIM = """
UPDATE hub_webhookcall SET status = 'sending', attempts = attempts + 1,
    due_at = clock_timestamp() + make_interval(secs => %s)
WHERE id = (
    SELECT c.id FROM hub_webhookcall c JOIN hub_webhook w ON w.id = c.webhook_id
    WHERE c.status IN ('waiting', 'sending') AND c.due_at <= clock_timestamp() AND w.active AND w.secret <> ''
    AND NOT EXISTS (SELECT 1 FROM hub_webhookcall o WHERE o.webhook_id = c.webhook_id AND o.episode_id = c.episode_id
        AND o.id < c.id AND o.status IN ('waiting', 'sending'))
    ORDER BY c.due_at, c.id LIMIT 1 FOR UPDATE OF c SKIP LOCKED)
RETURNING id, attempts
"""
RECORD = """
UPDATE hub_webhookcall SET status = %(status)s, due_at = coalesce(%(due)s, due_at), problem = %(problem)s,
    settled_at = %(settled)s
WHERE id = %(id)s AND attempts = %(attempts)s AND status = 'sending'
"""
LEAVE = """
UPDATE hub_webhookcall SET due_at = greatest(due_at, now() + make_interval(secs => %s))
WHERE webhook_id = %s AND status = 'waiting' AND id <> %s
"""


@dataclass(frozen=True, slots=True)
class Judged:
    """What an answer means for the call."""

    status: str
    due: datetime | None = None
    gone: bool = False  # the receiver wants no more calls, ever


def tell(event: str, episodes: Sequence[AlertEpisode], now: datetime) -> None:
    """Note what the rules' receivers have to be told of these episodes, in the transaction that changed them.

    Harmless when done twice: a receiver hears once of each beginning and each end.
    """
    written = timezone.now()
    calls = [
        WebhookCall(
            webhook_id=episode.rule.webhook_id, episode=episode, event=event, body=_body(event, episode, now),
            due_at=written, created_at=written,
        )
        for episode in episodes
        if episode.rule.webhook_id is not None
    ]  # fmt: skip
    WebhookCall.objects.bulk_create(calls, ignore_conflicts=True)


def _body(event: str, episode: AlertEpisode, now: datetime) -> str:
    """Which alert it is, and no more: whoever wants to know what was found looks it up here, with a name."""
    data = {
        "episode": episode.pk, "rule": episode.rule.name, "condition": episode.rule.kind, "subject": episode.subject,
        "facility": episode.facility, "urgent": episode.rule.urgent, "began_at": _stamp(episode.began_at),
        "ended_at": None if episode.ended_at is None else _stamp(episode.ended_at),
    }  # fmt: skip
    return json.dumps({"type": event, "timestamp": _stamp(now), "data": data}, separators=(",", ":"))


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def step() -> int:
    """Make one call that is due; returns how many were made. The call itself is outside of any transaction."""
    with transaction.atomic():
        claimed = bulk.fetch(CLAIM, [LEASE_S])
    if not claimed:
        return 0
    call_id, attempts = claimed[0]
    call = WebhookCall.objects.select_related("webhook").get(pk=call_id)
    at = timezone.now()
    answer = _post(call, at)
    with transaction.atomic():
        _record(call, attempts, at, answer)
    return 1


def drain(most: int = 1000) -> int:
    """Make calls until none is due; returns how many (tests, commands)."""
    made = 0
    while made < most and step():
        made += 1
    return made


def _post(call: WebhookCall, at: datetime) -> Answer:
    webhook, seconds, body = call.webhook, int(at.timestamp()), call.body.encode()
    sealed = [webhook.secret]
    if webhook.old_secret and webhook.old_secret_until and at < webhook.old_secret_until:
        sealed.append(webhook.old_secret)
    try:
        signature = signing.sign([vault.open_(one) for one in sealed], str(call.pk), seconds, body)
    except (HubError, ValueError) as error:
        return Answer(None, f"it cannot be signed: {error}")
    headers = {
        "Content-Type": "application/json", "User-Agent": "Throughline", "webhook-id": str(call.pk),
        "webhook-timestamp": str(seconds), "webhook-signature": signature,
    }  # fmt: skip
    return posting.post(webhook.url, headers, body)


def judge(attempts: int, answer: Answer, now: datetime, chance: Callable[[], float] = random.random) -> Judged:
    """What becomes of a call after so many tries: 2xx is done, 410 means never again, all else is tried again."""
    if answer.status is not None and 200 <= answer.status < 300:
        return Judged("delivered")
    if attempts > len(AGAIN_S):
        return Judged("given_up", gone=answer.status == 410)
    wait_s = AGAIN_S[attempts - 1] * (1 + JITTER * chance())
    wait_s = max(wait_s, min(answer.retry_after_s or 0.0, LONGEST_S))
    return Judged("waiting", now + timedelta(seconds=wait_s), gone=answer.status == 410)


def _record(call: WebhookCall, attempts: int, at: datetime, answer: Answer) -> None:
    """Write down what came of a try; nothing where somebody else has taken the call over meanwhile."""
    now = timezone.now()
    judged = judge(attempts, answer, now)
    moved = bulk.run(
        RECORD,
        {
            "id": call.pk, "attempts": attempts, "status": judged.status, "due": judged.due,
            "problem": "" if judged.status == "delivered" else answer.text[:300],
            "settled": now if judged.due is None else None,
        },
    )  # fmt: skip
    if not moved:
        log.warning("webhook_lease_lost", call_id=str(call.pk))
        return
    WebhookTry.objects.create(call=call, number=attempts, at=at, status=answer.status, text=answer.text[:300])
    if judged.status == "delivered":
        cases.close("DELIVERY_WEBHOOK", [_about(call.webhook_id)], reason="It answers again.", by=access.SYSTEM)
        return
    log.warning("webhook_not_taken", call_id=str(call.pk), status=answer.status, attempts=attempts)
    bulk.run(LEAVE, [LEAVE_S, call.webhook_id, call.pk])
    if judged.gone:
        _switch_off(call.webhook_id)
    elif judged.status == "given_up":
        _case(call.webhook, "has not taken a call for three days", f"The last try: {answer.text}.")


def _switch_off(webhook_id: int) -> None:
    webhook = Webhook.objects.select_for_update().get(pk=webhook_id)
    if webhook.active:
        webhook.active = False
        webhook.save(update_fields=["active"])
        audit.record("webhooks.switch_off", by=access.SYSTEM, subject=webhook, reason="It answered 410 Gone.")
    _case(webhook, "wants no more calls", "It answered 410 Gone and was switched off; what is due waits for it.")


def _case(webhook: Webhook, title: str, text: str) -> None:
    case = cases.NewCase(
        code="DELIVERY_WEBHOOK", subject=_about(webhook.pk), title=f"{webhook.name} {title}"[:200], owner="integration",
        text=f"{text} Correct its address or ask who runs it, switch it on, and send again what was given up.",
    )  # fmt: skip
    cases.open_many([case], by=access.SYSTEM)


def _about(webhook_id: int) -> str:
    return f"webhook:{webhook_id}"


def set_secret(webhook: Webhook, *, secret: str, by: Actor) -> Webhook:
    """Seal what calls are signed with; the one before signs beside it for a day, so that receivers can follow."""
    access.require(by, "hub.change_webhook")
    secret = secret.strip()
    try:
        signing.key(secret)
    except ValueError as error:
        raise Refused(
            "VAULT_SECRET", f"This secret cannot be used: {error}. Make one with: openssl rand -base64 32"
        ) from None
    with transaction.atomic():
        stored = Webhook.objects.select_for_update().get(pk=webhook.pk)
        stored.old_secret, stored.secret = stored.secret, vault.seal(secret)
        stored.old_secret_until = timezone.now() + OLD_SECRET if stored.old_secret else None
        stored.save(update_fields=["secret", "old_secret", "old_secret_until"])
        audit.record("webhooks.set_secret", by=by, subject=stored)
    return stored


def send_again(call: WebhookCall, *, by: Actor) -> WebhookCall:
    """Try a call that was given up once more, under the same id."""
    access.require(by, "hub.change_webhook")
    with transaction.atomic():
        advance(call, "waiting", due_at=timezone.now(), settled_at=None)
        audit.record("webhooks.send_again", by=by, subject=call)
    return call


def waiting(webhook: Webhook) -> int:
    """How many calls of a receiver are not settled; at most a thousand are counted."""
    return WebhookCall.objects.filter(webhook=webhook, status__in=["waiting", "sending"])[:1000].count()
