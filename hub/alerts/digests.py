"""The daily digest: each recipient gets one mail a day with what lasts, what began and what ended since the last one.

A day is a row for each recipient, made once whoever looks (`UNIQUE(recipient, day)`, reliability R-C7). The row is
taken before the mail is sent: a worker that dies in between leaves that day's mail out and never sends it twice, and
the next day's goes back to the last one that was sent.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from smtplib import SMTPException

import structlog
from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import transaction
from django.db.models import F, Max, Q
from django.utils import timezone

from hub import shapes
from hub.models import AlertEpisode, AlertRule, Digest

log = structlog.get_logger(__name__)
MOST = 100  # episodes of a kind that one mail names; of more it tells how many


def tell(now: datetime) -> int:
    """Send today's digests that are due and were not sent yet; returns how many mails went out."""
    local = timezone.localtime(now)
    rules = _rules()
    if local.hour < settings.DIGEST_HOUR or not rules:
        return 0
    day = local.date()
    known = Digest.objects.filter(day=day, recipient__in=rules, taken_at__isnull=False)
    done = set(known.values_list("recipient", flat=True))
    return sum(_tell(recipient, rules[recipient], now) for recipient in sorted(rules.keys() - done))


def _rules() -> dict[str, list[int]]:
    """The rules whose digest each recipient gets."""
    found: dict[str, list[int]] = defaultdict(list)
    for rule in AlertRule.objects.exclude(digest_to=""):
        for address in rule.digest_addresses():
            found[address].append(rule.pk)
    return found


def _tell(recipient: str, rules: Sequence[int], now: datetime) -> int:
    """One recipient's mail of today. What fails before the mail server was given anything is tried again."""
    day = timezone.localtime(now).date()
    try:
        connection = get_connection()
        connection.open()
    except (SMTPException, OSError) as error:
        _slot(recipient, now)
        problem = f"Not sent yet: {type(error).__name__}. It is tried again every few minutes."
        Digest.objects.filter(recipient=recipient, day=day, taken_at=None).update(problem=problem)
        log.error("digest_not_sent", error=type(error).__name__)
        return 0
    with connection:
        digest = _take(recipient, now)
        if digest is None:  # another worker has it
            return 0
        try:
            connection.send_messages([_mail(digest, rules)])
        except (SMTPException, OSError) as error:
            digest.problem = f"{type(error).__name__}: it may have been sent, so it is not sent again. The next one "
            digest.problem += "goes back to the last one before it."
            log.error("digest_in_doubt", error=type(error).__name__)
            digest.save()
            return 0
        digest.told_at, digest.problem = timezone.now(), ""
        digest.save()
    return 1


def _slot(recipient: str, now: datetime) -> None:
    """Make sure that the recipient's row of today is there."""
    since = Digest.objects.filter(recipient=recipient, told_at__isnull=False).aggregate(last=Max("until"))["last"]
    slot = Digest(recipient=recipient, day=timezone.localtime(now).date(), since=since, until=now)
    Digest.objects.bulk_create([slot], ignore_conflicts=True)


def _take(recipient: str, now: datetime) -> Digest | None:
    """The recipient's row of today, ours alone from here on; None where somebody has it, or had."""
    with transaction.atomic():
        _slot(recipient, now)
        day = timezone.localtime(now).date()
        digest = Digest.objects.select_for_update().get(recipient=recipient, day=day)
        if digest.taken_at is not None:
            return None
        digest.taken_at, digest.until = now, now
        digest.save(update_fields=["taken_at", "until"])
    return digest


def _mail(digest: Digest, rules: Sequence[int]) -> EmailMessage:
    """What lasts, began and ended, the longest first; the counts go into the row."""
    mine = AlertEpisode.objects.filter(rule_id__in=rules, began_at__lt=digest.until).select_related("rule")
    new = Q() if digest.since is None else Q(began_at__gte=digest.since)
    over = Q(ended_at__isnull=False, ended_at__lt=digest.until)
    over &= Q() if digest.since is None else Q(ended_at__gte=digest.since)
    lasting = mine.filter(Q(ended_at=None) | Q(ended_at__gte=digest.until)).order_by("began_at", "pk")
    ended = mine.filter(over).order_by(F("ended_at").desc(), "pk")
    digest.open, digest.began, digest.ended = lasting.count(), mine.filter(new).count(), ended.count()
    lines = [
        _sentence(digest), "",
        *_section("LASTS NOW", lasting[:MOST], digest.open, _lasts),
        *_section("OVER SINCE THEN", ended[:MOST], digest.ended, _was),
    ]  # fmt: skip
    standing = f"{shapes.count(digest.open, 'alert')} open" if digest.open else "nothing open"
    subject = f"[Throughline] {digest.day}: {standing}"
    return EmailMessage(subject, "\n".join(lines) + "\n", settings.DEFAULT_FROM_EMAIL, [digest.recipient])


def _sentence(digest: Digest) -> str:
    since = "so far" if digest.since is None else f"since {timezone.localtime(digest.since):%Y-%m-%d %H:%M}"
    lasting = "Nothing lasts" if not digest.open else "1 lasts" if digest.open == 1 else f"{digest.open} last"
    return f"{digest.began} began and {digest.ended} ended {since}. {lasting} now."


def _section(title: str, episodes: Iterable[AlertEpisode], count: int, say: Callable[[AlertEpisode], str]) -> list[str]:
    if not count:
        return []
    told = [line for episode in episodes for line in (f"  {say(episode)}", "")]
    more = [f"  … and {count - MOST} more: look at the list of alerts.", ""] if count > MOST else []
    return [title, "", *told, *more]


def _lasts(episode: AlertEpisode) -> str:
    began = timezone.localtime(episode.began_at)
    return f"since {began:%Y-%m-%d %H:%M}  {episode.rule.name}: {episode.text}"


def _was(episode: AlertEpisode) -> str:
    began = timezone.localtime(episode.began_at)
    assert episode.ended_at is not None
    lasted = shapes.age(episode.ended_at - episode.began_at)
    return f"{began:%Y-%m-%d %H:%M}, for {lasted}  {episode.rule.name}: {episode.subject}"
