"""The listener over real sockets and real PostgreSQL: framing, order, limits, refusals, changes while it runs."""

import socket
import threading
import time
from pathlib import Path

import pytest

from hub import arrivals, bodies, queue
from hub.backlog import Backlog
from hub.doors import Peer
from hub.listener import writer
from hub.models import Endpoint, ExceptionCase, Message
from tests.hub.door_kit import HOST, Client, code, dft, endpoint, entrance, errors, free_port, listening, one, stored

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parents[2]


def until(wanted, what: str) -> None:
    """Wait for something that happens by itself."""
    for _ in range(1500):
        if wanted():
            return
        time.sleep(0.01)
    pytest.fail(f"did not happen: {what}")


@pytest.fixture
def port() -> int:
    """The port of one open endpoint."""
    number = free_port()
    endpoint(port=number)
    return number


def test_R_1_an_acknowledged_message_is_in_the_table(port):
    """When the answer is read, the row is there, byte for byte."""
    with listening(), Client(port) as client:
        assert code(client.ask(dft("M1"))) == "AA M1"
        assert bodies.of(one(control_id="M1")) == dft("M1")


def test_R_2_a_resend_over_another_connection_gets_the_same_bytes(port):
    """The sender lost its connection before the answer: it asks again and gets the very answer."""
    with listening():
        with Client(port) as client:
            first = client.ask(dft("M1"))
        with Client(port) as client:
            assert client.ask(dft("M1")) == first
            assert errors(client.ask(dft("M1", charge="7"))) == ["205"]
    assert stored() == {"received": 1, "refused": 1}
    assert ExceptionCase.objects.get().code == "IF_CONFLICT"


def test_many_senders_share_commits_and_each_gets_its_own_answers_in_order(port):
    """Thirty connections send at once, pipelined: every message is answered once, in its connection's order."""
    wanted = {number: [f"AA {number}-{count}" for count in range(25)] for number in range(30)}
    got: dict[int, list[str]] = {}

    def send(number: int) -> None:
        with Client(port) as client:
            client.send(*(dft(f"{number}-{count}", account=f"ACC{number}") for count in range(25)))
            got[number] = [code(client.read()) for _ in range(25)]

    with listening():
        threads = [threading.Thread(target=send, args=(number,)) for number in range(30)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert got == wanted
    assert stored() == {"received": 750}
    for number in range(30):
        rows = Message.objects.filter(key=f"ACC{number}").order_by("pk").values_list("control_id", flat=True)
        assert list(rows) == [f"{number}-{count}" for count in range(25)]


def test_F_M3_dirty_framing_is_put_right(port):
    """Garbage before a frame, a frame byte by byte, two frames at once, a frame that was cut off: no partial row."""
    with listening(), Client(port) as client:
        client.raw(b"\r\nnoise")
        for byte in b"\x0b" + dft("M1") + b"\x1c\r":
            client.raw(bytes([byte]))
        assert code(client.read()) == "AA M1"
        client.send(dft("M2"), dft("M3"))
        assert [code(client.read()), code(client.read())] == ["AA M2", "AA M3"]
        client.raw(b"\x0b" + dft("M4")[:80])
        assert code(client.ask(dft("M5"))) == "AA M5"
        client.raw(b"\x0b\x1c\r")  # an empty frame asks whether the line is up
        assert code(client.ask(dft("M6"))) == "AA M6"
        client.raw(b"\x0b" + dft("M7"))
    assert sorted(Message.objects.values_list("control_id", flat=True)) == ["M1", "M2", "M3", "M5", "M6"]


def test_S_14_what_cannot_be_answered_is_kept_and_hung_up_on(port):
    """No MSH, no answer: the bytes are stored, a case is opened, the connection ends, the next one is served."""
    with listening():
        with Client(port) as client:
            assert client.ask(b"PID|1||7001") == b""
        with Client(port) as client:
            assert code(client.ask(dft("M1"))) == "AA M1"
    assert stored() == {"refused": 1, "received": 1}
    assert ExceptionCase.objects.get().code == "IF_PARSE"


def test_S_14_a_damaged_message_with_an_msh_is_answered(port):
    """Where an MSH can be read behind the damage, the sender hears AR and the connection goes on."""
    with listening(), Client(port) as client:
        answer = client.ask(b"lost\x00bytes " + dft("M1"))
        assert code(answer) == "AR M1"
        assert code(client.ask(dft("M2"))) == "AA M2"
    assert stored() == {"refused": 1, "received": 1}


def test_F_M7_a_batch_in_one_frame_is_answered_member_by_member(port):
    """Each member has an acknowledgement in a frame of its own."""
    body = b"BHS|^~\\&\r" + dft("M1") + dft("M2", processing="T") + dft("M3") + b"BTS|3\r"
    with listening(), Client(port) as client:
        client.send(body)
        assert [code(client.read()) for _ in range(3)] == ["AA M1", "AR M2", "AA M3"]


def test_F_M4_an_oversized_frame_is_refused_and_hung_up_on(port):
    """Over the limit: AR once, not stored, and the connection is closed; earlier messages are answered first."""
    with listening(frame_bytes=5000), Client(port) as client:
        client.raw(b"\x0b" + dft("M1") + b"\x1c\r\x0b" + dft("BIG") + b"Z" * 6000)
        assert code(client.read()) == "AA M1"
        assert code(client.read()) == "AR BIG"
        assert client.read() == b""
    assert stored() == {"received": 1}


@pytest.mark.parametrize(
    ("limits", "first"),
    [({"first_byte_s": 0.2}, b""), ({"frame_s": 0.2}, b"\x0bMSH|^~"), ({"idle_s": 0.2}, b"\r")],
)
def test_F_M4_who_keeps_the_line_busy_is_hung_up_on(port, limits, first):
    """Deadlines for the first byte, for a whole frame, and between frames."""
    with listening(**limits), Client(port) as client:
        if first:
            client.raw(first)
        assert client.read() == b""
    assert stored() == {}


def test_F_M4_a_swarm_of_slow_connections_does_not_stop_the_others(port):
    """A thousand connections that send nothing, or half a frame: an honest sender is served, the swarm is cut off."""
    with listening(per_peer=1100, total=1100, first_byte_s=2.0, frame_s=2.0) as listener:
        swarm = [socket.create_connection((HOST, port), timeout=20) for _ in range(1000)]
        for slow in swarm[::2]:
            slow.sendall(b"\x0bMSH|^~\\&|SLOW")
        with Client(port) as client:
            for number in range(50):
                assert code(client.ask(dft(f"M{number}"))) == f"AA M{number}"
        until(lambda: len(listener.connections) == 0, "the swarm is cut off")
        assert listener.unfinished_bytes == 0
        for slow in swarm:
            slow.close()
    assert stored() == {"received": 50}


def test_F_M4_one_address_has_so_many_connections_and_no_more(port):
    """The connection over the cap is closed at once; when one goes, the next is let in."""
    with listening(per_peer=3) as listener:
        held = [Client(port) for _ in range(3)]
        for number, client in enumerate(held):
            assert code(client.ask(dft(f"M{number}"))) == f"AA M{number}"
        with Client(port) as fourth:
            assert fourth.read() == b""
        held.pop().close()
        until(lambda: len(listener.connections) == 2, "the closed one is forgotten")
        with Client(port) as fifth:
            assert code(fifth.ask(dft("M9"))) == "AA M9"
        for client in held:
            client.close()


def test_F_M4_a_sender_that_reads_no_answers_is_not_listened_to(port):
    """Unread answers stop the reading, so that neither side's memory grows; the line is cut after a while."""
    with listening(frame_s=1.0, answers_bytes=1000, pipelined=10) as listener:
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect((HOST, port))
            deaf.settimeout(0.5)
            sent = 0
            try:
                while sent < 20_000:
                    deaf.sendall(b"\x0b" + dft(f"D{sent}") + b"\x1c\r")
                    sent += 1
            except OSError:
                pass
            assert sent < 20_000
            until(lambda: not listener.connections, "the deaf one is cut off")
        with Client(port) as client:
            assert code(client.ask(dft("M1"))) == "AA M1"
    assert stored()["received"] < sent + 2


def test_R_11_a_full_hub_asks_senders_to_wait_before_it_takes_anything_in():
    """At the backlog limit the answer is AE (CE in enhanced mode), nothing is stored, and it ends when work is done."""
    number = free_port()
    endpoint(port=number, backlog_limit=3)
    with listening() as listener, Client(number) as client:
        for count in range(3):
            assert code(client.ask(dft(f"M{count}"))) == f"AA M{count}"
        until(lambda: listener.backlog.full, "the backlog is noticed")
        answer = client.ask(dft("M4"))
        assert (code(answer), errors(answer)) == ("AE M4", ["207"])
        assert code(client.ask(dft("M5", modes="|||AL|NE"))) == "CE M5"
        assert stored() == {"received": 3}
        Message.objects.update(status="applied")
        until(lambda: not listener.backlog.full, "the work is done")
        assert code(client.ask(dft("M4"))) == "AA M4"


def test_R_11_one_full_endpoint_does_not_close_the_others():
    """The estimate is per endpoint, and counts no further than all limits together."""
    small, large = endpoint("small", backlog_limit=2), endpoint("large", backlog_limit=100)
    backlog = Backlog()
    backlog.refresh()
    assert backlog.full == frozenset()
    for count, where in enumerate((small, small, small, large)):
        Message.objects.create(
            endpoint=where, received_at="2026-11-22T00:00Z", control_id=f"M{count}", kind="DFT^P03", key="K", lane=0,
            status="received", attempts=0, correlation_id="00000000-0000-7000-8000-000000000000", sha256=b"", raw=b"",
            parts=0,
        )  # fmt: skip
    backlog.next_at = 0
    backlog.refresh()
    assert backlog.full == {small.pk}


def test_the_doorbell_never_delays_or_fails_an_answer(port, monkeypatch):
    """Redis hangs and breaks: messages are acknowledged all the same."""
    rung = threading.Event()

    def broken(name: str) -> None:
        rung.set()
        time.sleep(0.2)

    monkeypatch.setattr(queue, "ring", broken)
    with listening(), Client(port) as client:
        for number in range(20):
            assert code(client.ask(dft(f"M{number}"))) == f"AA M{number}"
        assert rung.wait(10)
    assert stored() == {"received": 20}


def test_one_message_that_cannot_be_stored_does_not_harm_its_neighbours(port, monkeypatch):
    """A bug that hits one message of a batch: it alone is answered AE, without a word of it in the log."""
    receive = writer.inbox.receive

    def buggy(arrivals, *, now):
        if any(b"POISON" in arrival.raw for arrival in arrivals):
            raise ValueError("POISON")
        return receive(arrivals, now=now)

    monkeypatch.setattr(writer.inbox, "receive", buggy)
    with listening(), Client(port) as client:
        client.send(*(dft(f"M{number}", account="POISON" if number == 7 else "A") for number in range(20)))
        answers = [code(client.read()) for _ in range(20)]
    assert answers == [f"{'AE' if number == 7 else 'AA'} M{number}" for number in range(20)]
    assert stored() == {"received": 19}


def test_F_M8_an_address_that_is_not_on_the_list_is_hung_up_on():
    """The allow-list is looked at before a byte is read."""
    number = free_port()
    endpoint(port=number, allowed_peers="10.0.0.0/8, 192.168.1.7")
    with listening(), Client(number) as client:
        assert client.read() == b""
    assert stored() == {}


def test_F_M8_plain_text_is_not_offered_to_the_network(settings):
    """Without TLS a port opens beyond loopback only when that is allowed by name and everybody has an allow-list."""
    number = free_port()
    row = endpoint(port=number)
    for plaintext, allowed, opened in ((False, "127.0.0.1", False), (True, "", False), (True, "127.0.0.1", True)):
        settings.MLLP_PLAINTEXT = plaintext
        Endpoint.objects.filter(pk=row.pk).update(allowed_peers=allowed)
        with listening(host="0.0.0.0") as listener:
            assert (listener.ports[number].server is not None) == opened


def test_changes_of_endpoints_reach_a_running_listener(port):
    """A new port opens, an allow-list takes effect on open connections, an inactive endpoint's port closes."""
    second = free_port()
    with listening() as listener, Client(port) as client:
        assert code(client.ask(dft("M1"))) == "AA M1"
        endpoint("later", port=second)
        until(lambda: second in listener.ports, "the new port opens")
        with Client(second) as other:
            assert code(other.ask(dft("M2"))) == "AA M2"
        Endpoint.objects.filter(code="carebill-dft").update(allowed_peers="10.0.0.0/8")
        assert client.read() == b""
        Endpoint.objects.filter(code="later").update(active=False)
        until(lambda: second not in listener.ports, "the port closes")
        with pytest.raises(ConnectionRefusedError):
            Client(second)


def test_a_paused_endpoint_still_takes_messages_in(port):
    """Paused means that nothing is worked on; what arrives is stored."""
    Endpoint.objects.update(paused=True)
    with listening(), Client(port) as client:
        assert code(client.ask(dft("M1"))) == "AA M1"


def test_only_the_named_ports_are_opened(port):
    """`--port` picks; the others are left to another listener."""
    other = free_port()
    endpoint("other", port=other)
    with listening(only=(other,)) as listener:
        assert set(listener.ports) == {other}


WILD = sorted((ROOT / "tests/fixtures/hl7").glob("*.hl7"))
SAMPLES = ROOT.parent / "shared" / "samples" / "hl7v2"
WILD += sorted(path for path in SAMPLES.rglob("*") if path.is_file())


def test_S_14_every_wild_file_ends_stored_or_refused_and_is_answered(port):
    """Whatever others wrote: each message of each file is stored and gets AA or AR, or the line is closed after it."""
    assert len(WILD) > 50
    door = entrance(*Endpoint.objects.select_related("partner"))
    sent, kinds = set(), set()
    with listening():
        for number, path in enumerate(WILD):
            body = path.read_bytes().translate(None, b"\x0b\x1c")  # its own framing bytes would cut the frame
            members = arrivals.look(body, door, Peer(HOST))
            sent |= {member.sha256 for member in members}
            last = "" if any(member.envelope is None for member in members) else f"AA END{number}"
            with Client(port) as client:
                client.send(body, *([dft(f"END{number}")] if last else []))
                heard = []
                while (answer := client.read()) and code(answer) != last:
                    heard.append(code(answer)[:2])
            asked = [one.envelope for one in members if one.envelope and not one.envelope.accept_ack]
            asked = [one for one in asked if not one.application_ack]
            assert bool(answer) == bool(last), path.name
            assert len(heard) >= len(asked), path.name
            kinds |= set(heard)
    assert kinds <= {"AA", "AR", "CA", "CR"}
    assert {"AA", "AR"} <= kinds
    assert sent <= {bytes(sha256) for sha256 in Message.objects.values_list("sha256", flat=True)}
    assert set(stored()) == {"received", "refused"}
