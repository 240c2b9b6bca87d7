"""The five kinds of route. `routes.py` of each app registers them; this is what the hub knows of the domains.

A route's `name` is stored in rows and is stable for ever. Routes are values: they hold functions, never state.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar, Protocol, TypeGuard
from uuid import UUID

import msgspec

from hub.errors import HubError


class Document(Protocol):
    """What every canonical document tells the hub about itself."""

    @property
    def label(self) -> str: ...  # what staff call it; never a patient's name
    @property
    def worth(self) -> Decimal: ...  # money at stake while it waits, signed
    @property
    def currency(self) -> str: ...


class Fact(Protocol):
    """An immutable record in the past tense, e.g. `ChargeCaptured`; `name` carries the version."""

    name: ClassVar[str]

    @property
    def key(self) -> str: ...  # what its deliveries are kept in order by
    def encode(self) -> bytes: ...  # JSON
    @classmethod
    def decode(cls, payload: str, /) -> "Fact": ...


class Source(msgspec.Struct, frozen=True):
    """Where a document came from; travels with it so that verbs can tell an auditor."""

    message_id: UUID
    part: int  # position of the document in its message, from 0
    endpoint_id: int
    partner: str  # Partner.code: the system whose codes are spoken
    correlation_id: UUID
    received_at: datetime
    settings: Mapping[str, Any] = msgspec.field(default_factory=dict)  # the endpoint's own configuration
    resumed: bool = False  # it was held before and comes again
    facility: str = ""  # ours, where the door serves one


@dataclass(frozen=True, slots=True)
class MissingCode:
    """Why a document waits: a partner's code that has no meaning here yet, or a `subject` of the domain's own."""

    domain: str  # "department", "charge_code", ...
    code: str
    facility: str = ""
    reason: str = "unknown"  # unknown | expired | inactive | ambiguous
    text: str = ""  # what the sender calls it, as help for whoever maps it
    on: date | None = None
    owner: str = "integration"  # role (group) that maps this kind of code
    case: str = "MAP_MISSING"  # registry code of the case it opens
    subject: str = ""  # what the case is about, where it is not a code: then `text` says what happened


class Part(msgspec.Struct):
    """One canonical document on its way through the pipeline."""

    document: Any
    source: Source
    words: Any = None  # what `translate` made of the document's codes
    missing: tuple[MissingCode, ...] = ()


@dataclass(frozen=True, slots=True)
class Read:
    """What an adapter found in one message."""

    documents: Sequence[Any]
    notes: Sequence[str] = ()  # what was tolerated, e.g. "amount missing"


@dataclass(frozen=True, slots=True)
class Inbound:
    """A document from a partner: wire -> canonical -> our words -> one verb.

    `apply` and `hold` take a list of parts, inside the pipeline's transaction, and must be harmless when called
    twice with the same part. `hold`, where given, lets the domain record what it cannot use yet.
    """

    name: str
    format: str  # key of hub.formats, e.g. "hl7v2"
    kinds: tuple[str, ...]  # message kinds as the format names them, e.g. "DFT^P03"
    read: Callable[[Any, Mapping[str, Any]], Read]
    translate: Callable[[Sequence[Part]], None]  # fills words or missing of each part
    apply: Callable[..., object]  # apply(parts, by=)
    hold: Callable[..., object] | None = None  # hold(parts, by=)
    # An applied message may be applied again: what it did is known by its business key. Not so where a message tells
    # of a state that later ones have changed.
    repeatable: bool = False


class Heard(msgspec.Struct, frozen=True):
    """A fact as a reaction or an outbound route receives it."""

    fact: Any
    fact_id: UUID
    delivery_id: UUID
    correlation_id: UUID
    published_at: datetime


@dataclass(frozen=True, slots=True)
class Reaction:
    """Facts that another app published are acted upon here: `apply(heard, by=)`, a list in one transaction.

    Several facts in one reaction are heard in one order per key, e.g. a reversal after what it reverses. `apply` may
    return {delivery id: error} for facts that it left out because a person must act, with None for those that are
    behind one of them.
    """

    name: str
    facts: tuple[type[Any], ...]
    apply: Callable[..., Mapping[UUID, HubError | None] | None]
    owner: str = "integration"  # role that owns the case when it fails


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a partner made of a call. Built by connectors; judged in `hub.outbox` alone."""

    # "ok" | "rejected" | "retryable" | "unknown" | "absent" (looked up, not there)
    # | "unsent" (not tried) | "given_up" (known not to be done, and too old to be tried again)
    kind: str
    reference: str = ""  # the partner's id of what it made
    code: str = ""
    text: str = ""
    field: str = ""  # which field or line the partner objects to
    retry_after_s: float | None = None
    status: int | None = None  # HTTP status where there was one


@dataclass(frozen=True, slots=True)
class Outbound:
    """Facts leave the hub in a partner's format, many in one call.

    Facts with the same `group` may share a call until their `weight` reaches `limit`. `assemble` records the call in
    the domain (a journal) in the claiming transaction; `send` and `find` talk to the partner and touch no row;
    `settle` records the outcome in the domain. The dispatch id is the partner's idempotency key: stable over retries.
    """

    name: str
    fact: type[Any]
    format: str  # which endpoints it serves: Endpoint.format
    group: Callable[[Any], str]
    weight: Callable[[Any], int]
    limit: int
    assemble: Callable[..., None]  # assemble(endpoint, [(dispatch id, heard), ...], by=)
    send: Callable[..., Outcome]  # send(endpoint, dispatch id, facts)
    find: Callable[..., Outcome]  # find(endpoint, dispatch id)
    settle: Callable[..., None]  # settle([(dispatch id, outcome), ...], by=): ok and rejected ones only
    keyed: bool = False  # the partner itself refuses a second document with the same key
    case: str = "DELIVERY_REJECTED"  # registry code of the case that a refusal opens
    owner: str = "integration"  # role that owns that case


@dataclass(frozen=True, slots=True)
class Answer:
    """A synchronous question this app can answer, in-process and over REST."""

    name: str
    question: type[Any]
    answer: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class About:
    """Where a step of a journey takes place, and the money that waits in it, as the domain knows them."""

    facility: str = ""
    department: str = ""
    amount: Decimal = Decimal(0)
    currency: str = "USD"


@dataclass(frozen=True, slots=True)
class Milestone:
    """A step of a journey: it begins with a fact that the route `by` hears, and is reached when it has been heard.

    What a route says in turn is published in the transaction in which it has heard, so the next fact is there then.
    """

    name: str
    label: str  # as staff read it, e.g. "Journal posted"
    by: str  # name of a reaction or an outbound route
    within: timedelta  # by the clock, where no deadline of the hospital's own says otherwise
    about: Callable[[Any], About]
    owner: str = "integration"  # role that owns the case when it is late
    advice: str = ""  # what to look at first


@dataclass(frozen=True, slots=True)
class Journey:
    """A business process as data: its milestones in order."""

    name: str
    label: str
    milestones: tuple[Milestone, ...]


Route = Inbound | Reaction | Outbound | Answer | Journey


def _hears(route: Route, fact_name: str) -> TypeGuard[Reaction | Outbound]:
    if isinstance(route, Reaction):
        return any(fact.name == fact_name for fact in route.facts)
    return isinstance(route, Outbound) and route.fact.name == fact_name


class Registry:
    """All routes, filled once at start-up by `HubConfig.ready()`."""

    def __init__(self) -> None:
        self.routes: dict[str, Route] = {}
        self._inbound: dict[tuple[str, str], Inbound] = {}
        self._answers: dict[type[Any], Answer] = {}
        self._listeners: dict[str, list[Reaction | Outbound]] = {}

    def register(self, routes: Iterable[Route]) -> None:
        """Add an app's routes; a name or a message kind that is taken is a programming error."""
        for route in routes:
            if route.name in self.routes:
                raise HubError("IF_ROUTE", f"two routes are called {route.name}")
            self.routes[route.name] = route
            self._listeners.clear()
            if isinstance(route, Inbound):
                for kind in route.kinds:
                    if (route.format, kind) in self._inbound:
                        raise HubError("IF_ROUTE", f"two routes read {route.format} {kind}")
                    self._inbound[route.format, kind] = route
            elif isinstance(route, Answer):
                self._answers[route.question] = route

    def inbound(self, format_: str, kind: str) -> Inbound | None:
        """The route that reads this kind of message, or None."""
        return self._inbound.get((format_, kind))

    def outbound(self, name: str) -> Outbound:
        """The outbound route of this name; `IF_ROUTE` where there is none any more."""
        route = self.routes.get(name)
        if not isinstance(route, Outbound):
            raise HubError("IF_ROUTE", f"nothing is sent as {name} any more; is its app installed?")
        return route

    def heard_by(self, name: str) -> tuple[type[Any], ...]:
        """The facts that a route hears; `IF_ROUTE` where no route that hears any has this name."""
        route = self.routes.get(name)
        if not isinstance(route, Reaction | Outbound):
            raise HubError("IF_ROUTE", f"no route called {name} hears any fact; is its app installed?")
        return route.facts if isinstance(route, Reaction) else (route.fact,)

    def listeners(self, fact_name: str) -> list[Reaction | Outbound]:
        """Everyone who hears a fact, in the order of registration."""
        found = self._listeners.get(fact_name)
        if found is None:
            found = self._listeners[fact_name] = [route for route in self.routes.values() if _hears(route, fact_name)]
        return found

    def of(self, kind: type[Any]) -> list[Any]:
        """All routes of one kind."""
        return [r for r in self.routes.values() if isinstance(r, kind)]

    def ask(self, question: Any) -> Any:
        """Put a question to whichever app answers it; `IF_NO_ANSWER` where none does."""
        answer = self._answers.get(type(question))
        if answer is None:
            raise HubError("IF_NO_ANSWER", f"no app answers {type(question).__name__}; is it installed?")
        return answer.answer(question)


registry = Registry()
register = registry.register
ask = registry.ask
