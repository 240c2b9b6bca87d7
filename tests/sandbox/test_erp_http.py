"""The ERP's door: what it reads, what it refuses, and how it ends."""

import gzip
import http.client
import json
import socket
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sandbox.erp_client import TOKEN, ErpProcess, journal
from tests.sandbox.processes import Program

AUTHORIZATION = f"Authorization: Bearer {TOKEN}\r\n".encode()


def raw(erp: ErpProcess, *pieces: bytes) -> bytes:
    """Send bytes as they are, in pieces, and return all that comes back until the server closes or waits."""
    with socket.create_connection(("127.0.0.1", erp.port), timeout=20) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            connection.sendall(piece)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return answer


def test_every_path_wants_the_token(quiet_erp: ErpProcess) -> None:
    """Without the right token there is no answer, not even to health or to the faults."""
    for path in ("/v1/health", "/v1/journals", "/_sandbox/faults", "/nowhere"):
        for header in ("", "Bearer wrong", f"Basic {TOKEN}", f"bearer {TOKEN}x"):
            status, body = quiet_erp.call("GET", path, Authorization=header)
            assert (status, body["error"]["code"]) == (401, "unauthorized")


def test_a_request_in_single_bytes_is_read_whole(erp: ErpProcess) -> None:
    """The server puts requests together from whatever pieces the network makes of them."""
    body = json.dumps(journal("k1")).encode()
    head = b"POST /v1/journals HTTP/1.1\r\nHost: x\r\n" + AUTHORIZATION + b"Content-Length: %d\r\n\r\n" % len(body)
    answer = raw(erp, *(bytes([byte]) for byte in head), body[:50], body[50:])
    assert answer.startswith(b"HTTP/1.1 201 Created\r\n")


def test_pipelined_requests_are_answered_in_order(erp: ErpProcess) -> None:
    """Two requests sent at once get two answers, in their order, even if the first takes its time."""
    erp.fault(mode="slow", delay_s=0.1, times=1)
    first = b"GET /v1/health HTTP/1.1\r\n" + AUTHORIZATION + b"\r\n"
    second = b"GET /v1/journals/JE-1 HTTP/1.1\r\nConnection: close\r\n" + AUTHORIZATION + b"\r\n"
    with socket.create_connection(("127.0.0.1", erp.port), timeout=20) as connection:
        connection.sendall(first + second)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    assert answer.index(b"200 OK") < answer.index(b"404 Not Found")
    assert answer.count(b"HTTP/1.1") == 2


def test_a_gzip_body_is_accepted(erp: ErpProcess) -> None:
    """Content-Encoding gzip is inflated."""
    body = gzip.compress(json.dumps(journal("k1", *["1.00"] * 100)).encode())
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Encoding": "gzip"}
    erp.connection.request("POST", "/v1/journals", body, headers)
    assert json.loads(erp.connection.getresponse().read())["lines"] == 200


def test_a_gzip_bomb_is_refused(quiet_erp: ErpProcess) -> None:
    """A small body that inflates beyond the limit is refused before it fills the memory."""
    body = gzip.compress(b" " * (33 * 1024 * 1024))
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Encoding": "gzip"}
    quiet_erp.connection.request("POST", "/v1/journals", body, headers)
    response = quiet_erp.connection.getresponse()
    assert (response.status, json.loads(response.read())["error"]["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GARBAGE\r\n\r\n", 400),
        (b"GET v1/health HTTP/1.1\r\n\r\n", 400),
        (b"GET /v1/health HTTP/2\r\n\r\n", 400),
        (b"GET /v1/health HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET /v1/health HTTP/1.1\r\nName : value\r\n\r\n", 400),
        (b"GET /v1/health HTTP/1.1\r\n folded: value\r\n\r\n", 400),
        (b"POST /v1/journals HTTP/1.1\r\n\r\n", 411),
        (b"POST /v1/journals HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST /v1/journals HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /v1/journals HTTP/1.1\r\nContent-Length: 8388609\r\n\r\n", 413),
        (b"POST /v1/journals HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501),
        (b"GET /v1/health HTTP/1.1\r\nX: " + b"x" * 17000 + b"\r\n\r\n", 431),
        (b"POST /v1/journals HTTP/1.1\r\nContent-Length: 1\r\nContent-Encoding: br\r\n\r\nx", 415),
        (b"POST /v1/journals HTTP/1.1\r\nContent-Length: 1\r\nContent-Encoding: gzip\r\n\r\nx", 400),
    ],
)
def test_what_is_not_spoken_is_refused_and_the_connection_closed(
    quiet_erp: ErpProcess, request_bytes: bytes, status: int
) -> None:
    """A request that cannot be read gets its status, and the connection ends: who knows where the next begins."""
    answer = raw(quiet_erp, request_bytes)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"Connection: close" in answer
    assert quiet_erp.get("/v1/health")["status"] == "ok"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[" * 100_000, b'{"a": NaN}', b"\xff\xfe", b'{"a": ' + b"9" * 5000 + b"}", b"null", b"[]", b'"x"'],
)
def test_a_body_that_is_no_json_object_is_refused(quiet_erp: ErpProcess, body: bytes) -> None:
    """No body can bring the server down."""
    quiet_erp.connection.request("POST", "/v1/journals", body, {"Authorization": f"Bearer {TOKEN}"})
    response = quiet_erp.connection.getresponse()
    assert (response.status, json.loads(response.read())["error"]["code"][:4]) == (400, "bad_")
    assert quiet_erp.get("/v1/health")["journals"] == 0


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v1/journals/JE-2026-999999", 404),
        ("GET", "/v1/reference/colours", 404),
        ("DELETE", "/v1/journals", 405),
        ("POST", "/v1/health", 405),
        ("GET", "/v1/journals?limit=0", 400),
        ("GET", "/v1/journals?limit=501", 400),
        ("GET", "/v1/journals?limit=" + "9" * 5000, 400),
        ("GET", "/v1/journals?cursor=nonsense", 400),
        ("GET", "/v1/journals?cursor=W10", 400),
        ("GET", "/v1/journals?since=yesterday", 400),
        ("GET", "/v1/journals?since=2026-11-22", 400),
        ("GET", "/v1/balances", 400),
        ("GET", "/v1/balances?period=2026", 400),
    ],
)
def test_bad_requests_have_their_status(quiet_erp: ErpProcess, method: str, path: str, status: int) -> None:
    """Unknown paths, wrong methods and bad parameters are the caller's defects, each with its status."""
    assert quiet_erp.call(method, path, {} if method == "POST" else None)[0] == status


def test_many_connections_post_at_once_and_each_key_once(erp: ErpProcess) -> None:
    """Eight clients that all post the same twenty journals leave twenty in the ledger."""
    statuses: list[int] = []

    def post_all() -> None:
        connection = erp.connect()
        for number in range(20):
            body = json.dumps(journal(f"k{number}", "1.00", "2.00")).encode()
            connection.request("POST", "/v1/journals", body, {"Authorization": f"Bearer {TOKEN}"})
            response = connection.getresponse()
            response.read()
            statuses.append(response.status)
        connection.close()

    threads = [threading.Thread(target=post_all) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] * 140 + [201] * 20
    totals = erp.totals()
    assert (totals["journals"], totals["lines"], totals["distinct_references"]) == (20, 80, 40)


def test_an_acknowledged_journal_survives_kill_9(start_erp: Callable[..., ErpProcess], tmp_path: Path) -> None:
    """Whatever was answered 201 before the process was killed is in the ledger of its next life, whole."""
    erp = start_erp()
    acknowledged: list[str] = []
    enough = threading.Event()

    def post_until_it_dies() -> None:
        number = 0
        while True:
            try:
                _, posted = erp.post(journal(f"k{number}", *["1.00"] * 20))
            except (OSError, http.client.HTTPException):
                return
            acknowledged.append(posted["external_key"])
            number += 1
            if number == 25:
                enough.set()

    poster = threading.Thread(target=post_until_it_dies)
    poster.start()
    assert enough.wait(20)
    assert erp.program.stop(9) == -9
    poster.join()
    again = start_erp()
    kept = [each["external_key"] for each in again.get("/v1/journals?limit=500")["items"]]
    assert kept[: len(acknowledged)] == acknowledged
    assert len(kept) <= len(acknowledged) + 1
    assert again.totals()["lines"] == 40 * len(kept)
    number_again = again.post(journal("after"))[1]["id"]
    assert int(number_again.rpartition("-")[2]) == len(kept) + 1
    database = sqlite3.connect(tmp_path / "erp.sqlite3")
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()


def test_sigterm_answers_the_request_under_way_and_ends_well(start_erp: Callable[..., ErpProcess]) -> None:
    """A request that is being answered when SIGTERM comes gets its answer; the process ends with 0."""
    erp = start_erp()
    erp.fault(mode="slow", delay_s=0.5, path="/v1/journals")
    body = json.dumps(journal("k1")).encode()
    erp.connection.request("POST", "/v1/journals", body, {"Authorization": f"Bearer {TOKEN}"})
    watcher = erp.connect()  # a second connection sees that the first request has arrived
    for _ in range(200):
        watcher.request("GET", "/_sandbox/faults", headers={"Authorization": f"Bearer {TOKEN}"})
        if json.loads(watcher.getresponse().read())["injected"]:
            break
    watcher.close()
    erp.program.process.terminate()
    response = erp.connection.getresponse()
    assert (response.status, response.headers["Connection"]) == (201, "close")
    response.read()
    assert erp.program.finish() == 0
    assert erp.program.output[-1] == "sandbox.erp: stopped, 1 journals in the ledger"
    assert erp.program.complaints == []


def test_a_token_is_made_once_and_kept_from_others(tmp_path: Path) -> None:
    """Without a token in options or environment one is made beside the ledger, readable by the owner only."""
    ledger = tmp_path / "erp.sqlite3"
    tokens = set()
    for _ in range(2):
        program = Program("sandbox.erp", "--port", "0", "--ledger", str(ledger))
        program.line_with("ready on")
        assert program.stop() == 0
        tokens.add(Path(f"{ledger}.token").read_text())
    assert len(tokens) == 1
    assert Path(f"{ledger}.token").stat().st_mode & 0o777 == 0o600


def test_a_start_that_cannot_work_says_why(erp: ErpProcess, tmp_path: Path) -> None:
    """A taken port, a ledger in use, bad faults and a missing network end with code 2 and a sentence."""
    ledger = str(tmp_path / "other.sqlite3")
    for arguments, complaint in [
        (("--port", str(erp.port)), "cannot listen"),
        (("--ledger", str(tmp_path / "erp.sqlite3")), "another process has the ledger"),
        (("--faults", '{"mode": "explode"}'), "mode must be one of"),
        (("--network", str(tmp_path / "nowhere.json")), "cannot start"),
    ]:
        program = Program("sandbox.erp", "--ledger", ledger, "--port", "0", *arguments)
        assert program.finish() == 2
        assert complaint in program.complaints[-1]
