"""The load generator: what it counts is what the receiver got, and waiting is never hidden."""

import asyncio
import json
import time
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sandbox.load.messages import LINES, Messages
from sandbox.load.report import percentile
from sandbox.load.stations import Station, Tally
from sandbox.network import read_network
from tests.sandbox.processes import Program
from tests.sandbox.receiver import Receiver

Run = Callable[..., Program]
Receive = Callable[..., Receiver]
NETWORK = read_network()


def load(run: Run, port: int, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Run the load to its end. Returns the exit code and the figures."""
    program = run("sandbox.load", "--port", str(port), *arguments)
    code = program.finish()
    assert program.complaints == []
    return code, json.loads(program.output[-1])


def test_messages_are_unique_and_about_as_long_as_said() -> None:
    """Ten thousand messages: no control id and no transaction id twice, about 1.1 KB each, three lines each."""
    messages = Messages(NETWORK, "RUN", accounts=500)
    frames = [messages.frame(number) for number in range(10_000)]
    lines = [part.split(b"|")[2] for frame in frames for part in frame.split(b"\r") if part.startswith(b"FT1|")]
    assert len(lines) == len(set(lines)) == LINES * 10_000
    assert len({frame.split(b"|")[9] for frame in frames}) == 10_000
    assert len({frame.split(b"PID|")[1].split(b"|")[17] for frame in frames}) == 500
    assert 950 < sum(map(len, frames)) / 10_000 < 1250
    assert all(frame.startswith(b"\x0bMSH|") and frame.endswith(b"\r\x1c\r") for frame in frames)


def test_messages_use_what_the_network_knows() -> None:
    """Every department is mapped, every charge code is in the charge master of its department and has a cost."""
    messages = Messages(NETWORK, "RUN")
    departments = {row["wire_code"]: row for row in NETWORK["departments"] if row["wire_code"]}
    codes = {row["code"]: row for row in NETWORK["charge_codes"]}
    for number in range(200):
        segments = messages.frame(number).decode("ascii").strip("\x0b\x1c\r").split("\r")
        for line in (each.split("|") for each in segments if each.startswith("FT1")):
            department, code = departments[line[13]], codes[line[7].split("^")[0]]
            assert department["facility"] == segments[0].split("|")[3]
            assert department["code"] in code["departments"]
            assert code["unit_cost"] is not None
            assert (line[6], line[10]) == ("CG", "1")
            assert len(line) == 26


def test_it_counts_what_the_receiver_got(run: Run, receive: Receive, tmp_path: Path) -> None:
    """Five hundred messages on eight connections: all acknowledged, all different, all in the sent log."""
    receiver = receive()
    log = tmp_path / "sent.log"
    code, figures = load(
        run, receiver.port, "--messages", "500", "--connections", "8", "--run", "ABC", "--sent-log", str(log)
    )
    assert code == 0
    assert (figures["messages"], figures["acked"], figures["other"], figures["unacked"]) == (500, 500, {}, 0)
    assert sorted(receiver.control_ids()) == [f"ABC{number:09d}" for number in range(500)]
    rows = [line.split("\t") for line in log.read_text().splitlines()]
    assert sorted(row[0] for row in rows) == sorted(receiver.control_ids())
    assert all(float(sent) <= float(answered) and answer == "AA" for _, sent, answered, answer in rows)
    assert figures["ack_p50_ms"] <= figures["ack_p95_ms"] <= figures["ack_p99_ms"] <= figures["ack_max_ms"]


def test_a_steady_rate_sends_what_the_schedule_says(run: Run, receive: Receive) -> None:
    """With a rate and a number, exactly that number goes out, and the figures name the rate."""
    code, figures = load(run, receive().port, "--messages", "60", "--rate", "200", "--connections", "2")
    assert (code, figures["messages"], figures["acked"], figures["rate"]) == (0, 60, 60, 200.0)
    code, figures = load(run, receive().port, "--seconds", "0.5", "--rate", "100", "--connections", "2")
    assert (code, figures["messages"], figures["acked"]) == (0, 50, 50)


def test_a_slow_receiver_does_not_stretch_the_schedule(run: Run, receive: Receive) -> None:
    """If the receiver stops for a while on the only connection, what waited meanwhile is sent all the same."""
    answered = [False]

    def script(number: int, _message: bytes) -> str:
        if number == 0 and not answered[0]:
            answered[0] = True
            time.sleep(0.4)
        return "AA"

    code, figures = load(run, receive(script).port, "--messages", "40", "--rate", "200", "--connections", "1")
    assert (code, figures["acked"]) == (0, 40)
    assert figures["sent_late_p99_ms"] > 200  # they were late, and it says so


class _Source:
    """Takes note of idle stations."""

    def __init__(self) -> None:
        self.idle = 0

    def ready(self, station: Station) -> None:
        self.idle += 1

    def lost(self, station: Station) -> None: ...


class _Wire(asyncio.Transport):
    """Keeps what was written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.aborted = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def abort(self) -> None:
        self.aborted = True


def test_latency_counts_from_the_intended_time() -> None:
    """A message that should have gone out ten seconds ago was ten seconds late, however quick the answer."""
    source, tally, wire = _Source(), Tally(), _Wire()
    station = Station(source, tally, retries=0)
    station.connection_made(wire)
    station.send(b"\x0bMSH\x1c\r", b"ID1", time.perf_counter() - 10)
    station.data_received(b"\x0bMSH|^~\\&|\rMSA|A")
    assert len(tally.latencies) == 0
    station.data_received(b"A|ID1\r\x1c\r")
    assert list(map(int, tally.latencies)) == [10]
    assert list(map(int, tally.lateness)) == [10]
    assert (tally.finals, source.idle) == ({b"AA": 1}, 2)


def test_an_answer_for_another_message_is_no_answer() -> None:
    """A wrong control id, or no MSA at all, costs the connection and counts as strange."""
    for answer in (b"\x0bMSH|^~\\&|\rMSA|AA|OTHER\r\x1c\r", b"HTTP/1.1 400 Bad Request\r\x1c\r"):
        tally, wire = Tally(), _Wire()
        station = Station(_Source(), tally, retries=0)
        station.connection_made(wire)
        station.send(b"\x0bMSH\x1c\r", b"ID1", time.perf_counter())
        station.data_received(answer)
        assert (tally.strange, wire.aborted, len(tally.latencies)) == (1, True, 0)


@pytest.mark.parametrize("trouble", ["close", "other", "hang"])
def test_a_lost_connection_is_made_again_and_the_message_with_it(run: Run, receive: Receive, trouble: str) -> None:
    """After a cut, a wrong answer or silence the same bytes are sent again on a new connection."""
    receiver = receive(lambda number, _message: trouble if number == 3 else "AA")
    arguments = ("--messages", "10", "--connections", "1", "--timeout", "0.5")
    code, figures = load(run, receiver.port, *arguments)
    assert code == 0
    assert (figures["acked"], figures["resent"], figures["reconnects"]) == (10, 1, 1)
    assert receiver.messages[3] == receiver.messages[4]
    assert len(set(receiver.messages)) == 10


def test_not_now_is_tried_again_and_never_is_counted(run: Run, receive: Receive) -> None:
    """AE is answered by sending again; AR ends the message and stands among the others."""
    answers = {1: "AE", 2: "AE", 5: "AR"}
    receiver = receive(lambda number, _message: answers.get(number, "AA"))
    code, figures = load(run, receiver.port, "--messages", "6", "--connections", "1")
    assert (code, figures["acked"], figures["other"], figures["resent"]) == (0, 5, {"AR": 1}, 2)
    assert figures["answers"] == {"AA": 5, "AE": 2, "AR": 1}


def test_silence_is_reported_as_unacknowledged(run: Run, receive: Receive) -> None:
    """When the receiver never answers, the load ends, says how many are unacknowledged, and exits with 1."""
    receiver = receive(lambda _number, _message: "hang")
    code, figures = load(run, receiver.port, "--messages", "100", "--connections", "4", "--timeout", "0.3")
    assert (code, figures["acked"], figures["messages"], figures["unacked"]) == (1, 0, 4, 4)
    assert figures["ack_p50_ms"] is None


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--port", "1"), "cannot connect"),
        (("--connections", "0"), "at least 1"),
        (("--rate", "0"), "above zero"),
        (("--run", "A|B"), "letters and digits"),
    ],
)
def test_a_start_that_cannot_work_says_why(run: Run, arguments: tuple[str, ...], complaint: str) -> None:
    """Bad options, and nobody who listens, end with code 2 and a sentence."""
    program = run("sandbox.load", *arguments)
    assert program.finish() == 2
    assert complaint in " ".join(program.complaints)


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([], 50, None),
        ([0.001], 99, 1.0),
        ([0.001, 0.002], 50, 1.0),
        ([0.001, 0.002, 0.003], 50, 2.0),
        ([number / 1000 for number in range(1, 101)], 95, 95.0),
        ([number / 1000 for number in range(1, 101)], 99, 99.0),
        ([number / 1000 for number in range(1, 101)], 100, 100.0),
    ],
)
def test_percentiles_are_values_that_were_seen(values: list[float], percent: float, expected: float | None) -> None:
    """The nearest-rank percentile, in milliseconds."""
    assert percentile(array("d", values), percent) == expected
