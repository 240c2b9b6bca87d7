"""The process behind `manage.py files`: looks at every inbound folder when its time has come, and rests in between."""

import threading
import time
from collections.abc import Callable

import structlog
from django.db import connection

from hub import backlog
from hub.files import feed
from hub.models import Endpoint

log = structlog.get_logger(__name__)
REST_S = 1.0  # the shortest time between two rounds: nothing here ever spins


class Runner:
    """All inbound folder endpoints of this process, or those of the given codes."""

    def __init__(self, codes: list[str] | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.codes = codes or []
        self.clock = clock
        self.stop = threading.Event()
        self.feeds: dict[int, feed.Feed] = {}
        self._backlog = backlog.Backlog()

    def run(self) -> None:
        """Until `stop` is set; then the messages under way are stored, and the rest of the file is left for later."""
        while not self.stop.is_set():
            try:
                self.step()
            except feed.AWAY as error:
                connection.close()
                log.warning("database_away", task="files", error=type(error).__name__)
            self.stop.wait(REST_S)

    def step(self) -> int:
        """One round: look at the folders that are due; returns how many files were taken."""
        endpoints = self.endpoints()
        self.feeds = {endpoint.pk: self.feeds.get(endpoint.pk, feed.Feed()) for endpoint in endpoints}
        taken = 0
        for endpoint in endpoints:
            mine = self.feeds[endpoint.pk]
            if self.clock() >= mine.next_at and not self.stop.is_set():
                taken += feed.look(mine, endpoint, stopping=self._waits(endpoint), clock=self.clock)
        return taken

    def endpoints(self) -> list[Endpoint]:
        """Whose folders are looked at. A paused one's files stay in its folder."""
        found = Endpoint.objects.select_related("partner").filter(
            direction="in", transport__in=["folder", "sftp"], active=True, paused=False, partner__active=True
        )
        return list(found.filter(code__in=self.codes) if self.codes else found)

    def _waits(self, endpoint: Endpoint) -> Callable[[], bool]:
        """Whether no more may be handed in now: the hub has to catch up, or this process has to end."""

        def waits() -> bool:
            self._backlog.refresh()
            return self.stop.is_set() or self._backlog.over(endpoint.pk)

        return waits
