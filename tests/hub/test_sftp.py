"""Folders behind SFTP, against a real server on loopback: the same promises as of any folder, and who it talks to."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub import access, interventions, vault
from hub.errors import Transient
from hub.ids import uuid7
from hub.models import ExceptionCase, InboundFile
from hub.transports import drops, sftp
from tests.faults import file_kit
from tests.faults.conftest import cheap_passwords, network  # noqa: F401  (fixtures)
from tests.faults.file_kit import Folder, batch, message, open_cases, stored
from tests.hub.sftp_server import PASSWORD, USER, Server, paramiko


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server whose root has the folder `in`."""
    running = Server(tmp_path)
    yield running
    running.close()


@pytest.fixture
def feed(network: Any, server: Server) -> Folder:  # noqa: F811
    """An inbound endpoint at that server."""
    made = file_kit.folder(server.root / "in", complete="rename")
    made.endpoint.transport, made.endpoint.port, made.endpoint.secret = "sftp", server.port, vault.seal(PASSWORD)
    made.set(folder="/in", host="127.0.0.1", user=USER, host_key=server.host_key)
    return made


def test_a_file_is_taken_from_the_partners_server(feed: Folder) -> None:
    """Read, stored, moved to done/ over there; a second look finds nothing to do."""
    feed.put("a.hl7", batch(message(1), message(2)))
    assert feed.look() == 1
    assert stored() == ["F1", "F2"]
    assert feed.rows() == [("a.hl7", "loaded", "done/a.hl7")]
    assert feed.names("done") == ["a.hl7"]
    assert feed.look() == 0
    assert open_cases() == {}


def test_what_is_not_whole_is_quarantined_over_there(feed: Folder) -> None:
    """With its reason beside it; the same content again and a known name are recognised as in any folder."""
    feed.put("a.hl7", batch(message(1), count=2))
    assert feed.look() == 1
    assert feed.names("quarantine") == ["a.hl7", "a.hl7.reason.txt"]
    feed.put("b.hl7", message(1))
    feed.put("c.hl7", message(1))
    assert feed.look() == 2
    assert sorted(InboundFile.objects.values_list("status", flat=True)) == ["duplicate", "loaded", "quarantined"]
    assert stored() == ["F1"]


def test_a_link_over_there_is_not_followed(feed: Folder) -> None:
    """It is moved out of the way, as in any folder."""
    (feed.path / "a.hl7").symlink_to(feed.path / "done")
    assert feed.look() == 1
    assert feed.rows() == [("a.hl7", "quarantined", "quarantine/a.hl7")]


def test_a_missing_folder_over_there_is_a_case(feed: Folder) -> None:
    """An unmounted share behind the server looks the same as one of ours."""
    feed.put("a.hl7", message(1))
    (feed.path / "done").rmdir()
    assert feed.look() == 0
    assert "Is the share mounted?" in ExceptionCase.objects.get(code="IF_FOLDER").text
    (feed.path / "done").mkdir()
    assert feed.look(after_s=300) == 1
    assert open_cases() == {}


def test_another_host_key_gets_no_password(feed: Folder, server: Server) -> None:
    """Whoever stands in for the partner's server learns nothing: the connection ends before we log in."""
    for stranger in (paramiko.ECDSAKey.generate(), paramiko.RSAKey.generate(2048)):
        feed.set(host_key=f"{stranger.get_name()} {stranger.get_base64()}")
        assert feed.look(after_s=300) == 0
    assert server.tried == []
    assert ExceptionCase.objects.get(code="IF_FOLDER").seen == 2


def test_a_wrong_password_is_told(feed: Folder) -> None:
    """The case says that logging in failed, and never with what."""
    feed.endpoint.secret = vault.seal("another password")
    feed.endpoint.save()
    assert feed.look() == 0
    text = ExceptionCase.objects.get(code="IF_FOLDER").text
    assert "cannot log in" in text
    assert "another password" not in text


def test_a_private_key_is_a_secret_too(feed: Folder, server: Server) -> None:
    """Set as any secret is, and pasted into one line: it is used instead of a password."""
    ours = paramiko.ECDSAKey.generate()
    server.keys.append(ours)
    written = io.StringIO()
    ours.write_private_key(written)
    interventions.set_secret(feed.endpoint, secret=written.getvalue(), by=access.SYSTEM)
    feed.put("a.hl7", message(1))
    assert feed.look() == 1
    assert set(server.tried) == {"key"}


def test_a_server_at_an_inner_address_needs_the_sites_word(feed: Folder, server: Server, settings: Any) -> None:
    """S-11 holds here, too."""
    settings.OUTBOUND_NETWORKS = ()
    assert feed.look() == 0
    assert ExceptionCase.objects.get(code="IF_ADDRESS").severity == 2
    assert server.tried == []
    assert server.transports == []


@pytest.mark.parametrize("key", ["", "ssh-ed25519", "ssh-ed25519 not/base64!"])
def test_without_a_host_key_nothing_is_opened(feed: Folder, server: Server, key: str) -> None:
    """There is no "accept whatever it shows"."""
    feed.set(host_key=key)
    with pytest.raises(Transient, match="host_key"), drops.open_shelf(feed.endpoint):
        pass
    assert server.transports == []


def test_a_drop_over_sftp_is_one_file(feed: Folder) -> None:
    """Written under a hidden name and renamed; found again by the call's id."""
    call = uuid7()
    for _ in range(2):
        assert drops.drop(feed.endpoint, call, message(1)).kind == "ok"
    assert feed.names() == [f"{call}.hl7"]
    assert (feed.path / f"{call}.hl7").read_bytes() == message(1)
    assert drops.find(feed.endpoint, call).kind == "ok"
    assert drops.find(feed.endpoint, uuid7()).kind == "absent"
    assert "can be read and written; 1 files" in drops.probe(feed.endpoint)


def test_without_paramiko_it_says_what_to_install(feed: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is named in the case."""
    monkeypatch.setattr(sftp, "paramiko", None)
    assert feed.look() == 0
    assert "requirements/sftp.txt" in ExceptionCase.objects.get(code="IF_FOLDER").text
