"""How much each feed sends: counted once a minute from what came since the last count, kept by the hour.

A volume and no account: a message that is committed a minute after it came is not in it. Accounts are the business of
`billing.reconciliation` and the invariants.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.utils import timezone

from hub import bulk, ids, looks
from hub.models import Watermark

NAME = "volumes"
SETTLED = timedelta(minutes=1)  # what came before is committed, but for a door that hangs
FARTHEST = timedelta(hours=6)  # a count that was not made for longer starts anew
HOUR = timedelta(hours=1)
WEEK = timedelta(days=7)
WEEKS = 4
ENOUGH_WEEKS = 2  # fewer do not make a custom
KEPT = timedelta(days=60)

ADD = """
INSERT INTO hub_feedhour (endpoint_id, hour, messages)
SELECT endpoint_id, date_trunc('hour', received_at, 'UTC'), count(*) FROM hub_message
WHERE id >= %s AND id < %s GROUP BY 1, 2
ON CONFLICT (endpoint_id, hour) DO UPDATE SET messages = hub_feedhour.messages + excluded.messages
"""
COUNTED = "SELECT endpoint_id, hour, messages FROM hub_feedhour WHERE hour = ANY(%s)"
FIRST = "SELECT endpoint_id, min(hour) FROM hub_feedhour GROUP BY 1"


@dataclass(frozen=True, slots=True)
class Volume:
    """What a feed sent in the last whole hour, and in the same hour of former weeks on average."""

    hour: datetime
    messages: int
    usual: float
    weeks: int


def look(now: datetime) -> None:
    """Count what came since the last look, up to a minute ago."""
    looks.alone(NAME, lambda: _count(now - SETTLED))


def _count(to: datetime) -> None:
    mark, fresh = Watermark.objects.get_or_create(name=NAME, defaults={"looked_to": to})
    since = max(mark.looked_to, to - FARTHEST)
    if fresh or to <= since:
        return
    bulk.run(ADD, [ids.floor(since), ids.floor(to)])
    bulk.run("DELETE FROM hub_feedhour WHERE hour < %s", [to - KEPT])
    mark.looked_to = to
    mark.save(update_fields=["looked_to"])


def usual(now: datetime) -> Mapping[int, Volume]:
    """Each feed's last whole hour beside its custom, where enough weeks were counted to speak of one.

    The same hour is that of the installation's clock, so that a change to summer time is none of volume.
    """
    mark = Watermark.objects.filter(name=NAME).first()
    if mark is None:
        return {}
    last = mark.looked_to.astimezone(UTC).replace(minute=0, second=0, microsecond=0) - HOUR
    former = [_weeks_before(last, weeks) for weeks in range(1, WEEKS + 1)]
    counted = {(endpoint_id, hour): messages for endpoint_id, hour, messages in bulk.fetch(COUNTED, [[last, *former]])}
    found = {}
    for endpoint_id, first in bulk.fetch(FIRST):
        weeks = [counted.get((endpoint_id, hour), 0) for hour in former if hour >= first]
        if len(weeks) >= ENOUGH_WEEKS:
            average = sum(weeks) / len(weeks)
            found[endpoint_id] = Volume(last, counted.get((endpoint_id, last), 0), average, len(weeks))
    return found


def _weeks_before(hour: datetime, weeks: int) -> datetime:
    zone = timezone.get_default_timezone()
    local = (hour.astimezone(zone) - weeks * WEEK).replace(fold=0)  # by the wall clock
    return local.astimezone(UTC).replace(minute=0)
