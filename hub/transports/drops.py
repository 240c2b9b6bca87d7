"""Files dropped into a partner's folder, once each and never half; and a look at whether the folder works."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from hub.errors import HubError
from hub.models import Endpoint
from hub.routing import Outcome
from hub.transports import folder, folder_terms, sftp
from hub.transports.shelves import DONE, Shelf, require_ours


@contextmanager
def open_shelf(endpoint: Endpoint) -> Iterator[Shelf]:
    """The endpoint's folder, open for as long as the block lasts."""
    path = folder_terms.read(endpoint).folder
    with folder.opened(path) if endpoint.transport == "folder" else sftp.opened(endpoint, path) as shelf:
        yield shelf


def file_name(dispatch_id: UUID, suffix: str) -> str:
    """A dropped file's name is its call's id: tried again, it is the same file."""
    return f"{dispatch_id}{suffix}"


def drop(endpoint: Endpoint, dispatch_id: UUID, content: bytes, *, suffix: str = ".hl7") -> Outcome:
    """Put one file into the partner's folder, once: one that is there, or was taken to done/, is not written again."""
    name = file_name(dispatch_id, suffix)
    try:
        with open_shelf(endpoint) as shelf:
            if not _there(shelf, name):
                shelf.put(name, content)
    except HubError as error:
        # Renaming is the last step. Where it is the one that failed, the look-up finds out; nothing is written twice.
        return Outcome("retryable", code=error.code, text=error.text)
    return Outcome("ok", reference=name)


def find(endpoint: Endpoint, dispatch_id: UUID, *, suffix: str = ".hl7") -> Outcome:
    """Whether the file is in the folder or in its done/: then the partner has it or will take it.

    Where the partner removes what it took instead of moving it to done/, a file that is not there tells nothing.
    """
    name = file_name(dispatch_id, suffix)
    try:
        with open_shelf(endpoint) as shelf:
            if _there(shelf, name):
                return Outcome("ok", reference=name)
            if shelf.has(f".{name}.part") or shelf.has_folder(DONE):
                return Outcome("absent")
    except HubError as error:
        return Outcome("unknown", code=error.code, text=error.text)
    text = "the file is not there, and without a done/ beside it nobody knows whether the partner took it"
    return Outcome("unknown", code="IF_FOLDER", text=text)


def _there(shelf: Shelf, name: str) -> bool:
    return shelf.has(name) or shelf.has(name, DONE)


def probe(endpoint: Endpoint) -> str:
    """Look at the folder and write a trial file into it; returns what was found. Raises `HubError` IF_FOLDER."""
    terms = folder_terms.read(endpoint)
    with open_shelf(endpoint) as shelf:
        if endpoint.direction == "in":
            require_ours(shelf, terms.folder)
        files = sum(entry.kind == "file" for entry in shelf.entries())
        shelf.put(".throughline-trial", b"The hub tried whether it can write here.\n")
        shelf.remove(".throughline-trial")
    return f"{terms.folder} can be read and written; {files} files lie in it."
