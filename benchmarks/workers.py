"""`make bench-workers`: the same backlog worked off by one `work` process, and by two; nothing else is changed.

The backlog is stored while nobody works. Then so many programs of one working process each are started, and the
sender beside them, as in production. Measured between a fifth and nineteen twentieths of the backlog in the ERP's
ledger: how long programs take to start, and the last calls, are not what is asked. Turns go 1, 2, 2, 1, so that a
machine that grows slower or faster does not favour either.

What a machine can show is bounded by its cores: PostgreSQL, the sender and the ERP need some of them too. So the share
of all processor time that was taken is told beside the rates, and how much one worker left over (`room`): twice the
rate can only be seen where more than half of the machine was left. The last line is one JSON object.
"""

import argparse
import os
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.hub import LINES, Hub, running
from benchmarks.telling import figures_of, say

BEGIN, END = 0.2, 0.95  # of the backlog
NAMES = ("work1", "work2")


@contextmanager
def working(hub: Hub, messages: int, processes: int) -> Iterator[int]:
    """Store a backlog, then let so many work on it; yields the ledger's lines before, stops when all is posted."""
    before = hub.lines()
    stored = int(hub.load("--connections", "32", "--messages", str(messages))["acked"])
    if stored != messages:
        raise RuntimeError(f"{stored} of {messages} messages were acknowledged: the listener's log has the reason")
    for name in NAMES[:processes]:
        hub.start_work(name, 1)
    hub.start_sender()
    yield before
    hub.posted(before + messages * LINES, 600)
    for name in (*NAMES[:processes], "send"):
        hub.stop(name)


def drain(hub: Hub, messages: int, processes: int) -> dict[str, Any]:
    """One backlog worked off: messages a second, processor time a message, share of the machine."""
    marks = []
    with working(hub, messages, processes) as before:
        for share in (BEGIN, END):
            hub.posted(before + int(messages * share) * LINES, 600)
            marks.append((time.monotonic(), (hub.lines() - before) / LINES, hub.cpu(), *machine.ticks()))
    (begun, first, used, taken, all_), (ended, last, used_then, taken_then, all_then) = marks
    done = last - first
    if done < messages / 2:
        raise RuntimeError(f"{messages} messages are posted faster than they can be watched: give a larger --backlog")
    cpu = {name: (used_then[name] - used[name]) / done * 1e6 for name in used}
    rate, busy = done / (ended - begun), (taken_then - taken) / (all_then - all_)
    say(f"  {processes} working: {rate:.0f} msg/s, {sum(cpu.values()):.0f} us a message, machine {busy:.0%} busy")
    return {"processes": processes, "per_s": rate, "cpu_us": cpu, "busy": busy}


def compared(turns: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Medians of one and of two, and what two are to one."""
    figures: dict[str, Any] = {}
    for count in (1, 2):
        own = [turn for turn in turns if turn["processes"] == count]
        figures |= {
            f"per_s_{count}": statistics.median(turn["per_s"] for turn in own),
            f"per_s_{count}_by_turn": [turn["per_s"] for turn in own],
            f"cpu_us_per_message_{count}": statistics.median(sum(turn["cpu_us"].values()) for turn in own),
            f"cpu_us_by_part_{count}": {
                name: round(statistics.median(turn["cpu_us"][name] for turn in own)) for name in own[0]["cpu_us"]
            },
            f"busy_{count}": statistics.median(turn["busy"] for turn in own),
        }
    figures["ratio"] = figures["per_s_2"] / figures["per_s_1"]
    figures["cpu_ratio"] = figures["cpu_us_per_message_2"] / figures["cpu_us_per_message_1"]
    figures["room"] = 1 / figures["busy_1"]  # the most that the ratio could be here at equal cost of a message
    return figures


def bench(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """All turns; the figures."""
    say("setting up the hub and its ERP ...")
    with running(folder, workers=1) as hub:
        say("a small backlog first, so that nothing is cold")
        with working(hub, max(1000, options.backlog // 10), 2):
            pass
        orders = [(1, 2), (2, 1)] * options.rounds
        turns = [drain(hub, options.backlog, count) for order in orders[: options.rounds] for count in order]
    return {"cores": os.cpu_count(), "backlog": options.backlog, "rounds": options.rounds, **compared(turns)}


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.workers", description=__doc__)
    parser.add_argument("--backlog", type=int, default=20_000, help="messages of each turn")
    parser.add_argument("--rounds", type=int, default=2, choices=range(1, 10), help="turns with each number")
    options = parser.parse_args(arguments)
    figures_of("bench-workers-", lambda folder: bench(folder, options))


if __name__ == "__main__":
    main()
