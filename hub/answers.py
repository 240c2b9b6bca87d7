"""Acknowledgements as the sender's mode asks for them (HL7 v2 ch. 2.9.2, 2.9.3).

Original mode, MSH-15 and MSH-16 both empty: one answer, AA, AE or AR. Enhanced mode, one of them valued: the accept
acknowledgement CA, CE or CR where MSH-15 asks for it, then the application acknowledgement where MSH-16 asks for it.
An empty one of the two asks for nothing. The hub's application answer is AA and says "stored": what a message means is
decided later and never answered with an error. What was rejected at acceptance gets no application answer on top;
it gets AR there only where MSH-15 kept the CR back.

An answer is recomputed, not kept: its control id and time come from the stored message's id, so a resend of the same
bytes gets the same bytes back.
"""

from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

from hub import ids
from hub.formats import hl7

_ASKED = {  # MSH-15 or MSH-16 (table 0155): whether an answer is wanted, by (stored, not stored)
    "AL": (True, True),
    "NE": (False, False),
    "ER": (False, True),
    "SU": (True, False),
    "": (False, False),
}
_ORIGINAL: dict[str, hl7.AckCode] = {"A": "AA", "E": "AE", "R": "AR"}
_ACCEPT: dict[str, hl7.AckCode] = {"A": "CA", "E": "CE", "R": "CR"}
STORED = "AA"
BUSY = "AE|207|MSH^1|busy: too many messages wait to be worked on; send again"
AWAY = "AE|207|MSH^1|the hub cannot store messages now; send again"


class Parsed(NamedTuple):
    """An answer as it is stored: `AA`, or `AR|202|MSH^1^11|text`."""

    outcome: Literal["A", "E", "R"]
    errors: tuple[hl7.AckError, ...]


def parse(answer: str) -> Parsed:
    """The parts of a stored answer."""
    code, _, rest = answer.partition("|")
    if not rest:
        return Parsed(code[1:2], ())  # type: ignore[arg-type]
    number, location, text = rest.split("|", 2)
    return Parsed(code[1:2], (hl7.AckError(location, number, user_message=text),))  # type: ignore[arg-type]


def replies(envelope: hl7.Envelope, answer: str, message_id: UUID) -> list[bytes]:
    """The acknowledgements to send, without framing: one in original mode, none to two in enhanced mode."""
    now = ids.moment(message_id)
    accept, application = envelope.accept_ack, envelope.application_ack
    if answer == STORED and not accept and not application:  # nearly always
        return [_reply(envelope, "AA", message_id, now, (), "A")]
    outcome, errors = parse(answer)
    if not accept and not application:
        return [_reply(envelope, _ORIGINAL[outcome], message_id, now, errors, "A")]
    stored = outcome == "A"
    sent = []
    accepted = _wants(accept, stored)
    if accepted:
        sent.append(_reply(envelope, _ACCEPT[outcome], message_id, now, errors, "C"))
    if _wants(application, stored) and (stored or not accepted):
        sent.append(_reply(envelope, _ORIGINAL[outcome], message_id, now, errors, "A"))
    return sent


def _wants(asked: str, stored: bool) -> bool:
    good, bad = _ASKED.get(asked.upper(), _ASKED["AL"])  # a value that is not in the table: better one too many
    return good if stored else bad


def _reply(
    envelope: hl7.Envelope,
    code: hl7.AckCode,
    message_id: UUID,
    now: datetime,
    errors: tuple[hl7.AckError, ...],
    letter: str,
) -> bytes:
    # MSH-10 holds 20 characters up to v2.6: the id's time and sequence, some of its random bits, and which answer.
    tag = message_id.hex
    return hl7.ack(envelope, code, control_id=f"{tag[:12]}{tag[13:16]}{tag[-4:]}{letter}", now=now, errors=errors)
