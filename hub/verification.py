"""Verification: the invariants as code. Every app's `invariants.py` registers its checks; here they are run.

A check looks at rows by SQL and changes none: it looks in a read-only transaction of its own that is rolled back, on
one processor, within a time budget. It says how many it looked at: one that looked at nothing is not green.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from django.conf import settings
from django.db import OperationalError, transaction
from django.utils import timezone

from hub import bulk, ids
from hub.errors import HubError

# How far back rows are looked at unless somebody asks for all: nights overlap, so that a missed one is made up for.
DAYS = 3
# What moves is touched by a worker within this time; whatever nobody has worked on for so long does not move.
STALE = timedelta(hours=1)
BUDGET_S = 100.0  # for one invariant, below Celery's limit for a task
SHOWN = 100  # violations of one check that are listed; beyond that their number says enough
OLDEST = datetime(1970, 1, 1, tzinfo=UTC)


class Violation(NamedTuple):
    """One row that breaks a rule: what it is, what is wrong with it, and the money at stake where there is some."""

    subject: str  # "message:<id>"
    what: str
    amount: Decimal | None = None


class Found(NamedTuple):
    """What a check saw. `checked` counts rows that could have broken the rule."""

    checked: int
    violations: Sequence[Violation]


@dataclass(frozen=True, slots=True)
class Span:
    """The rows that a run looks at: made since then, and still kept. What is unsettled is looked at however old."""

    since: datetime
    kept: datetime  # before it, partitions are gone: nothing that points there can be followed

    def params(self) -> dict[str, Any]:
        """What every statement may name."""
        now, since = timezone.now(), max(self.since, self.kept)
        window = now - timedelta(days=settings.CONTROL_ID_WINDOW_DAYS - 1)
        return {
            "since": since, "since_id": ids.floor(since), "kept_id": ids.floor(self.kept), "stale": now - STALE,
            "stale_id": ids.floor(now - STALE), "window_id": ids.floor(max(since, window)), "shown": SHOWN + 1,
        }  # fmt: skip


Look = Callable[[Span], Found]


@dataclass(frozen=True, slots=True)
class Check:
    """One part of an invariant: `look` finds what breaks it. `outside` asks a partner, and only when told to."""

    invariant: str  # "INV-4"
    name: str  # "charges"
    says: str
    look: Look
    owner: str = "integration"  # role that is told; "finance" where it is about money
    outside: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one check. `problem` says why it could not be finished."""

    check: Check
    checked: int = 0
    violations: tuple[Violation, ...] = ()
    problem: str = ""
    seconds: float = 0.0

    @property
    def state(self) -> str:
        """ "violated", "unfinished", "nothing" (to check) or "ok"."""
        if self.violations:
            return "violated"
        if self.problem:
            return "unfinished"
        return "ok" if self.checked else "nothing"

    @property
    def failed(self) -> bool:
        """Whether somebody must look: a rule is broken, or nobody knows."""
        return self.state in {"violated", "unfinished"}


checks: list[Check] = []


def register(new: Iterable[Check]) -> None:
    """Add an app's checks; two of one name are a programming error."""
    for check in new:
        if any((known.invariant, known.name) == (check.invariant, check.name) for known in checks):
            raise HubError("IF_INVARIANT", f"two checks are called {check.invariant} {check.name}")
        checks.append(check)


def number(invariant: str) -> int:
    """The order of the invariants: INV-2 before INV-10."""
    return int(invariant.rpartition("-")[2])


def known() -> list[str]:
    """The invariants that anybody registered a check for, in their order."""
    return sorted({check.invariant for check in checks}, key=number)


def sql(counts: str, finds: str, params: Callable[[], Mapping[str, Any]] = dict) -> Look:
    """A look by two statements: `counts` the rows at risk, `finds` (subject, what, amount) of those that are wrong."""

    def look(span: Span) -> Found:
        given = {**span.params(), **params()}
        ((checked,),) = bulk.ask(counts, given)
        wrong = bulk.ask(f"SELECT * FROM ({finds}) found LIMIT %(shown)s", given)  # noqa: S608  (our own statements)
        return Found(checked, [Violation(*row) for row in wrong])

    return look


def span(since: datetime | None = None, *, everything: bool = False) -> Span:
    """Rows since then (the last days where nothing is said), or all that are kept."""
    start = OLDEST if everything else since or timezone.now() - timedelta(days=DAYS)
    return Span(start, _kept())


OLDEST_PARTITIONS = """
SELECT max(first) FROM (
    SELECT min(right(c.relname, 7)) AS first FROM pg_inherits i
    JOIN pg_class p ON p.oid = i.inhparent JOIN pg_class c ON c.oid = i.inhrelid
    WHERE p.relname IN ('hub_message', 'hub_fact', 'hub_delivery') GROUP BY p.relname
) kept
"""


def _kept() -> datetime:
    """The first moment from which on messages, facts and deliveries are all there; the months before are dropped."""
    ((first,),) = bulk.fetch(OLDEST_PARTITIONS)
    return datetime.strptime(first, "%Y_%m").replace(tzinfo=UTC) if first else OLDEST


def run(over: Span, *, only: Sequence[str] = (), outside: bool = False, budget_s: float = BUDGET_S) -> list[Verdict]:
    """Run the checks of these invariants (all where none is named), each invariant within `budget_s` seconds.

    Raises `HubError` (IF_INVARIANT) for one that nobody registered. Changes nothing, whatever is found.
    """
    if missing := [name for name in only if name not in known()]:
        raise HubError("IF_INVARIANT", f"There is no invariant {', '.join(missing)}; there are {', '.join(known())}.")
    wanted = [check for check in checks if (not only or check.invariant in only) and (outside or not check.outside)]
    left = dict.fromkeys(known(), budget_s)
    verdicts = []
    for check in sorted(wanted, key=lambda one: number(one.invariant)):
        verdict = _judge(check, over, left[check.invariant])
        left[check.invariant] -= verdict.seconds
        verdicts.append(verdict)
    return verdicts


def _judge(check: Check, over: Span, seconds: float) -> Verdict:
    start = time.monotonic()
    try:
        # Whoever asks a partner opens a transaction for each look of its own: none is open while the partner thinks.
        with nullcontext() if check.outside else looking(seconds):
            found = check.look(over)
    except OperationalError as error:
        text = f"it did not end in time, or the database went away ({type(error.__cause__ or error).__name__})"
        return Verdict(check, problem=text, seconds=time.monotonic() - start)
    except HubError as error:
        return Verdict(check, problem=error.text, seconds=time.monotonic() - start)
    return Verdict(check, found.checked, tuple(found.violations), "", time.monotonic() - start)


@contextmanager
def looking(seconds: float = BUDGET_S) -> Iterator[None]:
    """A transaction that can change nothing, takes one processor at most, and whose statements end in time."""
    with transaction.atomic():
        bulk.run("SET LOCAL transaction_read_only = on")
        bulk.run("SET LOCAL max_parallel_workers_per_gather = 0")
        bulk.run("SELECT set_config('statement_timeout', %s, true)", [str(max(1, int(seconds * 1000)))])
        yield
        transaction.set_rollback(True)  # and with it the settings, whoever's transaction is around this one
