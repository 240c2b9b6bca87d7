"""The feed as a process: nothing is skipped, nothing is given up, and its ledger says how each message ended."""

import hashlib
import json
import signal
import socket
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.processes import Program
from tests.sandbox.receiver import Receiver

Run = Callable[..., Program]
Receive = Callable[..., Receiver]
PLAIN = ",".join(
    f"{kind}=0" for kind in ("credit", "resend", "repeat", "unknown_department", "unknown_code", "dirt", "late")
)


def feed(run: Run, port: int, *arguments: str) -> Program:
    """Start the feed, fast and with a short patience."""
    return run("sandbox.billing", "--port", str(port), "--rate", "500", "--timeout", "0.5", *arguments)


def summary(program: Program) -> dict[str, Any]:
    """Return the summary, the last line of the output."""
    return json.loads(program.output[-1])


def ledger_of(path: Path) -> list[dict[str, Any]]:
    """Return the entries of a client ledger."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_message_is_delivered_and_recorded(run: Run, receive: Receive, tmp_path: Path) -> None:
    """Two hundred messages: each arrives, the ledger has each with its hash and AA, and the summary adds up."""
    receiver = receive()
    path = tmp_path / "var" / "feed.jsonl"
    program = feed(run, receiver.port, "--messages", "200", "--seed", "3", "--ledger", str(path))
    assert program.finish() == 0
    found = summary(program)
    assert (found["made"], found["acked"], found["unanswered"], found["resent"]) == (200, 200, 0, 0)
    assert sum(found["kinds"].values()) == 200
    assert found["connections"] == 3
    entries = ledger_of(path)
    assert Counter(entry["sha256"] for entry in entries) == Counter(
        hashlib.sha256(message).hexdigest() for message in receiver.messages
    )
    assert sorted(entry["control_id"] for entry in entries) == sorted(receiver.control_ids())
    assert {entry["ack"] for entry in entries} == {"AA"}


def test_an_accounts_messages_arrive_in_their_order(run: Run, receive: Receive) -> None:
    """However many connections there are, one account's messages come one after the other."""
    receiver = receive()
    program = feed(run, receiver.port, "--messages", "300", "--connections", "9", "--mix", PLAIN)
    assert program.finish() == 0
    assert summary(program)["connections"] > 3
    latest: dict[str, str] = {}
    for message in receiver.messages:
        account = message.split(b"PID|")[1].split(b"|")[17].decode()
        identity = message.split(b"|")[9].decode()
        assert identity > latest.get(account, "")
        latest[account] = identity


@pytest.mark.parametrize("trouble", ["hang", "close", "other", "garbage", "AE", "AE:206", "CE:207"])
def test_without_an_answer_the_same_bytes_go_out_again(run: Run, receive: Receive, trouble: str) -> None:
    """Silence, a cut, a wrong answer or "not now": the sender sends the very same bytes until they are taken."""
    receiver = receive(lambda number, _message: trouble if number in (1, 2) else "AA")
    program = feed(run, receiver.port, "--messages", "4", "--connections", "1", "--mix", PLAIN)
    assert program.finish() == 0
    found = summary(program)
    assert (found["made"], found["acked"], found["resent"]) == (4, 4, 2)
    first, again, and_again = receiver.messages[1:4]
    assert first == again == and_again
    assert len(set(receiver.messages)) == 4


@pytest.mark.parametrize("answer", ["AR", "CR", "AE:100"])
def test_a_refusal_for_good_is_recorded_and_not_repeated(
    run: Run, receive: Receive, tmp_path: Path, answer: str
) -> None:
    """A message that will never be taken is not sent again; the ledger says what the receiver said."""
    receiver = receive(lambda number, _message: answer if number == 0 else "AA")
    path = tmp_path / "feed.jsonl"
    program = feed(run, receiver.port, "--messages", "3", "--connections", "1", "--ledger", str(path), "--mix", PLAIN)
    assert program.finish() == 0
    found = summary(program)
    assert (found["acked"], found["resent"], found["acks"]) == (2, 0, {"AA": 2, answer[:2]: 1})
    assert (ledger_of(path)[0]["ack"], ledger_of(path)[0]["error"]) == (answer[:2], answer[3:])


def test_it_waits_for_a_receiver_that_is_not_there_yet(run: Run) -> None:
    """Started before the receiver, the feed keeps trying and loses nothing."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        program = feed(run, port, "--messages", "5", "--mix", PLAIN)
        program.line_with("feeding")
    echo = run("sandbox.echo", "--port", str(port))
    echo.line_with("ready")
    assert program.finish() == 0
    assert summary(program)["acked"] == 5


def test_sigterm_ends_it_with_a_summary_and_names_what_is_unknown(run: Run, receive: Receive, tmp_path: Path) -> None:
    """On SIGTERM no more is made; a message in flight without an answer is recorded as such, and the code is 1."""
    flying = threading.Event()

    def script(number: int, _message: bytes) -> str:
        if number < 10:
            return "AA"
        flying.set()
        return "hang"

    receiver = receive(script)
    path = tmp_path / "feed.jsonl"
    arguments = ("--connections", "1", "--mix", PLAIN, "--ledger", str(path), "--timeout", "60")
    program = feed(run, receiver.port, *arguments)
    assert flying.wait(20)
    assert program.stop(signal.SIGTERM) == 1
    found = summary(program)
    assert found["acked"] == 10
    assert found["unanswered"] == found["made"] - 10 > 0
    assert [entry["ack"] for entry in ledger_of(path)] == ["AA"] * 10 + [None]
    assert program.complaints == []


def test_the_ledger_is_appended_to_by_the_next_run(run: Run, receive: Receive, tmp_path: Path) -> None:
    """A second run keeps what the first recorded, and by default uses ids of its own."""
    receiver = receive()
    path = tmp_path / "feed.jsonl"
    for _ in range(2):
        assert (
            feed(run, receiver.port, "--messages", "5", "--seed", "1", "--mix", PLAIN, "--ledger", str(path)).finish()
            == 0
        )
    assert len({entry["control_id"] for entry in ledger_of(path)}) == 10


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--mix", "dirt=7"), "each share"),
        (("--network", "/nowhere/network.json"), "cannot start"),
        (("--rate", "0"), "above zero"),
        (("--connections", "0"), "at least 1"),
    ],
)
def test_a_start_that_cannot_work_says_why(run: Run, arguments: tuple[str, ...], complaint: str) -> None:
    """Bad options end with code 2 and a sentence."""
    program = run("sandbox.billing", *arguments)
    assert program.finish() == 2
    assert complaint in " ".join(program.complaints)
