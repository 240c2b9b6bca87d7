"""What a folder has to be able to do, wherever it is: on this machine, on a mounted share, or behind SFTP.

Everything that goes wrong with the folder itself is `Transient` IF_FOLDER, with a text that says what to look at:
nothing was loaded or dropped, and it is tried again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from hub.errors import Transient

DONE, QUARANTINE = "done", "quarantine"


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a folder, as one look found it."""

    name: str
    size: int
    modified_ns: int
    kind: str = "file"  # file | folder | link | other


class StillChangingError(Exception):
    """The file changed while it was read: it was not complete, whatever the rule said."""


class Shelf(Protocol):
    """An open folder."""

    def entries(self) -> list[Entry]:
        """What lies in it, oldest first; folders, links and others too."""
        ...

    def read(self, entry: Entry, limit: int) -> bytes:
        """The whole file, `limit` bytes at most. Raises `StillChangingError` where it is not what the look found."""
        ...

    def move(self, name: str, folder: str, to: str) -> None:
        """Into one of its sub-folders, under this name; what has that name there is replaced."""
        ...

    def has(self, name: str, folder: str = "") -> bool:
        """Whether there is something of this name in it, or in one of its sub-folders."""
        ...

    def has_folder(self, folder: str) -> bool:
        """Whether it has this sub-folder."""
        ...

    def put(self, name: str, content: bytes, folder: str = "") -> None:
        """Write a file so that nobody ever sees half of it: another name, then durable, then renamed."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file of our own making (a marker, a trial); one that is not there is removed already."""
        ...


@contextmanager
def blamed(where: str, doing: str) -> Iterator[None]:
    """Errors of the operating system as `Transient` IF_FOLDER, with what was tried, and where."""
    try:
        yield
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise Transient("IF_FOLDER", f"{where}: cannot {doing}: {why}", where=where) from error


def require_ours(shelf: Shelf, where: str) -> None:
    """The sub-folders are how the hub knows that the share is mounted: an empty mount point has none."""
    missing = [folder for folder in (DONE, QUARANTINE) if not shelf.has_folder(folder)]
    if missing:
        names = " and ".join(f"{folder}/" for folder in missing)
        raise Transient(
            "IF_FOLDER",
            f"{where} has no {names} in it. Is the share mounted? In a new folder make them, writable for the hub.",
            where=where,
        )
