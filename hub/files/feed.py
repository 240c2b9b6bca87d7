"""One look at one endpoint's folder: what is complete is taken, and what went wrong says when to look again."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
import structlog
from django.db import InterfaceError, OperationalError, connection

from hub import access, bulk, cases, stops
from hub.errors import HubError, Transient
from hub.files import intake
from hub.files.looks import Looks
from hub.models import Endpoint
from hub.transports import drops, folder_terms
from hub.transports.shelves import StillChangingError, require_ours

log = structlog.get_logger(__name__)
AWAY = (OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError)
AT_ONCE = 100  # files of one look; the other endpoints come next
IN_VAIN = 3  # files of one look that the folder fails for: then it is not the files
BUSY_S = 10.0  # until the workers may have caught up
LONGEST_S = 300.0  # between two looks at a folder that does not work
LOCK = 7_046_029  # the first half of our advisory locks: one process at a time takes an endpoint's files


@dataclass(slots=True)
class Feed:
    """What is remembered of an endpoint's folder between two looks. Times are of a clock that only goes forward."""

    looks: Looks = field(default_factory=Looks)
    next_at: float = float("-inf")
    failures: int = 0
    well: bool = False  # whether it is known that no case says otherwise


def look(feed: Feed, endpoint: Endpoint, *, stopping: Callable[[], bool], clock: Callable[[], float]) -> int:
    """Take what is complete; returns how many files. A folder that fails waits longer each time (F-F5)."""
    try:
        with _alone(endpoint) as mine:
            taken = _take(feed, endpoint, stopping, clock) if mine else 0
            wait_s = folder_terms.read(endpoint).poll_s
            if mine:
                _well(feed, endpoint)
    except intake.BusyError:
        taken, wait_s = 0, BUSY_S
    except AWAY as error:
        connection.close()
        log.warning("database_away", task="files", error=type(error).__name__)
        taken, wait_s = 0, _longer(feed)
    except Exception as error:  # noqa: BLE001  (the outer door: a person reads it, and the other folders go on)
        taken, wait_s = 0, _longer(feed)
        _ill(feed, endpoint, error)
    feed.next_at = clock() + (0.0 if taken == AT_ONCE else wait_s)
    return taken


def _take(feed: Feed, endpoint: Endpoint, stopping: Callable[[], bool], clock: Callable[[], float]) -> int:
    terms = folder_terms.read(endpoint)
    taken, failed = 0, list[Transient]()
    with drops.open_shelf(endpoint) as shelf:
        require_ours(shelf, terms.folder)
        desk = intake.Desk(endpoint, shelf, terms, stopping)
        for entry in feed.looks.complete(shelf.entries(), terms, clock())[:AT_ONCE]:
            if stopping() or len(failed) == IN_VAIN:
                break
            try:
                intake.take(desk, entry)
                taken += 1
            except StillChangingError:
                continue  # the next look sees it changed, and waits
            except Transient as error:  # one file that may not be read, say, holds up no other
                failed.append(error)
    if failed:
        raise failed[0]
    return taken


@contextmanager
def _alone(endpoint: Endpoint) -> Iterator[bool]:
    """Whether nobody else takes this endpoint's files now; the lock ends with the session, however that ends."""
    (mine,) = bulk.fetch("SELECT pg_try_advisory_lock(%s, %s)", [LOCK, endpoint.pk])[0]
    try:
        yield mine
    finally:
        if mine and connection.connection is not None and not connection.connection.closed:
            bulk.fetch("SELECT pg_advisory_unlock(%s, %s)", [LOCK, endpoint.pk])


def _longer(feed: Feed) -> float:
    feed.failures += 1
    return float(min(LONGEST_S, 10.0 * 2 ** min(feed.failures - 1, 10)))


def _well(feed: Feed, endpoint: Endpoint) -> None:
    feed.failures = 0
    if not feed.well:
        cases.close_about([subject(endpoint)], reason="The folder can be used again.", by=access.SYSTEM)
        feed.well = True


def _ill(feed: Feed, endpoint: Endpoint, error: Exception) -> None:
    """The outer door: whatever went wrong, a person reads it, and the other endpoints go on."""
    feed.well = False
    code, text = stops.explain(error)
    if not isinstance(error, HubError):
        log.error("files_failed", endpoint=endpoint.code, exc_info=error)
    case = cases.NewCase(
        code=code, subject=subject(endpoint), title=f"No files are taken at {endpoint.name}", severity=2,
        text=f"{text.rstrip('.')}. Files stay where they are; the hub looks again by itself, {LONGEST_S / 60:g} "
        "minutes apart at most, and this case closes when it works again.",
        owner="integration", partner=endpoint.partner.code, facility=endpoint.facility,
        data={"endpoint": endpoint.code},
    )  # fmt: skip
    cases.open_many([case], by=access.SYSTEM)


def subject(endpoint: Endpoint) -> str:
    """What the case about an endpoint's folder is about."""
    return f"folder:{endpoint.code}"
