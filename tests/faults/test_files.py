"""Files in folders, whatever happens to them (F-F1 to F-F5): resumed, known again, or set aside with a reason."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from hub import inbox
from hub.files import intake
from hub.models import AuditEntry, ExceptionCase, InboundFile, Message
from hub.transports.folder import LocalShelf
from hub.transports.shelves import Entry, StillChangingError
from tests.faults import file_kit
from tests.faults.file_kit import Folder, batch, charges, message, open_cases, stored


@pytest.fixture
def inbox_folder(network: Any, tmp_path: Path, settings: Any) -> Folder:
    """An empty folder below the site's root."""
    settings.FOLDER_ROOTS = [str(tmp_path)]
    return file_kit.folder(tmp_path / "in")


# --- F-F1: still being written ----------------------------------------------------------------------------------------
def test_a_file_that_grows_is_left_alone(inbox_folder: Folder) -> None:
    """F-F1: two looks have to find the same size and time, `stable_s` apart."""
    whole = message(1) + message(2)
    path = inbox_folder.put("a.hl7", whole[:50])
    assert inbox_folder.look() == 0
    path.write_bytes(whole[:120])
    assert inbox_folder.look() == 0
    path.write_bytes(whole)
    assert inbox_folder.look() == 0
    inbox_folder.runner.feeds[inbox_folder.endpoint.pk].next_at = 0
    assert inbox_folder.look(after_s=9) == 0
    assert stored() == []
    assert inbox_folder.look() == 1
    assert stored() == ["F1", "F2"]
    assert inbox_folder.rows() == [("a.hl7", "loaded", "done/a.hl7")]
    assert inbox_folder.names("done") == ["a.hl7"]
    assert charges() == 2


def test_a_file_that_changes_while_it_is_read_is_put_down(
    inbox_folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-F1: what was read is compared with what was looked at; nothing of a half is loaded."""
    inbox_folder.set(complete="rename")
    path = inbox_folder.put("a.hl7", message(1))
    with LocalShelf(inbox_folder.path) as shelf:
        (entry,) = [one for one in shelf.entries() if one.kind == "file"]
        path.write_bytes(message(1) + message(2))
        with pytest.raises(StillChangingError):
            shelf.read(entry, 10_000)
    real = LocalShelf.read

    def grows(self: LocalShelf, entry: Entry, limit: int) -> bytes:
        monkeypatch.setattr(LocalShelf, "read", real)
        with path.open("ab") as file:
            file.write(message(3))
        return real(self, entry, limit)

    monkeypatch.setattr(LocalShelf, "read", grows)
    assert inbox_folder.look() == 0
    assert InboundFile.objects.count() == 0
    assert inbox_folder.look() == 1
    assert stored() == ["F1", "F2", "F3"]


def test_unfinished_names_wait_for_their_rename(inbox_folder: Folder) -> None:
    """F-F1: `rename` takes a file with its final name at once, and never one with a sender's own name for a draft."""
    inbox_folder.set(complete="rename", pattern="*.hl7")
    for name in ("a.hl7.part", ".a.hl7", "a.hl7.tmp", "a.txt"):
        inbox_folder.put(name, message(1))
    assert inbox_folder.look() == 0
    (inbox_folder.path / "a.hl7.part").rename(inbox_folder.path / "a.hl7")
    assert inbox_folder.look() == 1
    assert stored() == ["F1"]
    assert inbox_folder.names() == [".a.hl7", "a.hl7.tmp", "a.txt"]


def test_a_marker_says_that_its_file_is_complete(inbox_folder: Folder) -> None:
    """F-F1: the marker goes when the file goes, and is no file of its own."""
    inbox_folder.set(complete="marker")
    inbox_folder.put("a.hl7", message(1))
    inbox_folder.put("b.hl7.done", b"")
    assert inbox_folder.settle() == 0
    inbox_folder.put("a.hl7.done", b"")
    assert inbox_folder.look() == 1
    assert stored() == ["F1"]
    assert inbox_folder.names() == ["b.hl7.done"]


# --- F-F2: a crash in the middle --------------------------------------------------------------------------------------
class Crash(BaseException):
    """As if the process had been killed here: nobody catches it."""


@pytest.mark.parametrize("stored_before", [True, False])
@pytest.mark.parametrize("chunk", [1, 2, 3])
def test_after_a_crash_the_file_goes_on_where_it_ended(
    inbox_folder: Folder, monkeypatch: pytest.MonkeyPatch, chunk: int, stored_before: bool
) -> None:
    """F-F2: killed in each chunk, before or after its commit; at the end every message is there once."""
    monkeypatch.setattr(intake, "CHUNK", 2)
    inbox_folder.set(complete="rename")
    inbox_folder.put("a.hl7", batch(*map(message, range(6))))
    real, calls = inbox.receive, [0]

    def dies(arrivals: Any, *, now: Any) -> Any:
        calls[0] += 1
        receipts = real(arrivals, now=now) if stored_before or calls[0] != chunk else None
        if calls[0] == chunk:
            raise Crash
        return receipts

    monkeypatch.setattr(inbox, "receive", dies)
    with pytest.raises(Crash):
        inbox_folder.look()
    row = InboundFile.objects.get()
    assert (row.status, row.handed) == ("reading", 2 * (chunk - 1))
    inbox_folder.restart()
    assert inbox_folder.look() == 1
    row.refresh_from_db()
    assert (row.status, row.rows, row.handed, row.known, row.refused) == ("loaded", 6, 6, 0, 0)
    assert calls[0] == 3 + 1
    assert stored() == [f"F{n}" for n in range(6)]
    assert charges() == 6
    assert set(Message.objects.values_list("correlation_id", flat=True)) == {row.pk}


def test_a_crash_between_the_last_row_and_the_move_loads_nothing_again(
    inbox_folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-F2: a file that was loaded and not moved is only moved."""
    inbox_folder.set(complete="rename")
    inbox_folder.put("a.hl7", message(1))
    real = LocalShelf.move

    def dies(*_: Any) -> None:
        raise Crash

    monkeypatch.setattr(LocalShelf, "move", dies)
    with pytest.raises(Crash):
        inbox_folder.look()
    monkeypatch.setattr(LocalShelf, "move", real)
    monkeypatch.setattr(inbox, "receive", dies)
    inbox_folder.restart()
    assert inbox_folder.look() == 1
    assert inbox_folder.rows() == [("a.hl7", "loaded", "done/a.hl7")]
    assert InboundFile.objects.get().times == 1
    assert stored() == ["F1"]


def test_a_file_that_kills_its_reader_is_set_aside(
    inbox_folder: Folder, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """F-P2 for files: each try is written down before the work; after five of them a person looks."""
    inbox_folder.set(complete="rename")
    inbox_folder.put("bad.hl7", message(1))

    def dies(*_: Any) -> None:
        raise Crash

    monkeypatch.setattr(intake.reading, "messages", dies)
    for _ in range(settings.MAX_ATTEMPTS):
        inbox_folder.restart()
        with pytest.raises(Crash):
            inbox_folder.look()
    inbox_folder.restart()
    assert inbox_folder.look() == 1
    assert inbox_folder.rows() == [("bad.hl7", "quarantined", "quarantine/bad.hl7")]
    assert InboundFile.objects.get().problem_code == "POISON"
    assert open_cases() == {"IF_FILE": 1}


# --- F-F3: the same again, and not quite the same ---------------------------------------------------------------------
def test_the_same_content_is_noted_and_not_loaded(inbox_folder: Folder) -> None:
    """F-F3: under its own name it is the same row, under another name a row that names the first."""
    inbox_folder.set(complete="rename")
    inbox_folder.put("a.hl7", message(1))
    assert inbox_folder.look() == 1
    inbox_folder.put("a.hl7", message(1))
    inbox_folder.put("b.hl7", message(1))
    assert inbox_folder.look() == 2
    first, second = InboundFile.objects.order_by("pk")
    assert (first.status, first.times) == ("loaded", 2)
    assert (second.status, second.same_as, second.rows) == ("duplicate", first, None)
    assert sorted(inbox_folder.names("done")) == sorted(["a.hl7", "b.hl7", f"a.{bytes(first.sha256).hex()[:12]}.hl7"])
    assert stored() == ["F1"]
    assert open_cases() == {}


def test_a_known_name_with_other_content_waits_for_a_person(inbox_folder: Folder) -> None:
    """F-F3: nothing of it is loaded; under a new name it is, because its content was never seen."""
    inbox_folder.set(complete="rename")
    inbox_folder.put("daily.hl7", message(1))
    inbox_folder.look()
    inbox_folder.put("daily.hl7", message(2))
    assert inbox_folder.look() == 1
    assert stored() == ["F1"]
    assert open_cases() == {"IF_FILE_CHANGED": 1}
    reason = (inbox_folder.path / "quarantine/daily.hl7.reason.txt").read_text()
    assert reason.startswith("IF_FILE_CHANGED: Other content came under this name")
    (inbox_folder.path / "quarantine/daily.hl7").rename(inbox_folder.path / "daily-2.hl7")
    assert inbox_folder.look() == 1
    assert stored() == ["F1", "F2"]


def test_a_sender_with_one_name_for_all_its_files_is_loaded(inbox_folder: Folder) -> None:
    """F-F3: the endpoint says so; done/ keeps both files."""
    inbox_folder.set(complete="rename", same_name="load")
    for number in (1, 2):
        inbox_folder.put("daily.hl7", message(number))
        assert inbox_folder.look() == 1
    assert stored() == ["F1", "F2"]
    assert len(inbox_folder.names("done")) == 2
    assert open_cases() == {}


# --- F-F4: what is not what it claims to be ---------------------------------------------------------------------------
THREE = [message(n) for n in range(3)]
BAD = {
    "count": (batch(*THREE, count=4), "IF_BATCH_COUNT", "BTS-1 says 4, found 3"),
    "trailer": (batch(*THREE, end=False), "IF_BATCH_COUNT", "BHS without BTS"),
    "cut off": (batch(*THREE)[:-9], "IF_BATCH_COUNT", "FHS without FTS"),
    "not a number": (batch(*THREE).replace(b"BTS|3", b"BTS|many"), "IF_BATCH_COUNT", "BTS-1 is not a number"),
    "empty": (b"", "IF_PARSE", "No HL7 message"),
    "blank": (b"\r\n \r\n", "IF_PARSE", "No HL7 message"),
    "something else": (b"%PDF-1.7\n...", "IF_PARSE", "No HL7 message"),
    "archive": (b"PK\x03\x04 and nothing behind it", "IF_ARCHIVE", "damaged or cut off"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_is_not_whole_is_set_aside_whole(inbox_folder: Folder, name: str) -> None:
    """F-F4: nothing of it is loaded; the reason lies beside it, is in the case, and on the file's page."""
    inbox_folder.set(complete="rename")
    content, code, reason = BAD[name]
    inbox_folder.put("a.hl7", content)
    assert inbox_folder.look() == 1
    assert inbox_folder.rows() == [("a.hl7", "quarantined", "quarantine/a.hl7")]
    row = InboundFile.objects.get()
    assert row.problem_code == code
    assert reason in row.problem
    assert reason in (inbox_folder.path / "quarantine/a.hl7.reason.txt").read_text()
    assert reason in ExceptionCase.objects.get(code="IF_FILE").text
    assert stored() == []


def test_put_back_it_is_tried_again_and_its_case_closes(inbox_folder: Folder) -> None:
    """F-F4: the limit was the endpoint's; with a new one the same bytes are loaded."""
    inbox_folder.set(complete="rename", trailer="required")
    inbox_folder.put("a.hl7", message(1))
    inbox_folder.look()
    assert open_cases() == {"IF_FILE": 1}
    inbox_folder.set(trailer="begun")
    (inbox_folder.path / "quarantine/a.hl7").rename(inbox_folder.path / "a.hl7")
    assert inbox_folder.look() == 1
    assert inbox_folder.rows() == [("a.hl7", "loaded", "done/a.hl7")]
    assert stored() == ["F1"]
    assert open_cases() == {}
    assert AuditEntry.objects.filter(verb="files.retry").count() == 1


def test_one_bad_message_harms_no_other(inbox_folder: Folder) -> None:
    """F-F4: the others are stored and worked on; that one is stored as refused, with its case."""
    inbox_folder.set(complete="rename")
    inbox_folder.put("a.hl7", message(1) + message(2).replace(b"|2.5.1", b"|9.9") + message(3))
    assert inbox_folder.look() == 1
    row = InboundFile.objects.get()
    assert (row.status, row.rows, row.handed, row.refused) == ("loaded", 3, 3, 1)
    assert sorted(Message.objects.values_list("status", flat=True)) == ["received", "received", "refused"]
    assert open_cases() == {"IF_VERSION": 1}
    assert charges() == 2


def test_a_byte_order_mark_and_mixed_line_ends_are_read(inbox_folder: Folder) -> None:
    """F-F4: habits of editors and of Windows, as at every other door."""
    inbox_folder.set(complete="rename")
    windows = message(2).replace(b"\r", b"\r\n")
    inbox_folder.put("a.hl7", b"\xef\xbb\xbf" + message(1).replace(b"\r", b"\n") + windows + b"\n\n" + message(3))
    assert inbox_folder.look() == 1
    assert stored() == ["F1", "F2", "F3"]
    assert charges() == 3


def test_a_link_is_moved_out_of_the_way_and_never_followed(inbox_folder: Folder, tmp_path: Path) -> None:
    """F-F4: what it points to is neither read nor moved; a pipe does not hold anybody."""
    secret = tmp_path / "secret.hl7"
    secret.write_bytes(message(1))
    (inbox_folder.path / "a.hl7").symlink_to(secret)
    os.mkfifo(inbox_folder.path / "b.hl7")
    assert inbox_folder.look() == 2
    assert stored() == []
    assert secret.read_bytes() == message(1)
    assert [status for _, status, _ in inbox_folder.rows()] == ["quarantined"] * 2
    assert (inbox_folder.path / "quarantine/a.hl7").is_symlink()
    assert open_cases() == {"IF_FILE": 2}


def test_a_file_that_is_too_large_is_not_read(inbox_folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """F-F4: its size decides, before a byte of it is in memory."""
    inbox_folder.set(complete="rename", max_bytes=100)
    inbox_folder.put("a.hl7", message(1))
    monkeypatch.setattr(LocalShelf, "read", lambda *_: pytest.fail("it was read"))
    assert inbox_folder.look() == 1
    assert inbox_folder.rows() == [("a.hl7", "quarantined", "quarantine/a.hl7")]
    assert "takes 100 (max_bytes)" in InboundFile.objects.get().problem


def test_a_name_that_is_no_text_is_a_name(inbox_folder: Folder) -> None:
    """F-F4: bytes of another character set in a name hold up neither their file nor the others."""
    inbox_folder.set(complete="rename")
    odd = os.path.join(os.fsencode(inbox_folder.path), b"caf\xe9.hl7")  # noqa: PTH118  (a path of bytes)
    Path(os.fsdecode(odd)).write_bytes(message(1))
    inbox_folder.put("b.hl7", message(2))
    assert inbox_folder.look() == 2
    assert inbox_folder.rows()[0] == (r"caf\udce9.hl7", "loaded", r"done/caf\udce9.hl7")
    assert stored() == ["F1", "F2"]
    assert open_cases() == {}


# --- F-F5: the folder itself ------------------------------------------------------------------------------------------
def looks_made(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When the folder is really looked at, from now on."""
    made: list[float] = []
    real = LocalShelf.__init__

    def counted(self: LocalShelf, path: Path) -> None:
        made.append(folder.now)
        real(self, path)

    monkeypatch.setattr(LocalShelf, "__init__", counted)
    return made


def test_an_unmounted_share_is_one_case_and_no_tight_loop(
    inbox_folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-F5: looked at ever less often, five minutes apart at most; mounted again it goes on and the case closes."""
    inbox_folder.set(complete="rename")
    away = tmp_path / "unmounted"
    inbox_folder.path.rename(away)
    inbox_folder.path.mkdir()  # the empty mount point
    made = looks_made(inbox_folder, monkeypatch)
    for _ in range(400):
        assert inbox_folder.look(after_s=5) == 0
    gaps = [after - before for before, after in pairwise(made)]
    assert gaps == [10, 20, 40, 80, 160, 300, 300, 300, 300, 300]
    case = ExceptionCase.objects.get(code="IF_FOLDER")
    assert "Is the share mounted?" in case.text
    inbox_folder.path.rmdir()
    away.rename(inbox_folder.path)
    inbox_folder.put("a.hl7", message(1))
    assert inbox_folder.look(after_s=300) == 1
    assert stored() == ["F1"]
    assert open_cases() == {}


@contextmanager
def nobody() -> Iterator[None]:
    """For the file system this process is nobody in particular, whoever runs the tests."""
    me = os.geteuid()
    if me == 0:
        os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(me)


def test_a_folder_without_permission_is_a_case_that_names_it(inbox_folder: Folder) -> None:
    """F-F5: the files stay, and are taken when the permission is there again."""
    inbox_folder.set(complete="rename")
    inbox_folder.put("a.hl7", message(1))
    inbox_folder.path.chmod(0)
    with nobody():
        assert inbox_folder.look() == 0
    assert "Permission denied" in ExceptionCase.objects.get(code="IF_FOLDER").text
    inbox_folder.path.chmod(0o755)
    assert inbox_folder.look(after_s=300) == 1
    assert open_cases() == {}


def test_a_full_disk_loses_nothing(inbox_folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """F-F5: a reason that cannot be written leaves the file where it is; the next try finishes it, with one case."""
    inbox_folder.set(complete="rename")
    inbox_folder.put("a.hl7", b"no message")
    real = os.fsync

    def full(fd: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    assert inbox_folder.look() == 0
    assert "No space left" in ExceptionCase.objects.get(code="IF_FOLDER").text
    assert inbox_folder.names() == ["a.hl7"]
    monkeypatch.setattr(os, "fsync", real)
    assert inbox_folder.look(after_s=300) == 1
    assert inbox_folder.rows() == [("a.hl7", "quarantined", "quarantine/a.hl7")]
    assert open_cases() == {"IF_FILE": 1}


def test_one_file_that_may_not_be_read_holds_up_no_other(inbox_folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """F-F5: the others are taken, the case says why it is not, and closes when it is."""
    inbox_folder.set(complete="rename")
    for number in (1, 2, 3):
        inbox_folder.put(f"{number}.hl7", message(number))
    real = os.open

    def forbidden(path: Any, *args: Any, **kwargs: Any) -> int:
        if path == "1.hl7":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", forbidden)
    inbox_folder.look()
    assert stored() == ["F2", "F3"]
    assert inbox_folder.names() == ["1.hl7"]
    assert open_cases() == {"IF_FOLDER": 1}
    monkeypatch.setattr(os, "open", real)
    assert inbox_folder.look(after_s=300) == 1
    assert open_cases() == {}


def test_a_name_as_long_as_names_can_be(inbox_folder: Folder) -> None:
    """F-F4: nothing that is added to it in quarantine/ may be too long for the file system."""
    inbox_folder.set(complete="rename")
    name = "x" * 251 + ".hl7"
    for content in (b"nothing", b"nothing else"):
        inbox_folder.put(name, content)
        assert inbox_folder.look() == 1
    assert [status for _, status, _ in inbox_folder.rows()] == ["quarantined"] * 2
    assert len(inbox_folder.names("quarantine")) == 4


@pytest.mark.parametrize("path", ["/etc", "relative/in", "{root}/../..", "{root}-beside"])
def test_folders_outside_the_sites_roots_are_not_touched(inbox_folder: Folder, tmp_path: Path, path: str) -> None:
    """Whoever may edit an endpoint cannot have the hub move any file of the machine."""
    inbox_folder.set(folder=path.format(root=tmp_path))
    assert inbox_folder.look() == 0
    assert "THROUGHLINE_FOLDER_ROOTS" in ExceptionCase.objects.get(code="IF_FOLDER").text


def test_a_link_out_of_the_roots_is_outside(inbox_folder: Folder, tmp_path: Path) -> None:
    """What counts is where a path leads."""
    (tmp_path / "way-out").symlink_to("/etc")
    inbox_folder.set(folder=str(tmp_path / "way-out"))
    assert inbox_folder.look() == 0
    assert "THROUGHLINE_FOLDER_ROOTS" in ExceptionCase.objects.get(code="IF_FOLDER").text


def test_a_setting_that_cannot_be_used_is_told(inbox_folder: Folder) -> None:
    """The case names the key and what would do."""
    inbox_folder.set(complete="sometimes", stable_s=-1)
    assert inbox_folder.look() == 0
    text = ExceptionCase.objects.get(code="IF_SETTINGS").text
    assert "\"complete\" is 'sometimes': write one of stable, rename, marker" in text
    assert '"stable_s" is -1' in text


def test_a_busy_hub_leaves_the_files_where_they_are(inbox_folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-11: while the backlog is over its limit nothing more is stored, however often it looks; then it goes on."""
    monkeypatch.setattr(intake, "CHUNK", 1)
    inbox_folder.set(complete="rename")
    inbox_folder.endpoint.backlog_limit = 2
    inbox_folder.endpoint.save()
    inbox_folder.runner._backlog.next_at = float("-inf")
    monkeypatch.setattr("hub.backlog.EVERY_S", 0.0)
    monkeypatch.setattr("hub.backlog.SHARE", 0)
    inbox_folder.put("a.hl7", batch(*map(message, range(5))))
    for _ in range(8):
        assert inbox_folder.look(after_s=300) == 0
    assert stored() == ["F0", "F1"]
    assert charges() == 2
    assert inbox_folder.look(after_s=300) == 0
    assert charges() == 4
    assert inbox_folder.look(after_s=300) == 1
    assert inbox_folder.rows() == [("a.hl7", "loaded", "done/a.hl7")]
    assert charges() == 5
    assert open_cases() == {}
