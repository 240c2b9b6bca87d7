"""The life of one document as a timeline, by its correlation id: message, charges, facts, deliveries, calls, journals.

hub knows messages, facts, deliveries and cases. Apps register sources of further steps, as they register routes.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import Q
from django.urls import reverse

from hub import ids, shapes
from hub.models import Delivery, Dispatch, ExceptionCase, Fact, Message
from hub.viewer import Viewer

# More than this nobody reads; the lists show the rest.
LONGEST = 200


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened to the document."""

    at: datetime
    title: str
    text: str = ""
    status: str = ""
    status_label: str = ""
    url: str = ""
    amount: Decimal | None = None
    currency: str = "USD"
    rank: int = 0  # the order of causes, for what happened in the same second


# message, charge, case, fact, delivery, call, journal
MESSAGE, CHARGE, CASE, FACT, DELIVERY, CALL, JOURNAL = range(7)


@dataclass(slots=True)
class Trail:
    """What is known so far: sources read the ids and add their steps."""

    message_ids: list[UUID] = field(default_factory=list)
    fact_ids: list[UUID] = field(default_factory=list)
    dispatch_ids: list[UUID] = field(default_factory=list)


Source = Callable[[Trail, Viewer], Iterable[Step]]
sources: list[Source] = []


def register(source: Source) -> None:
    """Add an app's steps to every timeline."""
    sources.append(source)


def of_message(message: Message, who: Viewer) -> list[Step]:
    """Everything that became of one message, in the order of time."""
    facts = _facts(message.correlation_id, message.pk)
    trail = Trail(message_ids=[message.pk], fact_ids=[fact.pk for fact in facts])
    steps = [*_message(message), *_cases(message), *_facts_told(facts)]
    steps += _deliveries(trail, who)
    for source in sources:
        steps += source(trail, who)
    return sorted(steps, key=lambda step: (step.at.replace(microsecond=0), step.rank, step.at))[:LONGEST]


def message_of(message_id: UUID | None) -> Message | None:
    """The message with this id, without its bytes."""
    if message_id is None:
        return None
    return Message.objects.defer("raw").select_related("endpoint__partner").filter(pk=message_id).first()


def _facts(correlation_id: UUID, message_id: UUID) -> list[Fact]:
    """By the correlation id's index; members of one batch share it, so the message decides where a fact names one."""
    told = Fact.objects.filter(correlation_id=correlation_id).filter(Q(message_id=message_id) | Q(message_id=None))
    return list(told.order_by("id")[:LONGEST])


def _message(message: Message) -> list[Step]:
    arrived = f"{message.kind} from {message.sender or 'an unnamed sender'}, control id {message.control_id}"
    steps = [Step(message.received_at, "Received and acknowledged", arrived)]
    if message.settled_at:
        label = Message.STATUSES[message.status]
        settled = _not_before(message.received_at, message.settled_at)
        steps.append(Step(settled, "Message settled", message.problem, message.status, label, rank=CASE))
    return steps


def _cases(message: Message) -> list[Step]:
    found = ExceptionCase.objects.filter(Q(message_id=message.pk) | Q(waiting__message_id=message.pk)).distinct()
    return [
        Step(
            case.opened_at, f"Case: {case.title}", case.code, case.status, ExceptionCase.STATUSES[case.status],
            reverse("admin:hub_exceptioncase_change", args=[case.pk]), rank=CASE,
        )
        for case in found.order_by("opened_at")[:LONGEST]
    ]  # fmt: skip


def _facts_told(facts: list[Fact]) -> list[Step]:
    return [Step(fact.published_at, f"Told: {fact.name}", f"key {fact.key}", rank=FACT) for fact in facts]


def _deliveries(trail: Trail, who: Viewer) -> list[Step]:
    """Deliveries through the index on fact_id; their dispatches by primary key."""
    sent = list(Delivery.objects.filter(fact_id__in=trail.fact_ids).select_related("endpoint").order_by("id")[:LONGEST])
    trail.dispatch_ids = sorted({row.dispatch_id for row in sent if row.dispatch_id})
    seen = who.may("hub.view_delivery")
    steps = [
        Step(
            _not_before(ids.moment(row.pk), row.settled_at),
            f"{'Delivered' if row.status == 'delivered' else 'Delivery'} to {_listener(row)}",
            row.problem or row.route, row.status, Delivery.STATUSES[row.status],
            reverse("admin:hub_delivery_change", args=[row.pk]) if seen else "", rank=DELIVERY,
        )
        for row in sent
    ]  # fmt: skip
    calls = Dispatch.objects.filter(pk__in=trail.dispatch_ids).select_related("endpoint")
    seen = who.may("hub.view_dispatch")
    return steps + [
        Step(
            call.created_at, f"Call to {call.endpoint.name}",
            f"{shapes.count(call.deliveries, 'delivery', 'deliveries')}, {shapes.count(call.attempts, 'attempt')}",
            call.status, Dispatch.STATUSES[call.status],
            reverse("admin:hub_dispatch_change", args=[call.pk]) if seen else "", rank=CALL,
        )
        for call in calls
    ]  # fmt: skip


def _not_before(cause: datetime, effect: datetime | None) -> datetime:
    """The effect's moment, but never before its cause: one is told by our clock, the other by the database's."""
    return max(cause, effect) if effect else cause


def _listener(row: Delivery) -> str:
    return row.endpoint.name if row.endpoint else row.route


def address(page: str, key: object) -> str:
    """The address of a row's page, e.g. `address("billing_charge", id)`."""
    return reverse(f"admin:{page}_change", args=[key])
