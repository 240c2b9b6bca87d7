"""Bulkheads: a partner that holds its senders for long holds its own share of them, and no other partner's.

Counted in each process: what is shared are the process's threads. Whoever finds the share taken goes at once; those
who are inside look at all lanes of the endpoint, so nothing is left behind.
"""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class Bulkhead:
    """How many threads of this process work for whom. `threads` is the pool's size, once the worker knows it."""

    def __init__(self) -> None:
        self.threads = 1
        self._lock = threading.Lock()
        self._inside: Counter[int] = Counter()

    @contextmanager
    def enter(self, endpoint_id: int, *, share: int) -> Iterator[bool]:
        """Whether one more may work for this endpoint; the place is given back at the end."""
        with self._lock:
            free = self._inside[endpoint_id] < share
            if free:
                self._inside[endpoint_id] += 1
        try:
            yield free
        finally:
            if free:
                with self._lock:
                    self._inside[endpoint_id] -= 1


def share(threads: int, endpoints: int) -> int:
    """How many of a process's threads one of so many endpoints may use at once; one at least."""
    return max(1, threads // max(1, endpoints))
