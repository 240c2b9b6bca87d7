"""What a sender calls a message: its own correlation id and trace context, kept as given.

They are data about the message, never a key: two senders may use one id, and a sender may use one twice. Our own
correlation id stays the one by which everything is found here. Read at the door; CPU only.
"""

import re
from collections.abc import Mapping

from hub.formats import hl7

LONGEST = 200
# W3C Trace Context: version, trace id, parent id, flags; neither id is all zeros, and version ff is never used.
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
# The first of these that says anything is the sender's correlation id.
HEADERS = ("X-Correlation-Id", "X-Request-Id")
# Where a message may carry it: "MSH-13", "ZTR-2", the first component of a field of the first such segment.
PATH = re.compile(r"([A-Z][A-Z0-9]{2})-([1-9][0-9]?)")
_HEADER_FIELDS = 25  # a header longer than this carries it nowhere


def of_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """`correlation_id` and `traceparent` as far as the headers have them; what is not usable is as if not sent."""
    found = {}
    for name in HEADERS:
        if given := usable(headers.get(name, "")):
            found["correlation_id"] = given
            break
    parent = headers.get("traceparent", "").strip()
    if _TRACEPARENT.fullmatch(parent):
        found["traceparent"] = parent
    return found


def of_message(raw: bytes, envelope: hl7.Envelope, path: str) -> dict[str, str]:
    """The `correlation_id` at this place of an HL7 message; nothing where the place is empty or no place at all."""
    place = PATH.fullmatch(path)
    if place is None:
        return {}
    segment, number = place[1], int(place[2])
    fields = envelope.header if segment == "MSH" else _fields(raw, envelope, segment)
    value = fields[number] if number < min(len(fields), _HEADER_FIELDS) else ""
    given = usable(value.split(envelope.separators.component, 1)[0] if envelope.separators.component else value)
    return {"correlation_id": given} if given else {}


def usable(value: str) -> str:
    """The value if it is printable ASCII of at most `LONGEST` characters, else ""."""
    value = value.strip()
    return value if value.isascii() and value.isprintable() and len(value) <= LONGEST else ""


def _fields(raw: bytes, envelope: hl7.Envelope, segment: str) -> tuple[str, ...]:
    """The fields of the first such segment, by their numbers; the rest of the message is not taken apart."""
    separator = envelope.separators.field
    start = raw.find(f"\r{segment}{separator}".encode())
    if start < 0:
        start = raw.find(f"\n{segment}{separator}".encode())
    if start < 0:
        return ()
    line = raw[start + 1 : start + 8192].replace(b"\n", b"\r").split(b"\r", 1)[0]
    return tuple(line.decode(envelope.codec, "replace").split(separator))
