"""Who runs a server: PostgreSQL refuses to run as root, so root has to step aside first."""

import os
import pwd
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from embedded.errors import EmbeddedError

LEASH = Path(__file__).with_name("leash.py")
NOBODY = 65534  # the traditional id of a user who owns nothing
PROBE_S = 20


@dataclass(frozen=True, slots=True)
class RunAs:
    """How a command is started: `flags` for the leash, and the `uid` that owns its files (None: our own)."""

    name: str
    flags: tuple[str, ...] = ()
    uid: int | None = None


OURSELVES = RunAs("the user who started us")
NAMESPACE = RunAs("an ordinary user of a private user namespace", ("--user-namespace",))


def account(uid: int) -> RunAs:
    """Run as the plain account `uid` (root only)."""
    return RunAs(f"uid {uid}", ("--uid", str(uid), "--gid", str(uid)), uid)


def leashed(argv: list[str], *, run_as: RunAs = OURSELVES, signal_number: int) -> list[str]:
    """`argv` behind the leash: it gets `signal_number` when the calling process ends, however it ends."""
    interpreter = [sys.executable, "-I", "-S", str(LEASH)]
    return [*interpreter, "--signal", str(signal_number), "--parent", str(os.getpid()), *run_as.flags, "--", *argv]


def choose(data_dir: Path) -> RunAs:
    """The user for servers whose files lie in `data_dir`.

    A plain user runs them directly (inside a namespace if the account has no name, as in some containers: initdb
    insists on one). Root prefers a user namespace, because it works under a parent folder that only
    root can enter (a 0700 home); where the kernel or a container refuses namespaces, an account without rights.
    Files that already belong to such an account decide, so that a folder is always run the way it was begun.
    """
    owner = data_dir.stat().st_uid if data_dir.exists() else None
    if os.geteuid() != 0:
        if owner not in (None, os.geteuid()):
            raise EmbeddedError(
                f"{data_dir} belongs to uid {owner}, and you are uid {os.geteuid()}. "
                "Run as its owner, name another folder with --data, or remove it."
            )
        return OURSELVES if has_name(os.geteuid()) or not namespaces_work() else NAMESPACE
    if owner:
        return account(owner)
    return NAMESPACE if namespaces_work() else account(NOBODY)


def has_name(uid: int) -> bool:
    """Whether the system's list of accounts knows the id."""
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def namespaces_work() -> bool:
    """Whether the kernel lets us make a user namespace (containers often refuse)."""
    probe = leashed(["true"], run_as=NAMESPACE, signal_number=9)
    return subprocess.run(probe, capture_output=True, timeout=PROBE_S, check=False).returncode == 0
