"""Which arrivals a person must look at, and what the case says. No patient data: control ids, senders and counts."""

from collections.abc import Callable, Iterator
from typing import Protocol
from uuid import UUID

from hub.arrivals import Arrival
from hub.cases import NewCase
from hub.doors import Refusal

OWNER = "integration"


class Stored(Protocol):
    """What is asked of a receipt."""

    arrival: Arrival
    message_id: UUID
    fresh: bool
    refusal: Refusal | None


def of(receipt: Stored) -> Iterator[NewCase]:
    """The cases of one receipt; none where the bytes were here before, because then they were opened before."""
    if not receipt.fresh:
        return
    if receipt.refusal is not None and receipt.refusal.problem in CASES:
        yield CASES[receipt.refusal.problem](receipt, receipt.refusal)
    if receipt.arrival.batch_problems:
        yield _batch(receipt)


def _case(receipt: Stored, code: str, subject: str, title: str, text: str, severity: int = 3) -> NewCase:
    terms = receipt.arrival.terms
    return NewCase(
        code=code,
        subject=subject,
        title=title,
        text=text,
        owner=OWNER,
        severity=severity,
        facility=terms.facility,
        partner=terms.partner,
        message_id=receipt.message_id,
        data={"endpoint": terms.code, "sender": receipt.arrival.sender, "control_id": receipt.arrival.control_id},
    )


def _unknown_sender(receipt: Stored, refusal: Refusal) -> NewCase:
    arrival = receipt.arrival
    return _case(
        receipt,
        refusal.problem,
        f"sender:{arrival.terms.code}:{arrival.sender}",
        f"Unknown sender {arrival.sender} at {arrival.terms.code}",
        f"A system that calls itself {arrival.sender} (MSH-3|MSH-4) was refused: {refusal.text}. If it is a partner, "
        "make an endpoint with these names, or add its address or certificate name to the endpoint; then ask it to "
        "send again. If not, find out who connects.",
        severity=2,
    )


def _unreadable(receipt: Stored, refusal: Refusal) -> NewCase:
    arrival = receipt.arrival
    place = next((note for note in arrival.notes if note.startswith("unreadable")), "unreadable")
    return _case(
        receipt,
        refusal.problem,
        f"parse:{arrival.terms.code}:{place}",
        f"Unreadable message at {arrival.terms.code}",
        f"The bytes are kept, but no message could be read out of them ({place}). Look at the raw message, then ask "
        "the sender to correct its configuration and send again.",
        severity=2,
    )


def _conflict(receipt: Stored, refusal: Refusal) -> NewCase:
    arrival = receipt.arrival
    return _case(
        receipt,
        refusal.problem,
        f"control_id:{arrival.terms.code}:{arrival.sender}:{arrival.control_id}",
        f"Control id {arrival.control_id[:60]} came twice with different content",
        f"{arrival.sender} sent two different messages under one control id (MSH-10). The first one stands, the other "
        "is kept and was answered with AR 205. Compare the two; ask the sender to send the other one under a new "
        "control id if it is needed.",
    )


def _version(receipt: Stored, refusal: Refusal) -> NewCase:
    arrival = receipt.arrival
    return _case(
        receipt,
        refusal.problem,
        f"version:{arrival.terms.code}:{arrival.sender}",
        f"{arrival.sender} sends a version that is not HL7 2.1 to 2.9",
        f"MSH-12 was refused with AR 203: {refusal.text}. Ask the sender to correct it and to send again.",
    )


def _batch(receipt: Stored) -> NewCase:
    arrival = receipt.arrival
    name = arrival.batch_id or arrival.sha256.hex()[:16]
    return _case(
        receipt,
        "IF_BATCH_COUNT",
        f"batch:{arrival.terms.code}:{name}",
        f"Batch {name[:60]} is not what its trailer says",
        f"{'; '.join(arrival.batch_problems)}. Every message that was found in it was stored and answered by itself. "
        "Ask the sender whether messages are missing; send again is harmless, what is here is recognised.",
    )


CASES: dict[str, Callable[[Stored, Refusal], NewCase]] = {
    "IF_UNKNOWN_SENDER": _unknown_sender,
    "IF_PARSE": _unreadable,
    "IF_CONFLICT": _conflict,
    "IF_VERSION": _version,
}
