"""Acknowledgements: MSH, MSA and one ERR per error, in the sender's own separators and version (HL7 v2 ch. 2.9, 2.15).

Deterministic: the same arguments give the same bytes, so that a message that is sent again gets the same answer.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from hub.formats.hl7_charsets import DECLARATIONS
from hub.formats.hl7_envelope import Envelope
from hub.formats.hl7_escapes import escape_any, unescape
from hub.formats.hl7_separators import STANDARD, Separators

AckCode = Literal["AA", "AE", "AR", "CA", "CE", "CR"]

TABLE_0357: Final[dict[str, str]] = {
    "0": "Message accepted",
    "100": "Segment sequence error",
    "101": "Required field missing",
    "102": "Data type error",
    "103": "Table value not found",
    "104": "Value too long",
    "200": "Unsupported message type",
    "201": "Unsupported event code",
    "202": "Unsupported processing id",
    "203": "Unsupported version id",
    "204": "Unknown key identifier",
    "205": "Duplicate key identifier",
    "206": "Application record locked",
    "207": "Application internal error",
}

# Versions in which MSH-9 of an acknowledgement is a bare ACK, and in which ERR has no field but ERR-1. Whatever is not
# listed, empty and unknown versions too, is answered in the manner of v2.5.1.
_BARE_ACK = frozenset({"2.0", "2.0D", "2.1", "2.2", "2.3"})
_OLD_ERR = _BARE_ACK | {"2.3.1", "2.4"}
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class AckError:
    """One ERR. `location` is written `FT1^2^7^1` (segment, which one, field, repetition), `code` is of table 0357.

    `text` defaults to the table's own words; neither it nor `user_message` may carry patient data.
    """

    location: str
    code: str
    text: str = ""
    severity: Literal["E", "W", "I"] = "E"
    user_message: str = ""


def ack(
    envelope: Envelope,
    code: AckCode,
    *,
    control_id: str,
    now: datetime,
    errors: Sequence[AckError] = (),
) -> bytes:
    """The acknowledgement of a message: `control_id` is its own MSH-10, `now` its MSH-7; without MLLP framing.

    It uses the sender's separators when they can write any value, else the standard ones, and his character set.
    """
    separators = envelope.separators if envelope.separators.complete else STANDARD
    app, facility, to_app, to_facility, reference, processing, version = _echo(envelope, separators)
    f, c = separators.field, separators.component
    trigger = envelope.trigger if envelope.version not in _BARE_ACK else ""
    kind = f"ACK{c}{_plain(trigger, separators)}{c}ACK" if trigger else "ACK"
    head = (
        f"MSH{f}{separators.encoding}{f}{to_app}{f}{to_facility}{f}{app}{f}{facility}{f}{_time(now)}{f}{f}{kind}{f}"
        f"{_plain(control_id, separators)}{f}{processing or 'P'}{f}{version or '2.5.1'}"
    )
    tail = f"\rMSA{f}{code}{f}{reference}{_errors(envelope, errors, separators) if errors else ''}\r"
    if head.isascii() and tail.isascii():
        return (head + tail).encode("ascii")
    codec = "utf-8" if envelope.codec == "ascii" else envelope.codec
    # What was echoed fits the sender's set; a character of our own text that does not fit is shown as ?.
    return f"{head}{f * 6}{DECLARATIONS[codec]}{tail}".encode(codec, "replace")


def _time(now: datetime) -> str:
    """MSH-7 with its offset from UTC when `now` knows one."""
    return now.strftime("%Y%m%d%H%M%S%z")


def _plain(value: str, separators: Separators) -> str:
    return value if value.isalnum() else escape_any(value, separators)


def _echo(envelope: Envelope, separators: Separators) -> tuple[str, ...]:
    """MSH-3 to 6, 10, 11 and 12 to send back: as they were sent, or written anew where that is not possible."""
    header = envelope.header
    if not header:
        parties = (envelope.sending_app, envelope.sending_facility, envelope.receiving_app, envelope.receiving_facility)
        sent = (*parties, envelope.control_id, envelope.processing_id, envelope.version)
        return tuple([escape_any(value, separators) for value in sent])
    echo = header[3:7] + header[10:13]
    sane = envelope.separators is separators
    together = "".join(echo)
    if sane and (together.isprintable() or not _CONTROLS.search(together)):
        return echo
    # A control character that is echoed could end the frame: 0x1C at the end of MSA-2, followed by CR.
    return tuple([_rewritten(value, envelope.separators, separators) for value in echo])


def _rewritten(value: str, sent: Separators, separators: Separators) -> str:
    """The components of a field that does not repeat, in other separators."""
    if sent.repetition:
        value = value.partition(sent.repetition)[0]
    components = value.split(sent.component) if sent.component else [value]
    return separators.component.join(escape_any(unescape(one, sent), separators) for one in components)


def _errors(envelope: Envelope, errors: Sequence[AckError], separators: Separators) -> str:
    """The rest of MSA and the ERR segments: one each since v2.5, one ERR-1 with repetitions before."""
    f, c = separators.field, separators.component
    written = []
    if envelope.version in _OLD_ERR:
        for error in errors:
            place = [escape_any(part, separators) for part in error.location.split("^")[:3]]
            place += [""] * (3 - len(place))
            written.append(c.join([*place, separators.subcomponent.join(_code(error, separators))]))
        text = escape_any(errors[0].user_message or errors[0].text or TABLE_0357.get(errors[0].code, ""), separators)
        return f"{f}{text}\rERR{f}{separators.repetition.join(written)}"
    for error in errors:
        location = c.join(escape_any(part, separators) for part in error.location.split("^"))
        code = c.join(_code(error, separators))
        message = escape_any(error.user_message, separators)
        written.append(f"\rERR{f}{f}{location}{f}{code}{f}{error.severity}" + (f"{f * 4}{message}" if message else ""))
    return "".join(written)


def _code(error: AckError, separators: Separators) -> tuple[str, str, str]:
    text = error.text or TABLE_0357.get(error.code, "")
    return escape_any(error.code, separators), escape_any(text, separators), "HL70357"
