"""Folders of this machine, or of a share that is mounted there."""

import os
import stat
from pathlib import Path
from types import TracebackType

from django.conf import settings

from hub.errors import Transient
from hub.transports.shelves import Entry, StillChangingError, blamed

ROOTS = "THROUGHLINE_FOLDER_ROOTS"
_KINDS = ((stat.S_ISREG, "file"), (stat.S_ISDIR, "folder"), (stat.S_ISLNK, "link"))


def allowed(path: str) -> Path:
    """The real path of a folder, where it lies below one of the site's roots; `Transient` IF_FOLDER elsewhere.

    Whoever may edit an endpoint could otherwise have the hub read and move away any file of this machine.
    """
    with blamed(path, "find it"):
        real = Path(path).resolve()
        roots = [Path(root).resolve() for root in settings.FOLDER_ROOTS]
    if not Path(path).is_absolute() or not any(real.is_relative_to(root) for root in roots):
        named = ", ".join(settings.FOLDER_ROOTS) or "none"
        text = f"{path} lies below no folder that {ROOTS} names ({named}): correct the endpoint, or that setting"
        raise Transient("IF_FOLDER", text, where=path)
    return real


class LocalShelf:
    """A folder held open: what is done in it stays in it, even when its path leads elsewhere a moment later."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with blamed(str(path), "open the folder"):
            self._fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)

    def __enter__(self) -> "LocalShelf":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self._fd)

    def entries(self) -> list[Entry]:
        """What lies in it, oldest first."""
        found = []
        with blamed(str(self.path), "list the folder"), os.scandir(self._fd) as names:
            for name in names:
                try:
                    found.append(_entry(name.name, os.stat(name.name, dir_fd=self._fd, follow_symlinks=False)))
                except FileNotFoundError:  # its sender took it back
                    continue
        return sorted(found, key=lambda entry: (entry.modified_ns, entry.name))

    def read(self, entry: Entry, limit: int) -> bytes:
        """The whole file, if it is still the one that was looked at."""
        with blamed(str(self.path), "read a file"):
            # Neither a link's target nor a pipe that nobody writes to.
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
            with os.fdopen(os.open(entry.name, flags, dir_fd=self._fd), "rb") as file:
                before = _entry(entry.name, os.fstat(file.fileno()))
                content = file.read(limit + 1) if before.kind == "file" else b""
                after = _entry(entry.name, os.fstat(file.fileno()))
        if before != entry or after != entry or len(content) != entry.size:
            raise StillChangingError
        return content

    def move(self, name: str, folder: str, to: str) -> None:
        """Into a sub-folder."""
        with blamed(str(self.path), f"move a file into {folder}/"):
            os.rename(name, f"{folder}/{to}", src_dir_fd=self._fd, dst_dir_fd=self._fd)
            self._sync(folder)
            os.fsync(self._fd)

    def has(self, name: str, folder: str = "") -> bool:
        """Whether something of that name is there."""
        with blamed(str(self.path), "look a name up"):
            return self._mode(f"{folder}/{name}" if folder else name) is not None

    def has_folder(self, folder: str) -> bool:
        """Whether it has this sub-folder, and not a link to one."""
        with blamed(str(self.path), "look for its sub-folders"):
            mode = self._mode(folder)
        return mode is not None and stat.S_ISDIR(mode)

    def put(self, name: str, content: bytes, folder: str = "") -> None:
        """Written under another name, made durable, then renamed."""
        prefix = f"{folder}/" if folder else ""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        with blamed(str(self.path), "write a file"):
            with os.fdopen(os.open(f"{prefix}.{name}.part", flags, 0o640, dir_fd=self._fd), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.rename(f"{prefix}.{name}.part", prefix + name, src_dir_fd=self._fd, dst_dir_fd=self._fd)
            self._sync(folder or ".")

    def remove(self, name: str) -> None:
        """Gone afterwards."""
        with blamed(str(self.path), "remove a file"):
            try:
                os.unlink(name, dir_fd=self._fd)
            except FileNotFoundError:
                return

    def _mode(self, path: str) -> int | None:
        try:
            return os.stat(path, dir_fd=self._fd, follow_symlinks=False).st_mode
        except FileNotFoundError:
            return None

    def _sync(self, folder: str) -> None:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY, dir_fd=self._fd)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _entry(name: str, found: os.stat_result) -> Entry:
    kind = next((kind for is_it, kind in _KINDS if is_it(found.st_mode)), "other")
    return Entry(name, found.st_size, found.st_mtime_ns, kind)


def opened(path: str) -> LocalShelf:
    """The folder, open."""
    return LocalShelf(allowed(path))
