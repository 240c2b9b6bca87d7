"""What each kind of fault does to the house. Every gust counts as injected only where it was seen to strike."""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import redis

from storm.house import House
from storm.proxy import DOWN, UP, Proxy
from storm.weather import Gust

ZOMBIE = 1.5  # leases that a stopped process sleeps through
LOOK_S = 0.3  # how often the ERP is asked whether a fault has struck
Seen = Callable[[], bool]


@dataclass
class Sky:
    """The house, the proxies, and everything that has to be undone or looked at later."""

    house: House
    client: Proxy
    erp: Proxy
    call: Callable[[Callable[[], Any]], Any]  # runs a function in the proxies' own thread
    injected: Counter[str] = field(default_factory=Counter)
    struck: Counter[str] = field(default_factory=Counter)  # strikes that ERPs reported before they were killed
    later: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    claimed: Counter[str] = field(default_factory=Counter)  # strikes of ERPs that are some gust's already, by mode
    watching: list[tuple[str, Seen]] = field(default_factory=list)  # gusts that have not been seen to strike yet

    def strike(self, gust: Gust) -> None:
        """Inject it now."""
        seen = GUSTS[gust.kind](self, gust)
        self.watching.append((gust.kind, seen))
        self.look()

    def tick(self) -> None:
        """Undo what has lasted long enough, count what was seen to strike."""
        now = time.monotonic()
        due = [entry for entry in self.later if entry[0] <= now]
        self.later = [entry for entry in self.later if entry[0] > now]
        for _, undo in due:
            undo()
        self.look()

    def look(self) -> None:
        """Count what has struck by now."""
        waiting = []
        for kind, seen in self.watching:
            if seen():
                self.injected[kind] += 1
            else:
                waiting.append((kind, seen))
        self.watching = waiting

    def after(self, seconds: float, undo: Callable[[], None]) -> None:
        """Undo something later."""
        self.later.append((time.monotonic() + seconds, undo))

    def heal(self) -> None:
        """Undo everything now; what never struck stays uncounted."""
        self.tick()
        pending, self.later = self.later, []
        for _, undo in pending:
            undo()
        self.later = []
        for proxy in (self.client, self.erp):
            self.call(proxy.heal)
        self.house.wait_ready()
        self.remember()
        self.house.erp("DELETE")

    def remember(self) -> None:
        """Add up what this ERP has counted, before it dies with it."""
        try:
            self.struck.update(self.house.erp("GET")["injected"])
        except OSError:
            pass  # it is down just now, and was asked before

    def modes(self) -> Counter[str]:
        """How often the ERP, in all its lives, misbehaved in which mode."""
        return self.struck.copy()

    def strikes(self, mode: str) -> int:
        """How often the ERP, in all its lives, misbehaved in this mode. `OSError` while it cannot say."""
        return self.struck[mode] + int(self.house.erp("GET")["injected"].get(mode, 0))


def _kill(*names: str) -> Callable[[Sky, Gust], Seen]:
    """kill -9 of one of these programs and of everything it started."""

    def strike(sky: Sky, gust: Gust) -> Seen:
        def try_it() -> bool:
            running = [process for name in names if (process := sky.house.processes[name]).running()]
            if not running:
                return False
            victim = running[gust.choice % len(running)]
            victim.kill()
            return not victim.running()

        return _until(try_it)

    return strike


def _kill_child(sky: Sky, gust: Gust) -> Seen:
    """kill -9 of a worker's child: the one that works."""
    return _signal_child(sky, gust, signal.SIGKILL)


def _signal_child(sky: Sky, gust: Gust, number: signal.Signals) -> Seen:
    def try_it() -> bool:
        children = [pid for name in ("worker1", "worker2") for pid in sky.house.children(name)]
        if not children:
            return False
        pid = children[gust.choice % len(children)]
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return False
        if number == signal.SIGSTOP:
            sky.after(sky.house.lease_s * ZOMBIE, lambda: _wake(pid))
        return True

    return _until(try_it)


def _wake(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGCONT)
    except ProcessLookupError:
        pass  # another gust killed it while it slept


def _zombie_sender(sky: Sky, gust: Gust) -> Seen:
    def try_it() -> bool:
        process = sky.house.processes["sender"]
        if not process.running():
            return False
        process.signal_group(signal.SIGSTOP)
        sky.after(sky.house.lease_s * ZOMBIE, lambda: process.signal_group(signal.SIGCONT))
        return True

    return _until(try_it)


def _crash_postgres(sky: Sky, gust: Gust) -> Seen:
    """What `pg_ctl -m immediate` does: no checkpoint, recovery from the log."""

    def try_it() -> bool:
        process = sky.house.processes["postgres"]
        if not process.running() or process.popen is None:
            return False
        process.popen.send_signal(signal.SIGQUIT)
        process.wait(10)
        return not process.running()

    return _until(try_it)


def _flush(sky: Sky, gust: Gust) -> Seen:
    def try_it() -> bool:
        try:
            with redis.Redis.from_url(sky.house.servers.redis_url, socket_timeout=2) as client:
                return bool(client.flushall())
        except redis.RedisError:
            return False

    return _until(try_it)


def _erp_mode(mode: str, **options: Any) -> Callable[[Sky, Gust], Seen]:
    """The ERP misbehaves so many times. It forgets that when it is killed: then it is told again, until it did.

    One strike is one gust's: two gusts of a mode at once need two.
    """

    def strike(sky: Sky, gust: Gust) -> Seen:
        before: int | None = None
        told = 0.0
        document = {"mode": mode, "seed": gust.choice, **options}

        def look() -> bool:
            nonlocal before
            strikes = sky.strikes(mode)
            before = strikes if before is None else before
            if strikes > max(before, sky.claimed[mode]):
                sky.claimed[mode] = max(before, sky.claimed[mode]) + 1
                return True
            active = sky.house.erp("GET")["active"]
            if mode not in {fault["mode"] for fault in active}:
                sky.house.erp("POST", {"faults": [*active, document]})
            return False

        def seen() -> bool:
            nonlocal told
            if time.monotonic() < told + LOOK_S:
                return False
            told = time.monotonic()
            try:
                return look()
            except OSError:  # it is down just now
                return False

        return seen

    return strike


def _kill_erp(sky: Sky, gust: Gust) -> Seen:
    sky.remember()
    return _kill("erp")(sky, gust)


def _cut(which: str) -> Callable[[Sky, Gust], Seen]:
    return lambda sky, gust: _until(lambda: sky.call(_proxy(sky, which).cut) > 0)


def _blackhole(which: str) -> Callable[[Sky, Gust], Seen]:
    def strike(sky: Sky, gust: Gust) -> Seen:
        proxy = _proxy(sky, which)
        ways = (frozenset({UP}), frozenset({DOWN}), frozenset({UP, DOWN}))[gust.choice % 3]
        return _lasting(sky, gust, proxy, "blackhole", ("swallow", ways, frozenset()))

    return strike


def _duplicate(which: str) -> Callable[[Sky, Gust], Seen]:
    def strike(sky: Sky, gust: Gust) -> Seen:
        proxy = _proxy(sky, which)
        return _lasting(sky, gust, proxy, "duplicate", ("doubling", True, False))

    return strike


def _latency(which: str) -> Callable[[Sky, Gust], Seen]:
    def strike(sky: Sky, gust: Gust) -> Seen:
        proxy = _proxy(sky, which)
        return _lasting(sky, gust, proxy, "latency", ("latency_s", 0.05 + gust.choice % 400 / 1000, 0.0))

    return strike


def _lasting(sky: Sky, gust: Gust, proxy: Proxy, hit: str, fault: tuple[str, Any, Any]) -> Seen:
    """A fault (attribute, bad, good) that lasts as long as the gust, and until it hit something of its own.

    Another gust of its kind may end in the meantime and make all good: then it is begun again.
    """
    name, bad, good = fault
    before, over = proxy.hits[hit], time.monotonic() + gust.lasts
    setattr(proxy, name, bad)

    def check() -> None:
        if time.monotonic() >= over and proxy.hits[hit] > before:
            setattr(proxy, name, good)
        else:
            setattr(proxy, name, bad)
            sky.after(0.1, check)

    sky.after(min(0.1, gust.lasts), check)
    return lambda: proxy.hits[hit] > before


def _proxy(sky: Sky, which: str) -> Proxy:
    return sky.client if which == "client" else sky.erp


def _until(try_it: Seen) -> Seen:
    """Try at once, and again until it could be done; done once."""
    state = {"done": try_it()}

    def seen() -> bool:
        state["done"] = state["done"] or try_it()
        return state["done"]

    return seen


GUSTS: dict[str, Callable[[Sky, Gust], Seen]] = {
    "kill_listener": _kill("listener"),
    "kill_web": _kill("web"),
    "kill_worker": _kill("worker1", "worker2"),
    "kill_worker_child": _kill_child,
    "kill_sender": _kill("sender"),
    "kill_beat": _kill("beat1", "beat2"),
    "zombie_worker": lambda sky, gust: _signal_child(sky, gust, signal.SIGSTOP),
    "zombie_sender": _zombie_sender,
    "postgres_crash": _crash_postgres,
    "postgres_kill": _kill("postgres"),
    "valkey_flush": _flush,
    "valkey_kill": _kill("valkey"),
    "erp_kill": _kill_erp,
    "erp_down": _erp_mode("down", times=6),
    "erp_slow": _erp_mode("slow", delay_s=1.0, times=6),
    "erp_rate_limit": _erp_mode("rate_limit", per_second=1.0, times=6),
    "erp_hang": _erp_mode("commit_then_hang", times=1),
    "erp_commit_then_die": _erp_mode("commit_then_die", times=2),
    "erp_reject": _erp_mode("reject", times=3),
    "client_cut": _cut("client"),
    "client_blackhole": _blackhole("client"),
    "client_duplicate": _duplicate("client"),
    "client_latency": _latency("client"),
    "erp_cut": _cut("erp"),
    "erp_blackhole": _blackhole("erp"),
    "erp_duplicate": _duplicate("erp"),
    "erp_latency": _latency("erp"),
}
