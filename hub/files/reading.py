"""What a file holds: its messages as arrivals, if the file as a whole is what it claims to be (F-F4). No database."""

import re
from uuid import UUID

from django.conf import settings

from hub import arrivals, doors
from hub.arrivals import Arrival
from hub.doors import Entrance, Peer, Terms
from hub.errors import ParseError, Permanent
from hub.files import unpack
from hub.transports.folder_terms import FolderTerms

_TRAILER = re.compile(rb"(?:^|[\r\n])[ \t]*(?:BTS|FTS)(?![A-Za-z0-9 ])")


def messages(content: bytes, door: Terms, terms: FolderTerms, file_id: UUID) -> list[Arrival]:
    """The messages of a file in their order, each with the file's id as its correlation id.

    Raises `Permanent` where nothing of the file may be loaded: a count that is not kept (IF_BATCH_COUNT), no readable
    message (IF_PARSE), a message that no door takes (IF_TOO_LARGE), an archive outside the limits (IF_ARCHIVE). One
    message that cannot be read among others harms no other: it is stored as refused, with its case.
    """
    found: list[Arrival] = []
    for body in unpack.bodies(content, terms.max_bytes):
        found += _of_body(body, door, terms)
    for number, arrival in enumerate(found, start=1):
        arrival.correlation_id = file_id
        arrival.notes = [*arrival.notes, f"file_row_{number}"]
    return found


def _of_body(body: bytes, door: Terms, terms: FolderTerms) -> list[Arrival]:
    if terms.trailer == "required" and not _TRAILER.search(body):
        raise Permanent("IF_BATCH_COUNT", "The file has no trailer (BTS or FTS): it may be cut off.")
    found = arrivals.look(body, Entrance((door,)), Peer())
    problems = [problem for arrival in found for problem in arrival.batch_problems]
    if problems:
        raise Permanent("IF_BATCH_COUNT", f"The file is not what its trailer says: {'; '.join(problems)}.")
    if all(arrival.refusal is doors.UNREADABLE for arrival in found):
        raise ParseError("IF_PARSE", "No HL7 message can be read in it.")
    if any(len(arrival.raw) > settings.MAX_MESSAGE_BYTES for arrival in found):
        text = f"A message in it is longer than {settings.MAX_MESSAGE_BYTES} bytes."
        raise Permanent("IF_TOO_LARGE", text)
    return found
