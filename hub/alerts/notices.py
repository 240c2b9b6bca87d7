"""Telling people: one message for all that began or ended since the last one, to each set of recipients."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, time
from smtplib import SMTPException

import structlog
from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db.models import Q
from django.utils import timezone

from hub import shapes
from hub.models import AlertEpisode

log = structlog.get_logger(__name__)
MOST = 500  # episodes in one round; the rest are told in the next


def tell(now: datetime) -> int:
    """Write to whoever has to be told and was not; returns the number of messages sent.

    What cannot be sent now is sent by a later look: an episode counts as told only when a mail server took the message.
    """
    hour = timezone.localtime(now).time()
    untold = Q(began_told_at=None) | Q(ended_at__isnull=False, ended_told_at=None)
    waiting: dict[tuple[str, ...], list[AlertEpisode]] = defaultdict(list)
    for episode in AlertEpisode.objects.filter(untold).select_related("rule").order_by("began_at", "pk")[:MOST]:
        recipients = tuple(episode.rule.addresses())
        if not recipients:
            _told([episode], now)
        elif episode.rule.urgent or not quiet(hour, episode.rule.quiet_from, episode.rule.quiet_to):
            waiting[recipients].append(episode)
    return sum(_send(recipients, episodes, now) for recipients, episodes in waiting.items())


def quiet(at: time, begins: time | None, ends: time | None) -> bool:
    """Whether the hour is a quiet one; quiet hours may go over midnight.

    >>> quiet(time(2), time(22), time(6)), quiet(time(12), time(22), time(6)), quiet(time(2), None, None)
    (True, False, False)
    """
    if begins is None or ends is None or begins == ends:
        return False
    return begins <= at < ends if begins < ends else at >= begins or at < ends


def _send(recipients: Sequence[str], episodes: Sequence[AlertEpisode], now: datetime) -> int:
    lines = [line for episode in episodes for line in _lines(episode)]
    begun = [episode for episode in episodes if episode.ended_at is None]
    first = episodes[0]
    what = f"{first.rule.name}: {first.subject}" if len(episodes) == 1 else shapes.count(len(episodes), "alert")
    subject = f"[Throughline] {'' if begun else 'Over: '}{what}".replace("\n", " ").replace("\r", " ")
    mail = EmailMessage(subject, "\n".join(lines) + "\n", settings.DEFAULT_FROM_EMAIL, list(recipients))
    try:
        with get_connection() as connection:
            connection.send_messages([mail])
    except (SMTPException, OSError) as error:
        problem = f"Not told yet: {type(error).__name__}. It is tried again twice a minute."
        AlertEpisode.objects.filter(pk__in=[episode.pk for episode in episodes]).update(problem=problem)
        log.error("alert_not_told", error=type(error).__name__, episodes=len(episodes))
        return 0
    _told(episodes, now)
    return 1


def _lines(episode: AlertEpisode) -> list[str]:
    """What is new of an episode: that it began, that it is over, or both where nobody could be told in between."""
    began = timezone.localtime(episode.began_at).strftime("%Y-%m-%d %H:%M")
    if episode.ended_at is None:
        return [f"BEGAN {began}  {episode.rule.name}", f"  {episode.text}", ""]
    ended = timezone.localtime(episode.ended_at).strftime("%Y-%m-%d %H:%M")
    lasted = shapes.age(episode.ended_at - episode.began_at)
    return [f"OVER  {ended}  {episode.rule.name}: {episode.subject}", f"  It began {began} and lasted {lasted}.", ""]


def _told(episodes: Sequence[AlertEpisode], now: datetime) -> None:
    ids = [episode.pk for episode in episodes]
    AlertEpisode.objects.filter(pk__in=ids, began_told_at=None).update(began_told_at=now, problem="")
    ended = [episode.pk for episode in episodes if episode.ended_at is not None]
    AlertEpisode.objects.filter(pk__in=ended, ended_told_at=None).update(ended_told_at=now, problem="")
