"""Who runs the servers: one row for each kind of machine."""

import os
from pathlib import Path

import pytest

from embedded import runas
from embedded.errors import EmbeddedError

NOBODY = runas.account(runas.NOBODY)


@pytest.mark.parametrize(
    ("uid", "named", "namespaces", "expected"),
    [
        (0, True, True, runas.NAMESPACE),
        (0, True, False, NOBODY),
        (4242, True, True, runas.OURSELVES),
        (4242, True, False, runas.OURSELVES),
        (4242, False, True, runas.NAMESPACE),  # a container's made-up id: initdb wants an account with a name
        (4242, False, False, runas.OURSELVES),  # initdb will say what is missing
    ],
)
def test_a_new_folder(
    monkeypatch: pytest.MonkeyPatch, uid: int, named: bool, namespaces: bool, expected: runas.RunAs
) -> None:
    """Root steps aside, a plain user runs the servers directly, an account without a name borrows one."""
    pretend(monkeypatch, uid, named=named, namespaces=namespaces)
    assert runas.choose(Path("/no/such/folder")) == expected


def test_the_owner_of_the_files_decides(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What an account began it goes on with, and nobody but root and the owner can use a folder."""
    owner = tmp_path.stat().st_uid
    pretend(monkeypatch, 0, named=True, namespaces=True)
    assert runas.choose(tmp_path) == (runas.account(owner) if owner else runas.NAMESPACE)
    pretend(monkeypatch, owner + 1, named=True, namespaces=True)
    with pytest.raises(EmbeddedError, match=f"belongs to uid {owner}, and you are uid {owner + 1}"):
        runas.choose(tmp_path)


def pretend(monkeypatch: pytest.MonkeyPatch, uid: int, *, named: bool, namespaces: bool) -> None:
    """Stand in for another machine."""
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    monkeypatch.setattr(runas, "has_name", lambda _uid: named)
    monkeypatch.setattr(runas, "namespaces_work", lambda: namespaces)
