"""Celery's door: each task names one function. Arguments are ids; the truth is in the tables."""

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from celery import shared_task
from celery.signals import worker_ready
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from hub import (
    bulkheads,
    lanes,
    lateness,
    outbox,
    partitions,
    pipeline,
    queue,
    replaying,
    resending,
    sending,
    verdicts,
    verification,
)
from hub import retention as keeping
from hub.alerts import digests, webhooks
from hub.alerts import watch as watching
from hub.api import idempotency
from hub.models import Endpoint
from hub.routing import Outbound, Reaction, registry
from hub.search import indexing
from hub.vault import VaultError

log = structlog.get_logger(__name__)
# A task looks around so long for more work before it ends, and never runs longer than its turn: others wait too.
TURN_S, QUIET_S = 10.0, 0.25
# Between two looks that find nothing, each time twice as long: a look costs the database more than it tells.
PAUSE_S, LONGEST_PAUSE_S = 0.008, 0.064

_bulkhead = bulkheads.Bulkhead()

# A batch makes tens of thousands of small objects and no cycles: the collector would walk them in vain, often.
gc.set_threshold(200_000, 20, 100)


def _turn(step: Callable[[], int], name: str, endpoint_id: int | None = None) -> None:
    """Call `step` until it finds nothing for a while or the turn is over. Who finds nothing at once goes at once.

    While somebody works nobody has to ring; whoever stops says so, and looks once more for what was committed before.
    A turn that ends with work left rings for its successor: others wait for a worker, too.
    """
    end = time.monotonic() + TURN_S
    while step():
        _linger(step, end)
        queue.answered(name, endpoint_id)
        if time.monotonic() >= end:
            queue.ring(name, endpoint_id)
            return


def _linger(step: Callable[[], int], end: float) -> None:
    quiet, pause_s = time.monotonic() + QUIET_S, PAUSE_S
    while time.monotonic() < min(end, quiet):
        if step():
            quiet, pause_s = time.monotonic() + QUIET_S, PAUSE_S
        else:
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)


@contextmanager
def _calm(task: str) -> Iterator[None]:
    """A database that is away is a warning with a name, no defect of the task: clock or sweep bring it again."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        connection.close()  # the next task of this thread opens a new one
        log.warning("database_away", task=task, error=type(error).__name__)


@shared_task
def work() -> None:
    """Messages, then reactions, until there is nothing to do."""
    reactions = outbox.reactions()
    with _calm("work"):
        _turn(lambda: pipeline.process() + sum(outbox.react(route) for route in reactions), "work")


@worker_ready.connect
def _know_threads(sender: Any, **_: object) -> None:
    """The size of the pool, of which each endpoint has its share."""
    _bulkhead.threads = sender.pool.limit


@shared_task
def send(endpoint_id: int) -> None:
    """Everything that is due for one endpoint: a slow partner keeps its own share of the threads busy and no other."""
    with _calm("send"):
        endpoint = Endpoint.objects.select_related("partner").filter(pk=endpoint_id, active=True).first()
        if endpoint is None:  # switched off or renamed since the bell was rung
            return
        partners = Endpoint.objects.filter(direction="out", active=True).count()
        roads = sending.roads(endpoint)
        with _bulkhead.enter(endpoint_id, share=bulkheads.share(_bulkhead.threads, partners)) as free:
            if free:
                resending.step(endpoint)  # at least one in a turn, however much is new
                _turn(lambda: _send(roads, endpoint), "send", endpoint_id)


def _send(roads: list[Outbound], endpoint: Endpoint) -> int:
    """What is new first; what somebody wants once more is looked for when nothing is."""
    return sum(sending.step(route, endpoint) for route in roads) or resending.step(endpoint)


@shared_task
def replay() -> None:
    """The next batches of the replays that run, and the results of what they put back."""
    with _calm("replay"):
        _turn(replaying.step, "replay")


@shared_task
def index() -> None:
    """The next segments of the blind index; ends at once when the inbox has a backlog."""
    with _calm("index"):
        try:
            _turn(indexing.step, "index")
        except VaultError as error:  # a key is not in this worker's ring; what is not cut yet is searched one by one
            log.error("index_stopped", code=error.code)


@shared_task
def sweep() -> None:
    """Ring for whatever waits: what a lost ring, a dead worker or a time to wait has left behind.

    While the database is away there is nothing to ring for: the next sweep is five seconds away.
    """
    with _calm("sweep"):
        ensure_lanes()
        queue.ring("work")
        for endpoint_id in sending.due_endpoints():
            queue.ring("send", endpoint_id)
        if replaying.waiting():
            queue.ring("replay")
        if indexing.waiting():
            queue.ring("index")


@shared_task
def make_partitions() -> None:
    """Make the coming months' partitions."""
    partitions.ensure()


@shared_task
def retain() -> None:
    """Archive and drop the months that are due, where a hospital has said how long it keeps them."""
    with _calm("retain"):
        keeping.nightly(timezone.now())


@shared_task
def watch() -> None:
    """Look at every alert rule, and tell who has to be told."""
    with _calm("watch"):
        watching.watch()


@shared_task
def call_webhooks() -> None:
    """Make the calls to webhooks that are due, for one turn; a second worker may do the same beside it."""
    end = time.monotonic() + TURN_S
    with _calm("call_webhooks"):
        while time.monotonic() < end and webhooks.step():
            pass


@shared_task
def digest() -> None:
    """Send the day's digests of alerts that are due."""
    with _calm("digest"):
        digests.tell(timezone.now())


@shared_task
def look_for_late() -> None:
    """Look for steps and documents that are late, and count what the feeds sent."""
    with _calm("look_for_late"):
        lateness.look(timezone.now())


@shared_task
def forget_answers() -> None:
    """Forget the API's answers to repeated calls that are too old to be repeated."""
    idempotency.prune()


@shared_task
def verify(names: list[str] | None = None) -> None:
    """Check the first of these invariants (of all where none is named), then leave the others to the next task.

    One at a time, each within a task's time limit: a worker's other work never waits for all of them.
    """
    wanted = verification.known() if names is None else names
    with _calm("verify"):
        verdicts.watch(wanted[0])
    if wanted[1:]:
        verify.delay(wanted[1:])


def ensure_lanes() -> None:
    """Every queue that the routes and endpoints need has its lanes."""
    lanes.ensure("inbox", settings.LANES)
    for reaction in registry.of(Reaction):
        lanes.ensure(reaction.name, settings.LANES)
    for endpoint in sending.endpoints():
        for route in registry.of(Outbound):
            if route.format == endpoint.format:
                lanes.ensure(sending.queue_name(route, endpoint), endpoint.concurrency)
