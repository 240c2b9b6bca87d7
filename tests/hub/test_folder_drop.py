"""Files dropped for a partner: whole or not at all, once, and found again."""

import os
from pathlib import Path
from typing import Any

import pytest

from hub.errors import Transient
from hub.ids import uuid7
from hub.models import Endpoint
from hub.transports import drops


@pytest.fixture
def endpoint(tmp_path: Path, settings: Any) -> Endpoint:
    """An outbound folder, never stored."""
    settings.FOLDER_ROOTS = [str(tmp_path)]
    (tmp_path / "out").mkdir()
    return Endpoint(
        code="out", name="Out", direction="out", transport="folder", settings={"folder": str(tmp_path / "out")}
    )


def names(endpoint: Endpoint) -> list[str]:
    """What lies in its folder."""
    return sorted(path.name for path in Path(endpoint.settings["folder"]).iterdir())


def test_a_drop_is_one_whole_file_however_often_it_is_tried(endpoint: Endpoint) -> None:
    """Its name is the call's id; the second try finds the first."""
    call = uuid7()
    for content in (b"MSH|first", b"MSH|second"):
        outcome = drops.drop(endpoint, call, content)
        assert (outcome.kind, outcome.reference) == ("ok", f"{call}.hl7")
    assert names(endpoint) == [f"{call}.hl7"]
    assert (Path(endpoint.settings["folder"]) / f"{call}.hl7").read_bytes() == b"MSH|first"


def test_what_the_partner_took_to_done_is_not_dropped_again(endpoint: Endpoint) -> None:
    """The look-up finds it there, too."""
    call, path = uuid7(), Path(endpoint.settings["folder"])
    drops.drop(endpoint, call, b"MSH|")
    (path / "done").mkdir()
    (path / f"{call}.hl7").rename(path / "done" / f"{call}.hl7")
    assert drops.find(endpoint, call).kind == "ok"
    assert drops.drop(endpoint, call, b"MSH|").kind == "ok"
    assert names(endpoint) == ["done"]


def test_a_file_that_is_gone_is_absent_only_where_done_would_show_it(endpoint: Endpoint) -> None:
    """A partner that deletes what it took leaves a doubt; an unfinished name of ours leaves none."""
    call, path = uuid7(), Path(endpoint.settings["folder"])
    assert drops.find(endpoint, call).kind == "unknown"
    (path / f".{call}.hl7.part").write_bytes(b"MS")
    assert drops.find(endpoint, call).kind == "absent"
    assert drops.drop(endpoint, call, b"MSH|").kind == "ok"
    (path / "done").mkdir()
    assert drops.find(endpoint, uuid7()).kind == "absent"


def test_nobody_sees_half_a_file(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until it is durable it has a hidden name; a disk that fails leaves nothing that a partner would take."""

    def fails(fd: int) -> None:
        assert names(endpoint) == [f".{call}.hl7.part"]
        raise OSError(5, "Input/output error")

    call = uuid7()
    monkeypatch.setattr(os, "fsync", fails)
    outcome = drops.drop(endpoint, call, b"MSH|")
    assert (outcome.kind, outcome.code) == ("retryable", "IF_FOLDER")
    assert names(endpoint) == [f".{call}.hl7.part"]


def test_a_folder_that_is_away_drops_nothing_and_says_nothing(endpoint: Endpoint) -> None:
    """Not dropped is known; whether it was dropped before is not."""
    Path(endpoint.settings["folder"]).rmdir()
    assert drops.drop(endpoint, uuid7(), b"MSH|").kind == "retryable"
    assert drops.find(endpoint, uuid7()).kind == "unknown"
    with pytest.raises(Transient):
        drops.probe(endpoint)


def test_probing_leaves_nothing_behind(endpoint: Endpoint) -> None:
    """It writes a trial file and removes it."""
    assert "can be read and written; 0 files lie in it" in drops.probe(endpoint)
    assert names(endpoint) == []
