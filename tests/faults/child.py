"""A worker process: one that dies by kill -9 at a named point, or of hunger, or that goes on whatever happens.

`python -m tests.faults.child <point>`, `poison`, `hungry`, `steady`; `furnish` makes the small network in an empty
database and ends.
"""

import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import django

django.setup()

from hub import (  # noqa: E402  (after the settings)
    lanes,
    outbox,
    pipeline,
    replaying,
    replayitems,
    sending,
    settlement,
    tasks,
)
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


ROOM = 256 * 1024 * 1024


def arm_hunger() -> None:
    """Little memory is left to this process, and a message that says so wants far more than that."""
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123  (no file of ours)
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, used + ROOM))
    real = pipeline.PARSERS["hl7v2"]
    pipeline.PARSERS["hl7v2"] = lambda raw: bytearray(4 * ROOM) if b"HUNGRY" in raw else real(raw)


def steady() -> None:
    """The work task again and again, as rings and sweeps would have it, until SIGTERM."""
    going = [True]
    signal.signal(signal.SIGTERM, lambda *_: going.clear())
    print("steady", flush=True)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # nobody reads on: a full pipe would hold us up
    while going:
        tasks.work()
        time.sleep(0.05)


def furnish() -> None:
    """The small network, with its lanes."""
    world.masters()
    world.billing()
    tasks.ensure_lanes()


MODES: dict[str, tuple[Callable[[], None], Callable[[], None]]] = {
    "poison": (arm_poison, world.run_until_quiet),
    "hungry": (arm_hunger, world.run_until_quiet),
    "steady": (lambda: None, steady),
    "furnish": (lambda: None, furnish),
}

if __name__ == "__main__":
    prepare, work = MODES.get(sys.argv[1], (lambda: arm(sys.argv[1]), world.run_until_quiet))
    prepare()
    work()
