"""The hub as an MLLP sender, against a real socket that answers as each test says."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from hub.errors import OutcomeUnknown, Transient
from hub.ids import uuid7
from hub.listener import tls
from hub.models import Endpoint, Partner
from hub.routing import Outcome
from hub.transports import mllp
from tests.hub.door_kit import dft
from tests.hub.test_mllp_tls import Authority

HOST = "127.0.0.1"


def ack(control_id: str, code: str = "AA", err: str = "") -> bytes:
    """An acknowledgement, framed."""
    head = f"MSH|^~\\&|THEM|T|HUB|H|20261122||ACK^P03^ACK|A{control_id}|P|2.5.1\rMSA|{code}|{control_id}\r"
    return b"\x0b" + (head + err).encode() + b"\x1c\r"


def asked(frame: bytes) -> str:
    """MSH-10 of what the hub sent."""
    return frame.split(b"\r", 1)[0].split(b"|")[9].decode()


Script = Callable[[socket.socket, str], None]


class Partners:
    """A server whose n-th message, over all connections, is answered by the n-th script; the last one stays."""

    def __init__(self, scripts: Sequence[Script], context: ssl.SSLContext | None = None) -> None:
        self.scripts = list(scripts)
        self.context = context
        self.got: list[str] = []  # control ids
        self.connections = 0
        self.listening = socket.create_server((HOST, 0))
        self.port = self.listening.getsockname()[1]
        self.threads = [threading.Thread(target=self._accept)]
        self.threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                link, _ = self.listening.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(link,))
            self.threads.append(thread)
            thread.start()

    def _serve(self, plain: socket.socket) -> None:
        with plain:
            try:
                plain.settimeout(20)
                link = self.context.wrap_socket(plain, server_side=True) if self.context else plain
                buffer = b""
                with link:
                    while got := link.recv(65_536):
                        buffer += got
                        while b"\x1c\r" in buffer:
                            frame, _, buffer = buffer.partition(b"\x1c\r")
                            self.got.append(asked(frame))
                            script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
                            script(link, self.got[-1])
            except OSError:
                return  # the hub hung up: that is what the tests look at

    def close(self) -> None:
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        mllp.close()
        for thread in self.threads:
            thread.join(30)
            assert not thread.is_alive()


@pytest.fixture
def partner() -> Iterator[Callable[..., Partners]]:
    """Start a partner with these scripts."""
    made: list[Partners] = []

    def start(*scripts: Script, context: ssl.SSLContext | None = None) -> Partners:
        made.append(Partners(scripts, context))
        return made[-1]

    yield start
    for one in made:
        one.close()


def endpoint(port: int | None, **settings: Any) -> Endpoint:
    """An outbound door, never stored."""
    values = {"host": HOST, "connect_s": 2, "read_s": 0.3, **settings}
    partner = Partner(pk=1, code="lab", name="Lab", kind="billing")
    return Endpoint(
        pk=900, partner=partner, code="lab-out", name="Lab", direction="out", format="hl7v2", transport="mllp",
        port=port, settings={name: value for name, value in values.items() if value is not None},
    )  # fmt: skip


def says(code: str = "AA", err: str = "") -> Script:
    """Acknowledge the message."""
    return lambda link, control_id: link.sendall(ack(control_id, code, err))


def silent(link: socket.socket, control_id: str) -> None:
    """Take it and say nothing."""


def test_an_accepted_message_is_delivered_and_the_connection_is_used_again(partner: Any) -> None:
    """Two messages, one connection."""
    lab = partner(says("AA"), says("CA"))
    first, second = (mllp.send(endpoint(lab.port), dft(control)) for control in ("M1", "M2"))
    assert (first.kind, first.code, first.reference) == ("ok", "AA", "AM1")
    assert (second.kind, second.code, second.reference) == ("ok", "CA", "AM2")
    assert lab.got == ["M1", "M2"]
    assert lab.connections == 1


@pytest.mark.parametrize(
    ("code", "err", "kind"),
    [
        ("AE", "ERR||FT1^1^13|103^Table value not found^HL70357|E||||No such department\r", "rejected"),
        ("AE", "ERR||MSH^1|207^Application internal error^HL70357|E\r", "retryable"),
        ("CE", "ERR||PID^1|206^Application record locked^HL70357|E\r", "retryable"),
        ("AR", "ERR||MSH^1^9|200^Unsupported message type^HL70357|E\r", "rejected"),
        ("AR", "ERR||MSH^1^9|207^Application internal error^HL70357|E\r", "rejected"),
        ("CR", "", "rejected"),
        ("AE", "ERR|PID^1^11^207&internal&HL70357\r", "retryable"),
    ],
)
def test_a_refusal_is_judged_by_its_code(partner: Any, code: str, err: str, kind: str) -> None:
    """AE and CE with 206 or 207 may pass later; every other refusal needs a person (domain 2.2)."""
    lab = partner(says(code, err))
    assert mllp.send(endpoint(lab.port), dft("M1")).kind == kind
    assert lab.got == ["M1"]


def test_a_refusal_says_where_and_why(partner: Any) -> None:
    """The case shows the partner's own words."""
    lab = partner(says("AE", "ERR||FT1^1^13|103^Table value not found^HL70357|E||||No such department\r"))
    outcome = mllp.send(endpoint(lab.port), dft("M1"))
    assert outcome == Outcome("rejected", code="AE 103", text="No such department", field="FT1^1^13")


def test_a_late_acknowledgement_never_meets_another_message(partner: Any) -> None:
    """The first answer comes after the time-out: the second message has a connection of its own, and its own answer."""
    released = threading.Event()

    def late(link: socket.socket, control_id: str) -> None:
        assert released.wait(20)
        link.sendall(ack(control_id))

    lab = partner(late, says("AE", "ERR||MSH^1|100^x^HL70357|E\r"))
    first = mllp.send(endpoint(lab.port), dft("M1"))
    released.set()
    second = mllp.send(endpoint(lab.port), dft("M2"))
    assert (first.kind, second.kind) == ("unknown", "rejected")
    assert lab.connections == 2


def test_an_answer_that_comes_twice_ends_its_connection(partner: Any) -> None:
    """A second acknowledgement may not wait in the line for the next message."""

    def twice(link: socket.socket, control_id: str) -> None:
        link.sendall(ack(control_id) + ack(control_id))

    lab = partner(twice, says())
    assert mllp.send(endpoint(lab.port), dft("M1")).kind == "ok"
    assert mllp.send(endpoint(lab.port), dft("M2")).kind == "ok"
    assert lab.got == ["M1", "M2"]


def test_what_arrives_between_two_messages_ends_the_connection(partner: Any) -> None:
    """Enhanced mode's second answer, say: the kept connection is not silent any more, so a new one is opened."""
    more = threading.Event()

    def later(link: socket.socket, control_id: str) -> None:
        link.sendall(ack(control_id, "CA"))
        link.sendall(ack(control_id, "AE"))
        more.set()

    lab = partner(later, says())
    assert mllp.send(endpoint(lab.port), dft("M1")).kind == "ok"
    assert more.wait(20)
    assert mllp.send(endpoint(lab.port), dft("M2")).kind == "ok"
    assert lab.connections == 2


def hangs_up(link: socket.socket, control_id: str) -> None:
    """Without a word."""
    link.shutdown(socket.SHUT_RDWR)


def of_another(link: socket.socket, control_id: str) -> None:
    """An acknowledgement of a message that was never sent."""
    link.sendall(ack("OTHER"))


def nonsense(link: socket.socket, control_id: str) -> None:
    """A frame without HL7 in it."""
    link.sendall(b"\x0bHTTP/1.1 400 Bad Request\x1c\r")


def half(link: socket.socket, control_id: str) -> None:
    """The beginning of an answer."""
    link.sendall(ack(control_id)[:-20])


def endless(link: socket.socket, control_id: str) -> None:
    """More than any acknowledgement holds."""
    link.sendall(b"\x0bMSH|" + b"x" * 200_000)


def no_msa(link: socket.socket, control_id: str) -> None:
    """An HL7 message that acknowledges nothing."""
    link.sendall(b"\x0bMSH|^~\\&|A|B|C|D|20261122||ADT^A01|1|P|2.5.1\r\x1c\r")


def strange(link: socket.socket, control_id: str) -> None:
    """A code outside the table."""
    link.sendall(ack(control_id, "OK"))


@pytest.mark.parametrize("script", [silent, hangs_up, of_another, nonsense, half, endless, no_msa, strange])
def test_once_the_bytes_left_anything_but_its_own_answer_is_doubt(partner: Any, script: Script) -> None:
    """Nothing is taken for a yes or a no; the connection is not used again; nothing is sent twice by itself."""
    lab = partner(script, says())
    assert mllp.send(endpoint(lab.port), dft("M1")).kind == "unknown"
    assert lab.got == ["M1"]
    assert mllp.send(endpoint(lab.port), dft("M2")).kind == "ok"
    assert lab.connections == 2


def test_no_connection_means_nothing_was_sent() -> None:
    """It may be tried again without any doubt."""
    with socket.create_server((HOST, 0)) as held:
        port = held.getsockname()[1]
    outcome = mllp.send(endpoint(port), dft("M1"))
    assert (outcome.kind, outcome.code) == ("retryable", "ERP_UNREACHABLE")


def test_an_address_that_is_not_let_through_is_not_called(partner: Any, settings: Any) -> None:
    """S-11 holds for every transport that opens connections."""
    settings.OUTBOUND_NETWORKS = ()
    lab = partner(says())
    outcome = mllp.send(endpoint(lab.port), dft("M1"))
    assert (outcome.kind, outcome.code) == ("retryable", "IF_ADDRESS")
    assert lab.connections == 0


@pytest.mark.parametrize(
    ("message", "where"),
    [
        (dft("M1").replace(b"|M1|", b"||", 1), "MSH-10"),
        (dft("M1") + b"NTE|1||\x1c\r", ""),
        (b"no HL7 at all", ""),
    ],
)
def test_a_message_that_cannot_be_sent_is_not(partner: Any, message: bytes, where: str) -> None:
    """Without a control id nobody could acknowledge it; with frame bytes in it half of it would be another message."""
    lab = partner(says())
    outcome = mllp.send(endpoint(lab.port), message)
    assert (outcome.kind, outcome.code) == ("rejected", "IF_PARSE")
    assert where in outcome.field
    assert lab.connections == 0


def test_a_doubtful_message_is_sent_again_only_where_the_partner_recognises_it() -> None:
    """MLLP has no look-up: the endpoint says whether the same control id is harmless there."""
    assert mllp.find(endpoint(1, resend=True), uuid7()).kind == "absent"
    assert mllp.find(endpoint(1), uuid7()).kind == "unknown"


@pytest.mark.parametrize(("port", "host", "missing"), [(None, HOST, "a port"), (2575, None, '"host"')])
def test_an_unfinished_endpoint_says_what_is_missing(port: int | None, host: str | None, missing: str) -> None:
    """Whoever set it up reads which field."""
    outcome = mllp.send(endpoint(port, host=host), dft("M1"))
    assert outcome.kind == "retryable"
    assert missing in outcome.text


# --- TLS -------------------------------------------------------------------------------------------------------------
def context(authority: Authority, name: str = "localhost") -> ssl.SSLContext:
    """A partner's own: it asks for a certificate of the same authority."""
    files = tls.files({**authority.issue(name), "client_ca": str(authority.path)})
    assert files is not None
    return tls.context(files)


def test_over_tls_both_sides_show_a_certificate(partner: Any, tmp_path: Path) -> None:
    """The partner's is checked against its authority and name, ours is shown; the connection is kept."""
    house = Authority(tmp_path, "house")
    lab = partner(says(), context=context(house))
    ours = {"ca": str(house.path), "server_name": "localhost", **house.issue("hub")}
    for control in ("M1", "M2"):
        assert mllp.send(endpoint(lab.port, tls=ours, read_s=10), dft(control)).kind == "ok"
    assert lab.got == ["M1", "M2"]
    assert lab.connections == 1
    assert "TLSv1" in mllp.probe(endpoint(lab.port, tls=ours))


def test_a_strangers_certificate_ends_it_before_a_byte_is_sent(partner: Any, tmp_path: Path) -> None:
    """Another authority, another name, no TLS at all: nothing was sent."""
    house, stranger = Authority(tmp_path, "house"), Authority(tmp_path, "stranger")
    lab = partner(says(), context=context(house))
    for given in ({"ca": str(stranger.path)}, {"ca": str(house.path), "server_name": "elsewhere"}, {"ca": "/nowhere"}):
        outcome = mllp.send(endpoint(lab.port, tls=given), dft("M1"))
        assert (outcome.kind, outcome.code) == ("retryable", "IF_TLS")
    assert lab.got == []


def test_probing_sends_no_message(partner: Any) -> None:
    """The partner sees a connection that says nothing."""
    lab = partner(says())
    assert "No message was sent" in mllp.probe(endpoint(lab.port))
    with pytest.raises(Transient):
        mllp.probe(endpoint(None))
    assert lab.got == []


def test_asking_raises_what_sending_judges(partner: Any) -> None:
    """A connector that wants the acknowledgement itself gets it, or the error."""
    lab = partner(says("AE"), silent)
    assert mllp.ask(endpoint(lab.port), dft("M1")).code == "AE"
    with pytest.raises(OutcomeUnknown):
        mllp.ask(endpoint(lab.port), dft("M2"))
