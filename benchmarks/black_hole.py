"""`make bench-black-hole`: three ERPs of three hospitals, one swallows everything; what do the other two notice?

Each hospital's ledger is a process of its own behind an endpoint of its own, and an equal third of a steady load is
for each. Before one of them stands a proxy. A round has three phases of the same length under the same load: before,
during (the proxy swallows both directions; connections stay open, nobody is told) and after (it lets through again,
and what waited goes out beside the new). Rounds are repeated, so that a noisy neighbour shows as a difference between
equal phases. Measured from stored to settled in the journal, from the rows' own times.

At the end every charge has to be in the ledgers exactly once. The last line of standard output is one JSON object.
"""

import argparse
import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from benchmarks import machine
from benchmarks.hub import LINES, Hub, running, wait_for
from benchmarks.telling import figures_of, say
from embedded.ports import any_free
from storm.proxy import DOWN, UP, Proxy

FACILITIES = ("NORTH", "RIVER", "LAKE")
PHASES = ("before", "during", "after")
CHARGES = 3  # of one message; each is one reference in the ledger, with two legs
# The demo's one ledger for all becomes one for each hospital, on the same terms and with the same token.
SPREAD = """
INSERT INTO hub_endpoint SELECT (made.e).* FROM (
    SELECT jsonb_populate_record(e, jsonb_build_object(
        'id', (SELECT max(id) + 1 FROM hub_endpoint), 'code', 'ledger-' || lower(%(facility)s::text),
        'facility', %(facility)s::text, 'settings', e.settings || jsonb_build_object('base_url', %(url)s::text))) e
    FROM hub_endpoint e WHERE e.direction = 'out' AND e.facility = ''
) made
"""
CLOSE_COMMON = "UPDATE hub_endpoint SET active = false WHERE direction = 'out' AND facility = ''"
LATENCY = """
SELECT count(*), percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (
    ORDER BY extract(epoch FROM j.settled_at - m.received_at)::float8 * 1000)
FROM hub_message m JOIN billing_charge c ON c.message_id = m.id AND c.part = 0
JOIN erp_journalline l ON l.charge_id = c.id AND l.leg = 0 JOIN erp_allocation a ON a.id = l.allocation_id
JOIN erp_journal j ON j.id = a.journal_id AND j.status = 'posted' JOIN hub_endpoint e ON e.id = j.endpoint_id
WHERE m.control_id LIKE %s AND (e.facility = %s) = %s
"""
UNSETTLED = """
SELECT count(*) FROM hub_delivery d JOIN hub_endpoint e ON e.id = d.endpoint_id
WHERE e.facility = %s AND d.status <> 'delivered'
"""


class Hole:
    """A proxy before one ERP, in a thread of its own, that can be told to swallow."""

    def __init__(self, proxy: Proxy, loop: asyncio.AbstractEventLoop) -> None:
        self.proxy, self._loop = proxy, loop

    def open(self) -> None:
        """From now on everything vanishes, in both directions."""
        self._do(lambda: setattr(self.proxy, "swallow", frozenset({UP, DOWN})))

    def heal(self) -> None:
        """Let through again; connections that lost bytes are reset."""
        self._do(self.proxy.heal)

    def _do(self, act: Callable[[], None]) -> None:
        async def there() -> None:
            act()

        asyncio.run_coroutine_threadsafe(there(), self._loop).result(10)


@contextmanager
def hole(port: int, upstream: int) -> Iterator[Hole]:
    """The proxy, listening."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="proxy")
    thread.start()
    proxy = Proxy(port, upstream)
    try:
        asyncio.run_coroutine_threadsafe(proxy.start(), loop).result(10)
        yield Hole(proxy, loop)
    finally:
        asyncio.run_coroutine_threadsafe(proxy.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def spread(hub: Hub, swallowed: str, proxy_port: int) -> None:
    """A ledger for each hospital; the one that will be swallowed is reached through the proxy."""
    hub.erps[1:] = [any_free() for _ in FACILITIES[1:]]
    for facility, port in zip(FACILITIES[1:], hub.erps[1:], strict=True):
        hub.start_erp(f"erp-{facility.lower()}", port)
        wait_for(port)
    with psycopg.connect(hub.database_url) as connection:
        for facility, port in zip(FACILITIES, hub.erps, strict=True):
            url = f"http://127.0.0.1:{proxy_port if facility == swallowed else port}"
            connection.execute(SPREAD, {"facility": facility, "url": url})
        connection.execute(CLOSE_COMMON)


def ask(hub: Hub, statement: str, *params: Any) -> Any:
    """The one row of an answer."""
    with psycopg.connect(hub.database_url) as connection:
        return connection.execute(statement, params).fetchone()


def rounds(hub: Hub, trap: Hole, options: argparse.Namespace) -> dict[str, Any]:
    """All rounds; how many messages were acknowledged, how many deliveries waited, and how long until none did."""
    figures: dict[str, Any] = {"acked": 0, "busy": {}, "waiting_when_healed": [], "caught_up_s": []}

    def load(run: str, seconds: float) -> None:
        terms = ("--connections", "8", "--rate", str(options.rate), "--seconds", str(seconds), "--run", run)
        (taken, all_), used = machine.ticks(), hub.cpu()
        figures["acked"] += int(hub.load(*terms)["acked"])
        (taken_then, all_then), used_then = machine.ticks(), hub.cpu()
        figures["busy"][run] = (taken_then - taken) / (all_then - all_)
        shares = {name: f"{(used_then[name] - used[name]) / seconds:.2f}" for name in used}
        say(f"  {run}: machine {figures['busy'][run]:.0%} busy; cores: {shares}")

    load("WARM", 5)
    hub.posted(figures["acked"] * LINES, 120)
    for number in range(options.rounds):
        say(f"round {number + 1} of {options.rounds}")
        load(f"BEFORE{number}", options.seconds)
        trap.open()
        load(f"DURING{number}", options.seconds)
        (waiting,) = ask(hub, UNSETTLED, options.facility)
        trap.heal()
        healed = time.monotonic()
        load(f"AFTER{number}", options.seconds)
        done = hub.posted(figures["acked"] * LINES, 300)
        figures["waiting_when_healed"].append(waiting)
        figures["caught_up_s"].append(done - healed)
        say(f"  {waiting} deliveries waited; all of them and the new ones are posted {done - healed:.1f} s later")
    time.sleep(2)  # the last calls are settled a moment after the ledger has them
    return figures


def latencies(hub: Hub, swallowed: str, count: int) -> dict[str, Any]:
    """p50 and p95 of the others, by phase over all rounds and by round; of the swallowed one, to be seen beside it."""
    figures: dict[str, Any] = {}
    for phase in PHASES:
        for name, own in (("others", False), ("swallowed", True)):
            messages, spread_ms = ask(hub, LATENCY, f"{phase.upper()}%", swallowed, own)
            p50, p95 = spread_ms or (None, None)
            figures |= {f"{name}_{phase}_p50_ms": p50, f"{name}_{phase}_p95_ms": p95}
            say(f"  {phase}, {name}: {messages} messages, p50 {p50 or 0:.0f} ms, p95 {p95 or 0:.0f} ms")
        figures[f"others_{phase}_p95_ms_by_round"] = [
            ask(hub, LATENCY, f"{phase.upper()}{number}%", swallowed, False)[1][1] for number in range(count)
        ]
    for phase in PHASES[1:]:
        figures[f"p95_{phase}_to_before"] = figures[f"others_{phase}_p95_ms"] / figures["others_before_p95_ms"]
    return figures


def counted(hub: Hub, acked: int, swallowed: str) -> dict[str, int]:
    """What the ledgers have against what was acknowledged; nothing may be missing, and nothing there twice."""
    totals = [hub.ledger(port, distinct=True) for port in hub.erps]
    charges, lines = (sum(each[name] for each in totals) for name in ("distinct_references", "lines"))
    return {
        "charges": charges,
        "charges_lost": acked * CHARGES - charges,
        "legs_doubled": lines - charges * LINES // CHARGES,
        "deliveries_left": ask(hub, UNSETTLED, swallowed)[0],
    }


def bench(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Everything; the figures."""
    say("setting up the hub and three ERPs ...")
    with running(folder, workers=options.workers) as hub:
        proxy_port = any_free()
        spread(hub, options.facility, proxy_port)
        with hole(proxy_port, hub.erps[FACILITIES.index(options.facility)]) as trap:
            hub.start_work("work", options.workers)
            hub.start_sender(options.threads)
            time.sleep(10)  # until they have started, and the first sweep has made the new lanes
            told = rounds(hub, trap, options)
            figures = {"rate": options.rate, "seconds": options.seconds, "rounds": options.rounds,
                       "sender_threads": options.threads, **told}  # fmt: skip
            figures |= latencies(hub, options.facility, options.rounds)
            figures |= counted(hub, told["acked"], options.facility)
            figures["chunks_swallowed"] = trap.proxy.hits["blackhole"]
            hub.stop_workers()
    return figures


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.black_hole", description=__doc__)
    parser.add_argument("--seconds", type=float, default=30, help="length of each phase")
    parser.add_argument("--rounds", type=int, default=3, choices=range(1, 10))
    parser.add_argument("--rate", type=int, default=120, help="messages a second, for all three together")
    parser.add_argument("--facility", choices=FACILITIES, default="RIVER", help="whose ERP swallows")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=6, help="of the sender; each endpoint may use its equal part")
    options = parser.parse_args(arguments)
    figures_of("bench-black-hole-", lambda folder: bench(folder, options))


if __name__ == "__main__":
    main()
