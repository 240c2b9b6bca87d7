"""Who may hand in what at which entrance: the decision table of refusals. Values in, values out; no database.

An `Entrance` is one MLLP port or one HTTP door with the endpoints behind it. `judge` finds the endpoint that a message
belongs to and the first rule that refuses it. A refusal is about the envelope alone: what is *in* the message is never
judged here, because a mapping or business error that is answered with AE or AR stops the sender's queue (domain 2.2).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

from hub.formats import hl7
from hub.models import Endpoint
from hub.routing import Inbound, registry

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Terms:
    """What a door knows of one endpoint: a plain copy of its row, safe to use while the database is away."""

    id: int
    code: str
    partner: str
    format: str
    facility: str
    sending_application: str
    sending_facility: str
    production: bool
    backlog_limit: int
    allowed: tuple[Network, ...] = ()  # networks that may connect; empty means any
    client_names: frozenset[str] = frozenset()  # names in a client certificate; empty means any
    correlation: str = ""  # where its messages carry the sender's correlation id, e.g. "ZTR-1"; "" for nowhere

    def binds(self) -> bool:
        """Whether it accepts only a named sender."""
        return bool(self.sending_application or self.sending_facility)

    def admits(self, address: str) -> bool:
        """Whether a peer of this address may use it; an address that is none ("" for a local socket) is let in."""
        return not self.allowed or not address or _within(address, self.allowed)


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end: the address, and the names of the client certificate where there is one."""

    address: str = ""
    names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a message is answered with AR. `code` is of HL7 table 0357, `problem` of our exception registry."""

    problem: str
    code: str
    location: str
    text: str

    @property
    def answer(self) -> str:
        """As it is stored with the message's key, so that a resend gets the same answer."""
        return f"AR|{self.code}|{self.location}|{self.text}"[:300]


@dataclass(frozen=True, slots=True)
class Entrance:
    """One port or URL: the endpoints behind it, found by MSH-3 and MSH-4."""

    terms: tuple[Terms, ...]
    _bound: Mapping[tuple[str, str], Terms] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        bound = {(terms.sending_application, terms.sending_facility): terms for terms in reversed(self.terms)}
        object.__setattr__(self, "_bound", bound)

    def find(self, app: str, facility: str) -> Terms | None:
        """The endpoint of this sender: both names, then the application, then the facility.

        An endpoint that names no sender takes every sender where it stands alone: its port, its allow-list and its
        certificate say who speaks. Where other endpoints share the port, it is only where strangers are written down.
        """
        bound = self._bound
        found = bound.get((app, facility)) or bound.get((app, "")) or bound.get(("", facility))
        if found is not None and found.binds():
            return found
        only = self.terms[0]
        return only if len(self.terms) == 1 and not only.binds() else None

    @property
    def catch_all(self) -> Terms:
        """Where a stranger's message is kept: the one endpoint without a sender, else the first."""
        unbound = [terms for terms in self.terms if not terms.binds()]
        return unbound[0] if len(unbound) == 1 else self.terms[0]

    def admits(self, address: str) -> bool:
        """Whether anybody behind this entrance talks to a peer of this address."""
        return any(terms.admits(address) for terms in self.terms)


def terms(endpoint: Endpoint) -> Terms:
    """The terms of an endpoint row (with its partner selected); an allow-list that cannot be read admits nobody."""
    return Terms(
        id=endpoint.pk,
        code=endpoint.code,
        partner=endpoint.partner.code,
        format=endpoint.format,
        facility=endpoint.facility,
        sending_application=endpoint.sending_application.strip(),
        sending_facility=endpoint.sending_facility.strip(),
        production=endpoint.production,
        backlog_limit=endpoint.backlog_limit,
        allowed=networks(endpoint.allowed_peers),
        client_names=frozenset(_names(endpoint.settings)),
        correlation=str(endpoint.settings.get("correlation_id", "")),
    )


_NOBODY = ip_network("255.255.255.255/32")  # the broadcast address: no peer ever has it


def networks(text: str) -> tuple[Network, ...]:
    """The networks of an allow-list. A part that is no address admits nobody, so that a typing error opens nothing."""
    found: list[Network] = []
    for word in filter(None, (word.strip() for word in text.split(","))):
        try:
            found.append(ip_network(word, strict=False))
        except ValueError:
            found.append(_NOBODY)
    return tuple(found)


def _names(settings: Mapping[str, Any]) -> list[str]:
    tls = settings.get("tls")
    names = tls.get("client_names", []) if isinstance(tls, Mapping) else []
    return [str(name) for name in names] if isinstance(names, list) else [str(names)]


def _within(address: str, allowed: Sequence[Network]) -> bool:
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)  # an IPv4 peer at a dual-stack socket
    return any((mapped or found) in network for network in allowed)


def judge(envelope: hl7.Envelope, entrance: Entrance, peer: Peer) -> tuple[Terms, Refusal | None]:
    """The endpoint that a message belongs to, and the first rule that refuses it, if any."""
    found = entrance.find(envelope.sending_app, envelope.sending_facility)
    if found is None:
        return entrance.catch_all, UNKNOWN_SENDER
    if not found.admits(peer.address) or (found.client_names and not found.client_names & peer.names):
        return found, NOT_THIS_PEER
    for refusal, applies in RULES:
        if applies(envelope, found):
            return found, refusal
    return found, None


UNKNOWN_SENDER = Refusal(
    "IF_UNKNOWN_SENDER", "103", "MSH^1^3", "unknown sender: MSH-3 and MSH-4 are not those of an endpoint at this door"
)
NOT_THIS_PEER = Refusal(
    "IF_UNKNOWN_SENDER", "103", "MSH^1^3", "this sender may not speak from this address or with this certificate"
)
UNREADABLE = Refusal("IF_PARSE", "100", "MSH^1", "the message cannot be read: its MSH is missing or damaged")
CONFLICT = Refusal(
    "IF_CONFLICT", "205", "MSH^1^10", "this control id came before with other content; send a new control id"
)

_VERSION = re.compile(r"2\.[1-9](\.[0-9]+)?[A-Za-z]?")


def _wrong_version(envelope: hl7.Envelope, _: Terms) -> bool:
    # An empty MSH-12 is a habit of old senders: read as 2.x and noted, like everything that is tolerated.
    return bool(envelope.version) and _VERSION.fullmatch(envelope.version) is None


def _test_in_production(envelope: hl7.Envelope, found: Terms) -> bool:
    return found.production and envelope.processing_id in ("T", "D")


def _unknown_type(envelope: hl7.Envelope, found: Terms) -> bool:
    return _unread(envelope, found) and not any(
        route.format == found.format and kind.partition("^")[0] == envelope.message_type
        for route in registry.of(Inbound)
        for kind in route.kinds
    )


def _unread(envelope: hl7.Envelope, found: Terms) -> bool:
    return registry.inbound(found.format, kind_of(envelope)) is None


# In the order in which they are asked; the first that applies is the answer.
RULES: tuple[tuple[Refusal, Callable[[hl7.Envelope, Terms], bool]], ...] = (
    (Refusal("IF_VERSION", "203", "MSH^1^12", "unsupported version; send HL7 2.1 to 2.9"), _wrong_version),
    (
        Refusal("IF_PROCESSING_ID", "202", "MSH^1^11", "test and training messages are not taken at a production door"),
        _test_in_production,
    ),
    (Refusal("IF_TYPE", "200", "MSH^1^9^1^1", "no route reads this message type"), _unknown_type),
    (Refusal("IF_EVENT", "201", "MSH^1^9^1^2", "no route reads this event of the message type"), _unread),
)


def kind_of(envelope: hl7.Envelope) -> str:
    """The message kind as routes name it: `DFT^P03`, or the bare type where there is no event."""
    return f"{envelope.message_type}^{envelope.trigger}" if envelope.trigger else envelope.message_type
