"""A message's way in a handful of hops: when each was done, how long it took, what is stuck there, and its case.

hub knows the way in, the reading, and the calls. Apps register hops of their own, as they register lineage sources.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import pairwise

from django.urls import reverse

from hub.models import Delivery, ExceptionCase, Message
from hub.trail import Trail
from hub.viewer import Viewer

# What a hop's state means to whoever reads it; the values are stable, the API shows them.
STATES = {
    "done": "Done",
    "moving": "Moves by itself",
    "stuck": "A person has to act",
    "ahead": "Still to come",
}
# Where a hop stands on the way; apps add theirs between.
RECEIVED, READ, APPLIED, WORKED_OUT, SENT, TOLD = range(6)


@dataclass(slots=True)
class Hop:
    """One stage of the way."""

    name: str  # stable, for machines
    title: str
    state: str  # of STATES
    at: datetime | None = None  # when it was done
    text: str = ""
    status: str = ""  # of the rows behind it, see `shapes.TONES`
    status_label: str = ""
    reference: str = ""  # the partner's own id, where it gave one
    amount: Decimal | None = None
    currency: str = "USD"
    url: str = ""
    cases: list[ExceptionCase] = field(default_factory=list)  # open ones that keep it here
    onward: bool = False  # more hops are to come
    took_s: float | None = None  # since the hop before; None where one of them has no time

    @property
    def state_label(self) -> str:
        """The state in words."""
        return STATES[self.state]

    @property
    def took(self) -> str:
        """How long it took, as people say it."""
        return "" if self.took_s is None else span(self.took_s)


Build = Callable[[Trail, Viewer], Hop | None]


@dataclass(frozen=True, slots=True)
class Stage:
    """A place on the way: what is shown there while nothing of it has happened yet, and who tells what has."""

    rank: int
    name: str
    title: str
    build: Build


stages: list[Stage] = []


def register(*added: Stage) -> None:
    """Add an app's stages to every way."""
    stages.extend(added)
    stages.sort(key=lambda stage: stage.rank)


def of(trail: Trail, who: Viewer) -> list[Hop]:
    """The hops of one message, first to last; a stage that is to come is shown, one that does not concern it is not."""
    found: list[Hop] = []
    for stage in stages:
        hop = stage.build(trail, who)
        if hop is None and found and found[-1].onward:
            hop = Hop(stage.name, stage.title, "ahead", onward=True)
        if hop is not None:
            found.append(hop)
    for before, hop in pairwise(found):
        if before.at is not None and hop.at is not None:
            # Never negative: one moment may be our clock's and the other the database's.
            hop.took_s = max(0.0, (hop.at - before.at).total_seconds())
    return found


def total_s(hops: Sequence[Hop]) -> float | None:
    """From the first byte to the last hop that is done, in seconds."""
    times = [hop.at for hop in hops if hop.at is not None]
    return max(0.0, (times[-1] - times[0]).total_seconds()) if len(times) > 1 else None


def span(seconds: float) -> str:
    """A time that something took: parts of a second matter, parts of a day do not."""
    if seconds < 10:
        return f"{seconds:.2f} s"
    for size, name in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {name}"
    return f"{seconds:.0f} s"


def of_deliveries(rows: Iterable[Delivery]) -> tuple[str, datetime | None]:
    """The state of a stage whose work is these deliveries, and when the last of them was done."""
    statuses, times = set(), []
    for row in rows:
        statuses.add(row.status)
        if row.settled_at:
            times.append(row.settled_at)
    if statuses & {"stopped", "blocked"}:
        return "stuck", None
    if statuses & {"pending", "sending"}:
        return "moving", None
    return "done", max(times, default=None)


def seen_cases(found: Iterable[ExceptionCase], who: Viewer) -> list[ExceptionCase]:
    """Those of the cases that this person may open."""
    if not who.may("hub.view_exceptioncase"):
        return []
    return [case for case in found if who.facilities is None or case.facility in who.facilities]


# The statuses of a message in which a person has to act, and those of one that was not read.
STUCK = frozenset({"stopped", "blocked"})
UNREAD = frozenset({"received", "stopped", "blocked", "refused"})


def _received(trail: Trail, who: Viewer) -> Hop:
    message = trail.message
    refused = message.status == "refused"
    said = f"by {message.endpoint.name}, {message.endpoint.get_transport_display()}"
    return Hop(
        "received", "Refused" if refused else "Received, acknowledged", "stuck" if refused else "done",
        message.received_at, message.problem if refused else said,
        cases=seen_cases(trail.cases_about({f"message:{message.pk}"}), who) if refused else [],
    )  # fmt: skip


def _read(trail: Trail, who: Viewer) -> Hop | None:
    message = trail.message
    if message.status == "refused":
        return None
    label = Message.STATUSES[message.status]
    if message.status in UNREAD:
        stuck = message.status in STUCK
        text = {"blocked": "An older message of its key is stopped."}.get(message.status, message.problem)
        return Hop(
            "read", "Read", "stuck" if stuck else "moving", text=text, status=message.status, status_label=label,
            cases=seen_cases(trail.cases_about({f"message:{message.pk}", f"message:{trail.behind}"}), who),
        )  # fmt: skip
    at = message.settled_at or trail.waiting_since
    lines = f"{message.parts} {'line' if message.parts == 1 else 'lines'} found"
    return Hop(
        "read", "Read", "done", max(at, message.received_at) if at else None, f"{message.kind}, {lines}",
        status="" if message.status in {"applied", "held"} else message.status, status_label=label,
    )  # fmt: skip


def case_url(case: ExceptionCase) -> str:
    """The page with the button to press."""
    return reverse("admin:hub_exceptioncase_change", args=[case.pk])


register(Stage(RECEIVED, "received", "Received", _received), Stage(READ, "read", "Read", _read))
