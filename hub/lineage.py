"""The life of one document: the hops that fit on a screen (`hub.hops`), and every step as a timeline.

hub knows messages, facts, deliveries and cases. Apps register sources of further steps, as they register routes.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.urls import reverse

from hub import hops, ids, shapes
from hub import trail as trails
from hub.models import Delivery, Dispatch, ExceptionCase, Fact, Message
from hub.trail import LONGEST, Trail
from hub.viewer import Viewer


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


Source = Callable[[Trail, Viewer], Iterable[Step]]
sources: list[Source] = []


def register(source: Source) -> None:
    """Add an app's steps to every timeline."""
    sources.append(source)


@dataclass(frozen=True, slots=True)
class Story:
    """One message's life: the hops that fit on a screen, and every step."""

    hops: list[hops.Hop]
    steps: list[Step]
    total_s: float | None  # from the first byte to the last hop that is done


def tell(message: Message, who: Viewer) -> Story:
    """What the page and the API show of one message; the same to both."""
    trail = trails.of_message(message)
    way = hops.of(trail, who)
    return Story(way, _steps(trail, who), hops.total_s(way))


def of_message(message: Message, who: Viewer) -> list[Step]:
    """Everything that became of one message, in the order of time."""
    return _steps(trails.of_message(message), who)


def _steps(trail: Trail, who: Viewer) -> list[Step]:
    steps = [*_message(trail.message), *_cases(trail), *_facts_told([*trail.facts, *trail.answers])]
    steps += _deliveries(trail, who)
    for source in sources:
        steps += source(trail, who)
    return sorted(steps, key=lambda step: (step.at.replace(microsecond=0), step.rank, step.at))[:LONGEST]


def message_of(message_id: UUID | None) -> Message | None:
    """The message with this id, without its bytes."""
    if message_id is None:
        return None
    return Message.objects.defer("raw").select_related("endpoint__partner").filter(pk=message_id).first()


def _message(message: Message) -> list[Step]:
    arrived = f"{message.kind} from {message.sender or 'an unnamed sender'}, control id {message.control_id}"
    steps = [Step(message.received_at, "Received and acknowledged", arrived)]
    if message.settled_at:
        label = Message.STATUSES[message.status]
        settled = _not_before(message.received_at, message.settled_at)
        steps.append(Step(settled, "Message settled", message.problem, message.status, label, rank=CASE))
    return steps


def _cases(trail: Trail) -> list[Step]:
    return [
        Step(
            case.opened_at, f"Case: {case.title}", case.code, case.status, ExceptionCase.STATUSES[case.status],
            hops.case_url(case), rank=CASE,
        )
        for case in trail.cases
    ]  # fmt: skip


def _facts_told(facts: list[Fact]) -> list[Step]:
    return [Step(fact.published_at, f"Told: {fact.name}", f"key {fact.key}", rank=FACT) for fact in facts]


def _deliveries(trail: Trail, who: Viewer) -> list[Step]:
    seen = who.may("hub.view_delivery")
    steps = [
        Step(
            _not_before(ids.moment(row.pk), row.settled_at),
            f"{'Delivered' if row.status == 'delivered' else 'Delivery'} to {_listener(row)}",
            row.problem or row.route, row.status, Delivery.STATUSES[row.status],
            reverse("admin:hub_delivery_change", args=[row.pk]) if seen else "", rank=DELIVERY,
        )
        for row in [*trail.deliveries, *trail.heard]
    ]  # fmt: skip
    seen = who.may("hub.view_dispatch")
    return steps + [
        Step(
            call.created_at, f"Call to {call.endpoint.name}",
            f"{shapes.count(call.deliveries, 'delivery', 'deliveries')}, {shapes.count(call.attempts, 'attempt')}",
            call.status, Dispatch.STATUSES[call.status],
            reverse("admin:hub_dispatch_change", args=[call.pk]) if seen else "", rank=CALL,
        )
        for call in trail.calls
    ]  # fmt: skip


def _not_before(cause: datetime, effect: datetime | None) -> datetime:
    """The effect's moment, but never before its cause: one is told by our clock, the other by the database's."""
    return max(cause, effect) if effect else cause


def _listener(row: Delivery) -> str:
    return row.endpoint.name if row.endpoint else row.route


def address(page: str, key: object) -> str:
    """The address of a row's page, e.g. `address("billing_charge", id)`."""
    return reverse(f"admin:{page}_change", args=[key])
