"""Draining an endpoint: it takes nothing new, what is open comes to its end, and then it says that it is drained.

An inbound one answers AE or 503 and stores nothing more, while what is stored is read; an outbound one makes no new
call, while open calls are tried until they are settled. Unlike a pause it leaves nothing half done: for the night in
which the partner moves, or before an endpoint is switched off.
"""

from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from hub import access, audit, bulk, doorkeys, lanes, queue, shapes
from hub.access import Actor
from hub.errors import Refused
from hub.models import Endpoint

MOST = 10_000  # what is left is counted up to here
# So long a listener may still take what it has not heard of; before that nobody is told that all is done.
SETTLES = timedelta(seconds=15)
# Messages that a worker takes next, and those that a person has to decide about; both behind partial indexes.
INBOUND = """
SELECT (SELECT count(*) FROM (SELECT 1 FROM hub_message WHERE endpoint_id = %(endpoint)s AND status = 'received'
        LIMIT %(most)s) w),
       0,
       (SELECT count(*) FROM (SELECT 1 FROM hub_message WHERE endpoint_id = %(endpoint)s
        AND status IN ('held', 'stopped', 'blocked') LIMIT %(most)s) w)
"""
# Open calls; what waits to be put into one; what a person has to decide about.
OUTBOUND = """
SELECT (SELECT count(*) FROM (SELECT 1 FROM hub_dispatch WHERE endpoint_id = %(endpoint)s
        AND status IN ('sending', 'waiting', 'in_doubt') LIMIT %(most)s) w)
       + (SELECT count(*) FROM (SELECT 1 FROM hub_resend WHERE endpoint_id = %(endpoint)s AND status = 'sending'
        LIMIT %(most)s) w),
       (SELECT count(*) FROM hub_lane l CROSS JOIN LATERAL (SELECT 1 FROM hub_delivery d
        WHERE l.queue LIKE '%%@' || %(code)s AND d.route = split_part(l.queue, '@', 1)
        AND d.endpoint_id = %(endpoint)s AND d.lane = l.number AND d.status = 'pending' LIMIT %(most)s) w),
       (SELECT count(*) FROM (SELECT 1 FROM hub_delivery WHERE endpoint_id = %(endpoint)s
        AND status IN ('stopped', 'blocked') LIMIT %(most)s) w)
"""
ROADS = "SELECT queue, array_agg(number ORDER BY number) FROM hub_lane WHERE queue LIKE %s GROUP BY 1 ORDER BY 1"


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of an endpoint's work, each figure up to `MOST`."""

    open: int  # comes to its end by itself: messages to be read, calls to be settled
    waiting: int  # deliveries that wait until the endpoint takes again
    people: int  # held, stopped or blocked: a person decides, drained or not


def left(endpoint: Endpoint) -> Left:
    """What is left, counted now."""
    statement = INBOUND if endpoint.direction == "in" else OUTBOUND
    params = {"endpoint": endpoint.pk, "most": MOST}
    if endpoint.direction == "out":
        params |= {"code": endpoint.code}  # type: ignore[dict-item]
    return Left(*bulk.fetch(statement, params)[0])


def state(endpoint: Endpoint, found: Left | None = None) -> str:
    """ "" (it takes), "draining" or "drained"."""
    if endpoint.draining_since is None:
        return ""
    settled = timezone.now() - endpoint.draining_since >= SETTLES
    return "drained" if settled and not (found or left(endpoint)).open else "draining"


def told(endpoint: Endpoint) -> str:
    """What a person has to know of an endpoint that is drained or about to be; "" for one that takes."""
    if endpoint.draining_since is None:
        return ""
    found = left(endpoint)
    inbound = endpoint.direction == "in"
    since = f"since {shapes.clock(endpoint.draining_since)}"
    said = (
        f"It takes nothing {since}: senders are told to wait and send again."
        if inbound
        else f"No new call is made {since}."
    )
    if state(endpoint, found) == "drained":
        said += " It is drained: nothing of it is open."
    elif found.open:
        said += (
            f" Not drained yet: {_count(found.open, 'message' if inbound else 'call')} will come to an end by itself."
        )
    else:
        said += f" Nothing of it is open; in {SETTLES.seconds} seconds from the beginning that is certain."
    if endpoint.paused and found.open:
        said += " It is paused too, so nothing moves: resume it first."
    if found.waiting:
        waits = "waits" if found.waiting == 1 else "wait"
        said += f" {_count(found.waiting, 'delivery', 'deliveries')} {waits} until it takes again."
    if found.people:
        what = _count(found.people, "message") if inbound else _count(found.people, "delivery", "deliveries")
        said += f" {what} {'waits' if found.people == 1 else 'wait'} for a person, with a case."
    return said


def _count(number: int, noun: str, plural: str = "") -> str:
    more = "more than " if number >= MOST else ""
    return more + (shapes.count(number, noun, plural) if plural else shapes.count(number, noun))


def drain(endpoint: Endpoint, *, reason: str, by: Actor) -> Endpoint:
    """Take nothing new from now on. When this returns, no sender begins another call."""
    access.require(by, "hub.drain_endpoint", facility=endpoint.facility)
    if not reason.strip():
        raise Refused("CASE_REASON", "Draining needs a reason that an auditor will understand.")
    with transaction.atomic():
        stored = _locked(endpoint)
        if stored.draining_since is not None:
            raise Refused("STATE_MOVE", "It takes nothing new already. Reload and look again.")
        stored.draining_since = timezone.now()
        stored.save(update_fields=["draining_since"])
        for road, numbers in bulk.fetch(ROADS, [f"%@{stored.code}"]) if stored.direction == "out" else ():
            lanes.hold(road, numbers)  # whoever claims now has done so when we go on; whoever comes later sees it
        audit.record("endpoints.drain", by=by, subject=stored, reason=reason)
    doorkeys.forget()
    return stored


def take_again(endpoint: Endpoint, *, reason: str = "", by: Actor) -> Endpoint:
    """Take what is new again; deliveries that waited go out in their order."""
    access.require(by, "hub.drain_endpoint", facility=endpoint.facility)
    with transaction.atomic():
        stored = _locked(endpoint)
        if stored.draining_since is None:
            raise Refused("STATE_MOVE", "It is not drained. Reload and look again.")
        stored.draining_since = None
        stored.save(update_fields=["draining_since"])
        audit.record("endpoints.take_again", by=by, subject=stored, reason=reason)
        if stored.direction == "out":
            queue.nudge("send", stored.pk)
    doorkeys.forget()
    return stored


def _locked(endpoint: Endpoint) -> Endpoint:
    return Endpoint.objects.select_for_update().get(pk=endpoint.pk)
