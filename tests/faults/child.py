"""A worker process that dies by kill -9 at a named point: `python -m tests.faults.child <point> [<which time>]`."""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import django

django.setup()

from hub import lanes, outbox, pipeline, replaying, replayitems, sending, settlement  # noqa: E402  (after the settings)
from tests import world  # noqa: E402

# Point -> (where the function lives, its name, whether it dies before or after it).
POINTS: dict[str, tuple[Any, str, str]] = {
    "messages claimed": (pipeline.Messages, "do", "before"),
    "charges written, message not": (pipeline.Messages, "_write_down", "before"),
    "messages applied, not committed": (lanes, "release", "before"),
    "messages committed": (pipeline, "process", "after"),
    "facts heard, not committed": (outbox.Deliveries, "do", "after"),
    "calls claimed, nothing sent": (sending, "_try", "before"),
    "sent, not settled": (settlement, "settle", "before"),
    "settled, not committed": (settlement, "settle", "after"),
    "items put back, no result": (replayitems.Batch, "write", "before"),
    "items put back, not committed": (replayitems.Batch, "write", "after"),
    "items committed": (replaying, "_step", "after"),
}


def die(*_args: Any) -> None:
    """As the kernel would kill: nothing is cleaned up."""
    os.kill(os.getpid(), signal.SIGKILL)


def arm(point: str) -> None:
    """Die at this point when it is reached with something to do."""
    where, name, moment = POINTS[point]
    real: Callable[..., Any] = getattr(where, name)

    def armed(*args: Any, **kwargs: Any) -> Any:
        if moment == "before":
            die()
        answer = real(*args, **kwargs)
        if answer or answer is None:
            die()
        return answer

    setattr(where, name, armed)


def arm_poison() -> None:
    """Die of a message that says so, as a parser that runs out of memory would."""
    real = pipeline.PARSERS["hl7v2"]
    pipeline.PARSERS["hl7v2"] = lambda raw: die() if b"POISON" in raw else real(raw)


if __name__ == "__main__":
    arm_poison() if sys.argv[1] == "poison" else arm(sys.argv[1])
    world.run_until_quiet()
