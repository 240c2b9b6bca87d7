"""Ringing the workers from a thread of its own: an acknowledgement never waits for Redis, whatever Redis does."""

import threading
import time

from hub import queue

PAUSE_S = 0.02  # rings that come closer together than this are one


class Doorbell:
    """`press()` returns at once; a daemon thread rings soon after. Presses while it rings count as one more."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._pressed = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def press(self) -> None:
        """Ask for a ring. The thread is started here and not earlier, because web servers fork."""
        if self._thread is None or not self._thread.is_alive():
            with self._lock:
                if self._thread is None or not self._thread.is_alive():
                    self._thread = threading.Thread(target=self._run, name=f"doorbell-{self.name}", daemon=True)
                    self._thread.start()
        self._pressed.set()

    def _run(self) -> None:
        while True:
            self._pressed.wait()
            self._pressed.clear()
            queue.ring(self.name)
            time.sleep(PAUSE_S)


work = Doorbell("work")
