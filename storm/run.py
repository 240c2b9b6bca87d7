"""One storm: senders and proxies in a thread of their own, the house and its faults in the thread that owns them."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from storm import checks, drain, traffic
from storm.evidence import Evidence, gathered
from storm.gusts import Sky
from storm.house import WEB_DOOR, WEB_FACILITY, House, standing
from storm.proxy import Proxy
from storm.senders import Feed, Web
from storm.weather import Gust, forecast

CONNECTIONS = 8
TAIL_S = 3.0  # senders go on so long after the last gust: every fault has traffic to strike
SETTLE_S = 20.0  # for faults that have not struck yet when the time is up
TICK_S = 0.05
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a storm is made of; `rate` is messages a second."""

    seed: int
    seconds: float
    rate: float = 60.0
    lease_s: int = 4

    @property
    def messages(self) -> int:
        """How many it sends, however long that takes."""
        return int((self.seconds + TAIL_S) * self.rate)


@dataclass
class Outcome:
    """What the last line of output says, and why."""

    plan: Plan
    planned: Counter[str]
    sent: int = 0
    acked: int = 0
    resent: int = 0
    injected: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    hits: dict[str, int] = field(default_factory=dict)
    restarts: Counter[str] = field(default_factory=Counter)
    drain_s: float = 0.0
    left: dict[str, int] = field(default_factory=dict)
    findings: dict[str, list[str]] = field(default_factory=dict)

    @property
    def troubles(self) -> list[str]:
        """Why it failed; nothing where it did not."""
        told = [f"{name}: {text}" for name, found in self.findings.items() for text in found[:10]]
        told += [f"{name}: and {len(found) - 10} more" for name, found in self.findings.items() if len(found) > 10]
        if self.left:
            told.append(f"not drained after {self.drain_s:.0f} s: {self.left}")
        if self.sent != self.plan.messages:
            told.append(f"sent {self.sent} of the {self.plan.messages} messages that were planned")
        if self.injected != self.planned:
            told.append(f"faults planned and not seen to strike: {dict(self.planned - self.injected)}")
        if not self.findings:
            told.append("no invariant was checked")
        return told

    def document(self) -> dict[str, Any]:
        """The last line."""
        failed = [name for name, found in self.findings.items() if found]
        return {
            "seed": self.plan.seed,
            "seconds": self.plan.seconds,
            "sent": self.sent,
            "acked": self.acked,
            "resent": self.resent,
            "answers": dict(self.answers),
            "faults": dict(sorted(self.injected.items())),
            "faults_injected": self.injected.total(),
            "restarts": dict(self.restarts),
            "struck": self.hits,
            "lost": sum(len(self.findings.get(name, ())) for name in checks.LOST),
            "doubled": sum(len(self.findings.get(name, ())) for name in checks.DOUBLED),
            "invariants_checked": len(self.findings),
            "invariants_failed": failed,
            "drain_s": round(self.drain_s, 2),
            "ok": not self.troubles,
        }


class Loop:
    """An event loop in a thread of its own; `call` runs a function there and waits for it."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="traffic", daemon=True)
        self.thread.start()

    def call(self, function: Callable[[], Any]) -> Any:
        """Run a plain function or a coroutine function there; its result."""

        async def there() -> Any:
            result = function()
            return await result if asyncio.iscoroutine(result) else result

        return asyncio.run_coroutine_threadsafe(there(), self.loop).result(60)

    def close(self) -> None:
        """End the thread."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


@contextmanager
def blown(plan: Plan, folder: Path, say: Say) -> Iterator[tuple[Outcome, Evidence]]:
    """A storm that is over and drained, with its servers still up and the evidence open; checks have run."""
    gusts = forecast(plan.seed, plan.seconds)
    for gust in gusts:
        say(str(gust))
    outcome = Outcome(plan, Counter(gust.kind for gust in gusts))
    ledger = folder / "sent.jsonl"
    say("starting the house ...")
    with standing(folder, lease_s=plan.lease_s) as house:
        _blow(plan, gusts, house, ledger, outcome, say)
        with gathered(
            house.database_url, house.erp_ledger, ledger, house.environment["THROUGHLINE_VAULT_KEYS"]
        ) as evidence:
            if not outcome.left:  # what is still under way breaks them all
                outcome.findings = checks.run(evidence)
                evidence.db.rollback()
            yield outcome, evidence


def _blow(plan: Plan, gusts: Sequence[Gust], house: House, ledger: Path, outcome: Outcome, say: Say) -> None:
    client = Proxy(house.ports["mllp_proxy"], house.ports["mllp"])
    erp = Proxy(house.ports["erp_proxy"], house.ports["erp"])
    made = traffic.messages(plan.seed, plan.messages)
    loop = Loop()
    try:
        web = Web(WEB_FACILITY, house.ports["web"], f"/in/{WEB_DOOR}", house.web_key)
        feed = Feed(made, client.port, ledger, connections=CONNECTIONS, rate=plan.rate, web=web)
        for start in (client.start, erp.start, feed.start):
            loop.call(start)
        sky = Sky(house, client, erp, loop.call)
        _through(gusts, sky, plan, say)
        say("all faults are over; waiting until nothing is under way ...")
        sky.heal()
        outcome.drain_s, outcome.left = drain.wait(house.database_url, lambda: len(made) - feed.ended, tend=house.tend)
        outcome.injected, outcome.restarts = sky.injected, house.restarts
        outcome.hits = {
            f"{name}_{hit}": count
            for name, proxy in (("client", client), ("erp", erp))
            for hit, count in proxy.hits.items()
        }
        outcome.hits |= {f"erp_{mode}": count for mode, count in sky.modes().items()}
        outcome.sent, outcome.resent, outcome.answers = feed.sent, feed.resent, feed.answers
        outcome.acked = sum(feed.answers[code] for code in ("AA", "CA"))
        for stop in (feed.stop, client.stop, erp.stop):
            loop.call(stop)
    finally:
        loop.close()


def _through(gusts: Sequence[Gust], sky: Sky, plan: Plan, say: Say) -> None:
    """Let every gust strike in its time, then give the last ones the time that they need."""
    begun = time.monotonic()
    waiting = list(gusts)
    while True:
        sky.house.tend()
        sky.tick()
        now = time.monotonic() - begun
        while waiting and waiting[0].at <= now:
            gust = waiting.pop(0)
            say(f"{now:6.2f} s  {gust.kind}")
            sky.strike(gust)
        busy = waiting or sky.later or sky.watching or now < plan.seconds
        if not busy or now > plan.seconds + SETTLE_S:
            return
        time.sleep(TICK_S)
