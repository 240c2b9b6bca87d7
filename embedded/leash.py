"""Replaces itself with a command that dies with its parent, dropping root on the way if told to.

Run as a script, never imported by the product: `python leash.py --signal 2 --parent 4711 [--user-namespace |
--uid 65534 --gid 65534] -- argv...`. Being a program of its own, it needs no code between fork and exec of a parent
that may have threads, and it costs no memory: `exec` keeps the process id and nothing else.
"""

import argparse
import ctypes
import os
import pwd
import sys
from collections.abc import Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1  # linux/prctl.h
CLONE_NEWUSER = 0x10000000  # linux/sched.h
NOBODY = 65534  # inside a namespace it also stands for everybody who is not mapped, so it is our last choice


def die_with_parent(signal_number: int, parent: int) -> None:
    """Ask the kernel to send us `signal_number` when our parent ends (Linux; elsewhere nothing is promised)."""
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) was refused")
    if os.getppid() != parent:  # the parent ended before the kernel knew of our wish
        raise SystemExit(f"leash: parent {parent} is gone, not starting")


def enter_user_namespace() -> None:
    """Become an ordinary user of a new user namespace: no capability is left, files stay those of who we were."""
    uid, gid = os.getuid(), os.getgid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWUSER) was refused")
    inside = known_id()
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{inside} {uid} 1\n")
    Path("/proc/self/gid_map").write_text(f"{inside} {gid} 1\n")


def known_id() -> int:
    """Who to be inside the namespace: not root, and an account that has a name, because initdb looks it up."""
    return next((entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid not in (0, NOBODY)), NOBODY)


def become(uid: int, gid: int) -> None:
    """Drop from root to `uid`:`gid` for good."""
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def main(arguments: Sequence[str]) -> None:
    """Read the options, drop privileges, tie the leash, exec the command."""
    parser = argparse.ArgumentParser(prog="leash", description=__doc__)
    parser.add_argument("--signal", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--user-namespace", action="store_true")
    parser.add_argument("--uid", type=int)
    parser.add_argument("--gid", type=int)
    parser.add_argument("argv", nargs="+")
    options = parser.parse_args(arguments)
    if options.user_namespace:
        enter_user_namespace()
    elif options.uid is not None:
        become(options.uid, options.uid if options.gid is None else options.gid)
    die_with_parent(options.signal, options.parent)  # last: a change of credentials unties the leash
    try:
        os.execvp(options.argv[0], options.argv)  # noqa: S606 - running the given command is what a leash is for
    except OSError as error:
        raise SystemExit(f"leash: cannot run {options.argv[0]}: {error.strerror}") from error


if __name__ == "__main__":
    main(sys.argv[1:])
