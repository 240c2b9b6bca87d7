"""A stored message segment by segment, with the standard's names, and what of it a page may show."""

from dataclasses import dataclass

from hub import bodies
from hub.errors import ParseError
from hub.formats import hl7
from hub.models import Message
from hub.vault import VaultError

# Fields that say who the patient is. They stay covered until somebody uncovers them with a reason that is kept.
PERSONAL = {
    "PID": {5, 6, 7, 9, 11, 12, 13, 14, 19, 20, 21, 23, 40},
    "NK1": {2, 4, 5, 6, 16, 30, 31, 32},
    "GT1": {3, 4, 5, 6, 7, 8, 12, 16, 17, 18},
    "IN1": {16, 18, 19, 36, 49},
    "IN2": {1, 2, 3, 6, 7, 8, 61, 63},
    "MRG": {7},
    "PD1": {4},
}
# What anybody who may see the message's row may read: routing and money, no person.
OPEN = {"MSH", "EVN", "FT1", "MSA", "ERR", "FHS", "BHS", "BTS", "FTS"}
SHOWN_SEGMENTS = 400
PREVIEW = 90


@dataclass(frozen=True, slots=True)
class Field:
    """One field that the sender filled."""

    place: str  # "PID-18"
    name: str
    value: str
    masked: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """One segment for the page."""

    name: str
    title: str
    preview: str
    fields: list[Field]


def of(message: Message, *, full: bool, reveal: bool = False) -> tuple[list[Shown], str]:
    """The segments of a stored message (see `segments`), or a sentence where its bytes cannot be opened."""
    try:
        return segments(bodies.of(message), full=full, reveal=reveal)
    except VaultError as error:
        return [], error.text


def segments(raw: bytes, *, full: bool, reveal: bool = False) -> tuple[list[Shown], str]:
    """The segments of a message, and a sentence where it cannot be read.

    `full` is for holders of the permission to see raw messages; without it only routing and money are shown.
    `reveal` uncovers the personal fields too.
    """
    try:
        message = hl7.parse(raw)
    except ParseError as error:
        return [], f"{error.text} (at {error.where})" if error.where else error.text
    found = [_shown(segment, full, reveal) for segment in message.segments[:SHOWN_SEGMENTS]]
    more = len(message.segments) - SHOWN_SEGMENTS
    return found, f"{more} more segments are not shown." if more > 0 else ""


def _shown(segment: hl7.Segment, full: bool, reveal: bool) -> Shown:
    covered = set() if reveal else PERSONAL.get(segment.name, set())
    fields = []
    for number, value in enumerate(segment.fields):
        if number and value:
            masked = number in covered or not (full or segment.name in OPEN)
            name = hl7.field_name(segment.name, number)
            fields.append(Field(f"{segment.name}-{number}", name, "" if masked else value, masked))
    preview = " ".join(field.value for field in fields if not field.masked)[:PREVIEW]
    return Shown(segment.name, hl7.segment_name(segment.name), preview, fields)
