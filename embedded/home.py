"""The private folder in which embedded servers live, and who owns it."""

import hashlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from embedded import runas
from embedded.errors import EmbeddedError

PRIVATE_DIR = 0o700
PRIVATE_FILE = 0o600
LOG_LIMIT = 5_000_000  # bytes
SOCKET_PATH_LIMIT = 107  # bytes of sockaddr_un.sun_path on Linux, less its closing zero


@dataclass(frozen=True, slots=True)
class Home:
    """`folder` holds databases, logs and passwords (0700); `run_as` says who the servers run as."""

    folder: Path
    run_as: runas.RunAs

    def make(self, name: str) -> Path:
        """A private sub-folder that the servers' user owns; making it again is harmless."""
        path = self.folder / name
        path.mkdir(mode=PRIVATE_DIR, parents=True, exist_ok=True)
        self.give(path)
        return path

    def give(self, path: Path) -> None:
        """Hand `path` to the servers' user."""
        if self.run_as.uid is not None:
            os.chown(path, self.run_as.uid, self.run_as.uid)

    def secret(self, name: str) -> str:
        """The secret kept under `name`, made on first use; only this folder's owner can read it."""
        return keep_secret(self.folder / name)

    def log(self, name: str) -> Path:
        """The log file of a server; a long one is begun anew, with the old one kept beside it."""
        path = self.folder / f"{name}.log"
        if path.exists() and path.stat().st_size > LOG_LIMIT:
            path.rename(path.with_suffix(".log.1"))
        return path

    def program(self, path: Path, *, root: Path, parts: tuple[str, ...]) -> Path:
        """`path`, or where it lies in a copy (of `parts` below `root`) that the servers' user can reach."""
        if self.run_as.uid is None or reachable(path):
            return path
        about = path.stat()
        version = hashlib.sha256(f"{path} {about.st_mtime_ns} {about.st_size}".encode()).hexdigest()[:12]
        copy = self.make("programs") / version
        if not copy.exists():
            half = copy.with_name(f"{version}.new")
            shutil.rmtree(half, ignore_errors=True)
            for part in parts:
                if (root / part).exists():  # not every wheel brings a folder of libraries
                    copy_tree(root / part, half / part)
            half.rename(copy)
        return copy / path.relative_to(root)


def open_home(data_dir: Path, *, run_as: runas.RunAs | None = None) -> Home:
    """Make (or find) the private folder for `data_dir`.

    It is `data_dir` itself, unless root has to use an account that cannot enter one of its parents; then it lies under
    the system's temporary-but-kept folder, and `data_dir/elsewhere` says where.
    """
    data_dir.mkdir(mode=PRIVATE_DIR, parents=True, exist_ok=True)
    pointer = data_dir / "elsewhere"
    if run_as is None:
        run_as = runas.choose(Path(pointer.read_text()) if pointer.exists() else data_dir / "postgres")
    folder = data_dir
    if run_as.uid is not None and not reachable(data_dir.parent):
        folder = elsewhere(data_dir)
        pointer.write_text(str(folder))
    home = Home(folder, run_as)
    folder.mkdir(mode=PRIVATE_DIR, parents=True, exist_ok=True)
    home.give(folder)
    folder.chmod(PRIVATE_DIR)
    return home


def remove_home(data_dir: Path) -> None:
    """Remove the private folder of `data_dir`, wherever it lies."""
    pointer = data_dir / "elsewhere"
    if pointer.exists():
        shutil.rmtree(elsewhere(data_dir.resolve()), ignore_errors=True)
    shutil.rmtree(data_dir)


def elsewhere(data_dir: Path) -> Path:
    """The folder that stands in for an unreachable `data_dir`; the same one every time."""
    mark = hashlib.sha256(str(data_dir).encode()).hexdigest()[:12]
    base = Path("/var/tmp") if Path("/var/tmp").is_dir() else Path(tempfile.gettempdir())  # noqa: S108 - survives a reboot
    folder = base / f"throughline-{mark}"
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise EmbeddedError(f"{folder} is not a folder of ours; remove it and start again")
    return folder


def copy_tree(source: Path, target: Path) -> None:
    """Copy a file or a folder, making the folders above the target."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copy2(source, target)


def reachable(path: Path) -> bool:
    """Whether any account may enter every folder on the way to `path`, and `path` itself."""
    return all(step.stat().st_mode & 0o001 for step in (path, *path.parents))


def random_word() -> str:
    """256 random bits as text that needs no quoting in a URL, a shell or a configuration file."""
    return secrets.token_urlsafe(32)


def keep_secret(path: Path, make: Callable[[], str] = random_word) -> str:
    """The text kept in `path`, or a fresh one from `make` written there for its owner alone."""
    if not path.exists():
        half = path.with_name(path.name + ".new")
        half.unlink(missing_ok=True)
        descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
        with os.fdopen(descriptor, "w") as file:
            file.write(make())
        half.rename(path)
    return path.read_text().strip()
