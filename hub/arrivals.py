"""What has just arrived: bytes, who sent them, and what the door makes of them. CPU only; the database comes later."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from hub import doors, ids, origins
from hub.doors import Entrance, Peer, Refusal, Terms
from hub.errors import ParseError
from hub.formats import hl7

_TEXT = 200  # the width of sender, control_id and key


@dataclass(slots=True)
class Arrival:
    """One message at the door. `envelope` is None where not even an MSH could be read: it cannot be answered."""

    raw: bytes
    sha256: bytes
    terms: Terms
    envelope: hl7.Envelope | None
    sender: str
    control_id: str
    kind: str
    key: str
    refusal: Refusal | None
    notes: Sequence[str] = ()
    correlation_id: UUID | None = None  # None: its own id
    origin: Mapping[str, str] | None = None  # what the sender calls it, see `hub.origins`
    batch_id: str = ""
    batch_problems: Sequence[str] = ()  # of the whole batch; carried by its first member


def look(raw: bytes, entrance: Entrance, peer: Peer, headers: Mapping[str, str] | None = None) -> list[Arrival]:
    """The messages of one frame or body, each judged by itself. Never raises: an unreadable member is refused later.

    An empty body has no messages. Members of one batch share a correlation id. `headers` are those of an HTTP request.
    """
    batch = hl7.split(raw)
    # Bytes outside of any message are a member of their own, refused as unreadable: not a wrong count on top.
    problems = [problem for problem in batch.problems if "without an MSH" not in problem]
    found = [_look(message, entrance, peer) for message in batch.messages]
    if len(found) > 1 or problems:
        together = ids.uuid7()
        for number, (arrival, origin) in enumerate(zip(found, batch.origins, strict=True), start=1):
            arrival.correlation_id = together
            arrival.batch_id = origin
            arrival.notes = [*arrival.notes, f"batch_member_{number}_of_{len(found)}"]
        if found:
            found[0].batch_problems = problems
    if headers is not None and (sent := origins.of_headers(headers)):
        for arrival in found:  # what a message says of itself comes before what was said of the whole body
            arrival.origin = {**sent, **(arrival.origin or {})}
    return found


def _look(raw: bytes, entrance: Entrance, peer: Peer) -> Arrival:
    sha256 = hashlib.sha256(raw).digest()
    try:
        envelope = hl7.peek(raw)
    except ParseError as error:
        return _unreadable(raw, sha256, entrance, error)
    terms, refusal = doors.judge(envelope, entrance, peer)
    notes = []
    control_id = _clean(envelope.control_id)
    if not control_id:
        control_id = f"sha256:{sha256.hex()}"
        notes.append("control_id_missing")
    elif len(control_id) > _TEXT:  # cut short it could meet another one: its hash cannot
        control_id = f"sha256:{hashlib.sha256(control_id.encode()).hexdigest()}"
        notes.append("control_id_long")
    if not envelope.version:
        notes.append("version_missing")
    return Arrival(
        raw=raw,
        sha256=sha256,
        terms=terms,
        envelope=envelope,
        sender=_clean(f"{envelope.sending_app}|{envelope.sending_facility}")[:_TEXT],
        control_id=control_id,
        kind=_clean(doors.kind_of(envelope))[:40],
        key=_clean(envelope.key)[:_TEXT] or control_id,
        refusal=refusal,
        notes=notes,
        origin=origins.of_message(raw, envelope, terms.correlation) if terms.correlation else None,
    )


def _unreadable(raw: bytes, sha256: bytes, entrance: Entrance, error: ParseError) -> Arrival:
    control_id = f"sha256:{sha256.hex()}"
    return Arrival(
        raw=raw,
        sha256=sha256,
        terms=entrance.catch_all,
        envelope=_salvage(raw),
        sender="",
        control_id=control_id,
        kind="",
        key=control_id,
        refusal=doors.UNREADABLE,
        notes=[f"unreadable at {error.where}" if error.where else "unreadable"],
    )


def _salvage(raw: bytes) -> hl7.Envelope | None:
    """The envelope of an MSH that stands somewhere in unreadable bytes, good enough to answer by; else None."""
    start = raw.find(b"MSH")
    if start < 0:
        return None
    line = raw[start:].replace(b"\n", b"\r").split(b"\r", 1)[0]
    try:
        return hl7.peek(line)
    except ParseError:
        return None


def _clean(value: str) -> str:
    """Fit for a text column: PostgreSQL keeps neither NUL nor half a surrogate pair."""
    if value.isascii() and "\x00" not in value:
        return value
    return value.replace("\x00", "\u2400").encode("utf-8", "backslashreplace").decode("utf-8")
