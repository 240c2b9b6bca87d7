"""What one message left behind, gathered once for a page or an answer: facts, deliveries, calls, and what came back.

A message's own facts carry its correlation id. A call gathers facts of many messages, so what its end makes known (a
posted journal) has many causes, and carries the call's id as its correlation id: the deliveries of the call are the
links, in both directions. Everything is found through an index or a primary key, however many messages there are.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db.models import Min, Q, QuerySet

from hub import settlement
from hub.models import Delivery, Dispatch, ExceptionCase, Fact, Message, Stop, Waiting
from hub.routing import Outbound, registry

# More than this nobody reads; the lists show the rest.
LONGEST = 200
# Facts cause facts; a chain longer than this is none that the routes can make today.
DEEPEST = 4
OPEN = frozenset({"open", "assigned"})


@dataclass(slots=True)
class Trail:
    """The rows, and their ids for sources that add what their app knows."""

    message: Message
    facts: list[Fact] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    calls: list[Dispatch] = field(default_factory=list)
    answers: list[Fact] = field(default_factory=list)  # what the ends of the calls made known
    heard: list[Delivery] = field(default_factory=list)  # the answers' own deliveries
    cases: list[ExceptionCase] = field(default_factory=list)
    waiting_since: datetime | None = None  # the first of its lines that waits for a case
    behind: UUID | None = None  # the stopped message of its key that it waits behind

    @property
    def message_ids(self) -> list[UUID]:
        """The message's own."""
        return [self.message.pk]

    @property
    def fact_ids(self) -> list[UUID]:
        """Of the facts that the message caused."""
        return [fact.pk for fact in self.facts]

    @property
    def dispatch_ids(self) -> list[UUID]:
        """Of the calls that carry them."""
        return [call.pk for call in self.calls]

    def cases_about(self, subjects: Collection[str]) -> list[ExceptionCase]:
        """The open cases about these subjects, e.g. "delivery:<id>"."""
        return [case for case in self.cases if case.status in OPEN and case.subject in subjects]


def of_message(message: Message) -> Trail:
    """Follow one message to its end: ten statements for a usual one, each through an index."""
    trail = Trail(message, facts=_facts(message))
    trail.deliveries = _deliveries(trail.fact_ids)
    called = {row.dispatch_id for row in trail.deliveries if row.dispatch_id}
    trail.calls = list(Dispatch.objects.filter(pk__in=called).select_related("endpoint").order_by("id"))
    trail.answers = list(_light().filter(correlation_id__in=called).order_by("id")[:LONGEST]) if called else []
    trail.heard = _deliveries([fact.pk for fact in trail.answers])
    trail.behind = _stopped_before(message)
    trail.cases, trail.waiting_since = _cases(trail)
    return trail


def behind_call(dispatch_id: UUID) -> tuple[list[UUID], bool]:
    """The other way round: the messages whose facts this call carries, oldest first, and whether those are all.

    A fact that another one caused is followed to the one that a message caused.
    """
    facts = Delivery.objects.filter(dispatch_id=dispatch_id).values_list("fact_id", flat=True)
    wanted: set[UUID] = set(facts[: 50 * LONGEST])
    found: set[UUID] = set()
    for _ in range(DEEPEST):
        if not wanted:
            break
        rows = Fact.objects.filter(pk__in=wanted).values_list("message_id", "cause_id")
        known = list(rows)
        found |= {message_id for message_id, _ in known if message_id}
        wanted = {cause_id for message_id, cause_id in known if not message_id and cause_id}
    return sorted(found)[:LONGEST], len(found) <= LONGEST


def _light() -> QuerySet[Fact]:
    """Facts without what they say: two hundred journals' worth of legs are megabytes."""
    return Fact.objects.defer("payload")


def _facts(message: Message) -> list[Fact]:
    """The message's own facts, then what those caused. Members of one batch share a correlation id, not a cause."""
    alike = _light().filter(correlation_id=message.correlation_id)
    found = list(alike.filter(Q(message_id=message.pk)).order_by("id")[:LONGEST])
    fresh: Sequence[Fact] = found
    for _ in range(DEEPEST):
        if not fresh or len(found) >= LONGEST:
            break
        causes = [fact.pk for fact in fresh]
        fresh = list(alike.filter(message_id=None, cause_id__in=causes).order_by("id")[:LONGEST])
        found += fresh
    return found[:LONGEST]


def _deliveries(fact_ids: Sequence[UUID]) -> list[Delivery]:
    if not fact_ids:
        return []
    sent = Delivery.objects.filter(fact_id__in=fact_ids).select_related("endpoint")
    return list(sent.order_by("id")[:LONGEST])


def _cases(trail: Trail) -> tuple[list[ExceptionCase], datetime | None]:
    """Cases of the message and of its waiting lines; those of its deliveries and calls only where one is open.

    Three small statements: as one with OR, the database would read every case there is.
    """
    message_id = trail.message.pk
    waits = dict(Waiting.objects.filter(message_id=message_id).values_list("case").annotate(Min("since")))
    about = [message_id, *([trail.behind] if trail.behind else [])]
    found = list(ExceptionCase.objects.filter(Q(message_id__in=about) | Q(pk__in=waits)).order_by("opened_at"))
    known = {case.pk for case in found}
    subjects = list(_stuck_subjects(trail))
    if subjects:
        asked = ExceptionCase.objects.filter(status__in=OPEN, code__in=_codes(trail), subject__in=subjects)
        found += [case for case in asked.order_by("opened_at") if case.pk not in known]
    return found[:LONGEST], min(waits.values(), default=None)


def _stopped_before(message: Message) -> UUID | None:
    if message.status != "blocked":
        return None
    stops = Stop.objects.filter(queue=f"in:{message.endpoint.code}", key=message.key)
    return stops.values_list("subject_id", flat=True).first()


def _stuck_subjects(trail: Trail) -> Iterable[str]:
    yield from (f"delivery:{row.pk}" for row in [*trail.deliveries, *trail.heard] if row.status == "stopped")
    for call in trail.calls:
        if call.settled_at is None or call.status == "given_up":
            yield f"dispatch:{call.pk}"
            yield settlement.away(call.endpoint)


def _codes(trail: Trail) -> set[str]:
    """Every code that a delivery's or a call's case may have: the index on open cases begins with the code."""
    routes = {route.case for route in registry.of(Outbound)}
    stopped = {row.problem_code for row in [*trail.deliveries, *trail.heard] if row.problem_code}
    return routes | stopped | {"ERP_AMBIGUOUS", "ERP_UNREACHABLE", "DELIVERY_EXPIRED"}
