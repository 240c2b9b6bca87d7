"""One file's way in: known or new, read, its messages stored, then moved to where people find it.

    look -> read -> hash -> a row (commit) -> messages by the ordinary door, some at a time (commit each) -> move

The row and the counters are what a crash leaves: the same name with the same content goes on at the next message, and
a message that was stored just before the crash is recognised by its key. A file that was loaded and not moved is only
moved. So each step may happen twice, and nothing is loaded twice (F-F2).
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from hub import answers, doorbell, doors, ids, inbox
from hub.errors import Permanent
from hub.files import filed, looks, reading
from hub.models import Endpoint, InboundFile
from hub.models.states import advance
from hub.transports.folder_terms import FolderTerms
from hub.transports.shelves import DONE, QUARANTINE, Entry, Shelf

log = structlog.get_logger(__name__)
CHUNK = 200  # messages of one commit: what a crash makes the next try hand in once more
FOLDERS = {"loaded": DONE, "duplicate": DONE, "name_taken": QUARANTINE, "quarantined": QUARANTINE}


class BusyError(Exception):
    """Too many messages of this endpoint wait: the rest of the file is taken later."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Where one endpoint's files are taken in."""

    endpoint: Endpoint
    shelf: Shelf
    terms: FolderTerms
    busy: Callable[[], bool]


def take(desk: Desk, entry: Entry) -> InboundFile:
    """Take one complete file to its end; returns its row.

    Raises `StillChangingError` where it was not complete, `BusyError` where the hub has to catch up first, and
    `Transient` IF_FOLDER where the folder failed; the next try goes on from there.
    """
    row, content = _meet(desk, entry)
    if row.status == "reading":
        _load(desk, row, content)
    _put_away(desk, row, entry)
    return row


def _meet(desk: Desk, entry: Entry) -> tuple[InboundFile, bytes]:
    """The row of this name and content, found or made, and the content."""
    unread = _why_unread(entry, desk.terms)
    content = b"" if unread else desk.shelf.read(entry, desk.terms.max_bytes)
    digest = None if unread else hashlib.sha256(content).digest()
    with transaction.atomic():
        row = filed.known(desk.endpoint, entry.name, digest)
        if row is None:
            row = _new(desk, entry, digest, unread)
        elif row.lies_in:  # it was put away before, and here it is again
            filed.again(row)
    return row, content


def _why_unread(entry: Entry, terms: FolderTerms) -> str:
    if entry.kind != "file":
        return "It is a link or a device and no file; it was not followed."
    if entry.size > terms.max_bytes:
        return f"It has {entry.size} bytes; this endpoint takes {terms.max_bytes} (max_bytes)."
    return ""


def _new(desk: Desk, entry: Entry, digest: bytes | None, unread: str) -> InboundFile:
    """A row for what is seen for the first time, with what follows from its name and content alone (F-F3)."""
    now = timezone.now()
    row = InboundFile(
        endpoint=desk.endpoint, name=filed.shown(entry.name), size=entry.size, sha256=digest, seen_at=now,
        last_seen_at=now, modified_at=datetime.fromtimestamp(entry.modified_ns / 1e9, UTC), status="reading",
    )  # fmt: skip
    if unread:
        row.status, row.problem_code, row.problem = "quarantined", "IF_FILE", unread
    elif first := filed.of_content(desk.endpoint, digest):
        row.status, row.same_as, row.settled_at = "duplicate", first, now
    elif desk.terms.same_name == "case" and (other := filed.of_name(desk.endpoint, row.name)):
        row.status, row.problem_code = "name_taken", "IF_FILE_CHANGED"
        row.problem = f"Other content came under this name and was taken on {other.seen_at:%Y-%m-%d %H:%M} UTC."
    row.save(force_insert=True)
    filed.tell(row)
    return row


def _load(desk: Desk, row: InboundFile, content: bytes) -> None:
    """Hand its messages in, from where the last try ended."""
    try:
        _count_try(row)
        found = reading.messages(content, doors.terms(desk.endpoint), desk.terms, row.pk)
    except Permanent as error:
        filed.quarantine(row, error.code, error.text)
        return
    _note(row, rows=len(found))
    while row.handed < len(found):
        if desk.busy():
            _note(row, attempts=0)  # it is the hub that is slow, and not the file
            raise BusyError
        receipts = inbox.receive(found[row.handed : row.handed + CHUNK], now=timezone.now())
        # What this very file brought before a crash is not what was here before.
        before = [one for one in receipts if not one.fresh and ids.moment(one.message_id) < row.seen_at]
        refused = [one for one in receipts if one.answer != answers.STORED]
        _note(
            row, attempts=0, handed=row.handed + len(receipts), known=row.known + len(before),
            refused=row.refused + len(refused),
        )  # fmt: skip
        doorbell.work.press()
    with transaction.atomic():
        advance(row, "loaded", settled_at=timezone.now(), problem_code="", problem="")
        filed.cured(row)
    log.info("file_loaded", file_id=str(row.pk), endpoint=desk.endpoint.code, rows=row.rows)


def _count_try(row: InboundFile) -> None:
    """Written down before the work: a file that kills its reader is set aside like a message that does."""
    if row.attempts >= settings.MAX_ATTEMPTS:
        text = f"It was begun {row.attempts} times and never finished: something in it breaks the reader."
        raise Permanent("POISON", text)
    _note(row, attempts=row.attempts + 1)


def _note(row: InboundFile, **changes: int) -> None:
    for name, value in changes.items():
        setattr(row, name, value)
    row.save(update_fields=list(changes))


def _put_away(desk: Desk, row: InboundFile, entry: Entry) -> None:
    """Out of the way of the next look; what is not loaded gets its reason beside it, for people without the hub."""
    folder = FOLDERS[row.status]
    name = _free_name(desk.shelf, folder, row, entry.name)
    if folder == QUARANTINE:
        beside = name if _fits(name) else row.pk.hex
        desk.shelf.put(f"{beside}.reason.txt", f"{row.problem_code}: {row.problem}\n".encode(), folder)
    desk.shelf.move(entry.name, folder, name)
    if desk.terms.complete == "marker":
        desk.shelf.remove(looks.marker(entry.name))
    row.lies_in = f"{folder}/{filed.shown(name)}"
    row.save(update_fields=["lies_in"])


def _free_name(shelf: Shelf, folder: str, row: InboundFile, name: str) -> str:
    """Its own name; with the beginning of its content's hash (of its id, where it was not read) if that is taken."""
    if not shelf.has(name, folder):
        return name
    mark = bytes(row.sha256).hex()[:12] if row.sha256 is not None else row.pk.hex[-12:]
    if not _fits(name):
        return f"{row.pk.hex}.{mark}"
    stem, dot, suffix = name.rpartition(".")
    return f"{stem}.{mark}.{suffix}" if dot and stem else f"{name}.{mark}"


def _fits(name: str) -> bool:
    """Whether something may still be added to the name: file systems take 255 bytes."""
    return len(name.encode("utf-8", "surrogateescape")) <= 200
