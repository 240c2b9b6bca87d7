"""MLLP out: one framed message, and the one acknowledgement that belongs to it (HL7 v2 ch. 2.9, domain 2.2).

A connection is used again only after an exchange about which there is no doubt at all. After a time-out, a broken
frame or an answer to another message it is closed, so that a late acknowledgement has nowhere to arrive: it is never
taken for the answer to the next message. MSA-2 is compared with MSH-10 on top of that.
"""

import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from hub.errors import OutcomeUnknown, ParseError, Permanent, Transient
from hub.formats import hl7
from hub.listener.frames import Framer, FrameTooLargeError, GarbageError, frame
from hub.models import Endpoint
from hub.routing import Outcome
from hub.transports import addresses

CONNECT_S, READ_S = 5.0, 30.0
ACK_LIMIT = 65_536  # an acknowledgement is short; whoever sends more does not answer
IDLE_KEPT = 8  # connections of an endpoint that wait for the next message
ACCEPTED = frozenset({"AA", "CA"})
REFUSED = frozenset({"AE", "CE", "AR", "CR"})
# Of table 0357: the record is locked, or something broke at the partner. The same message may pass later (domain 2.2).
PASSING = frozenset({"206", "207"})


@dataclass(frozen=True, slots=True)
class Ack:
    """An acknowledgement of our own message."""

    code: str  # MSA-1
    control_id: str  # the acknowledgement's own MSH-10
    error: str = ""  # ERR-3.1, else ERR-1.4.1: of table 0357
    location: str = ""  # ERR-2, else ERR-1
    text: str = ""  # ERR-8, else ERR-3.2, else MSA-3


@dataclass(frozen=True, slots=True)
class _Line:
    """How an endpoint is reached. Two equal ones may share connections."""

    host: str
    port: int
    connect_s: float
    read_s: float
    encrypted: bool
    certificate: str
    key: str
    ca: str
    name: str  # in the partner's certificate


def _line(endpoint: Endpoint) -> _Line:
    settings = endpoint.settings
    host = str(settings.get("host") or "").strip()
    if not host or endpoint.port is None:
        missing = "a port" if host else '"host" in its settings'
        raise Transient("ERP_UNREACHABLE", f"endpoint {endpoint.code} has no {missing}: add it")
    tls = settings.get("tls")
    encrypted = tls is not None and tls is not False
    tls = tls if isinstance(tls, Mapping) else {}
    words = {name: str(tls.get(name) or "") for name in ("certificate", "key")}
    return _Line(
        host, endpoint.port, float(settings.get("connect_s", CONNECT_S)), float(settings.get("read_s", READ_S)),
        encrypted, words["certificate"], words["key"], str(tls.get("ca") or ""), str(tls.get("server_name") or host),
    )  # fmt: skip


def _context(line: _Line) -> ssl.SSLContext:
    """TLS 1.2 at least; the partner's certificate is always checked, ours is shown where the settings name one."""
    made = ssl.create_default_context(cafile=line.ca or None)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    if line.certificate:
        made.load_cert_chain(line.certificate, line.key or None, password="")
    return made


def _open(line: _Line) -> socket.socket:
    made = addresses.connect(line.host, line.port, timeout_s=line.connect_s, plain=not line.encrypted)
    made.settimeout(line.connect_s)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if not line.encrypted:
        return made
    try:
        return _context(line).wrap_socket(made, server_hostname=line.name)
    except OSError as error:
        made.close()
        why = getattr(error, "verify_message", "") or error.strerror or type(error).__name__
        raise Transient("IF_TLS", f"no encrypted connection to {line.host} port {line.port}: {why}") from error


class _Lines:
    """Connections that wait for their next message, by endpoint; each is in one hand at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: dict[_Line, list[socket.socket]] = {}

    def take(self, line: _Line) -> socket.socket:
        """One that is still silent, else a new one. What has something to read has a late answer, or has ended."""
        while True:
            with self._lock:
                waiting = self._idle.get(line)
                kept = waiting.pop() if waiting else None
            if kept is None:
                return _open(line)
            if _silent(kept):
                return kept
            kept.close()

    def give(self, line: _Line, kept: socket.socket) -> None:
        """Keep it for the next message."""
        with self._lock:
            waiting = self._idle.setdefault(line, [])
            if len(waiting) < IDLE_KEPT:
                waiting.append(kept)
                return
        kept.close()

    def close(self) -> None:
        with self._lock:
            closing = [kept for waiting in self._idle.values() for kept in waiting]
            self._idle.clear()
        for kept in closing:
            kept.close()


_lines = _Lines()


def close() -> None:
    """Close every kept connection; the next message opens a new one."""
    _lines.close()


def _silent(kept: socket.socket) -> bool:
    kept.settimeout(0)
    try:
        kept.recv(1)
    except (BlockingIOError, ssl.SSLWantReadError):
        return True
    except OSError:
        return False
    return False


def ask(endpoint: Endpoint, message: bytes) -> Ack:
    """Send one message and read its acknowledgement, whatever it says.

    Raises `Permanent` for a message that cannot be sent, `Transient` where nothing was sent, and `OutcomeUnknown`
    where its bytes left and no acknowledgement of this very message came back.
    """
    control_id = _control_id(message)
    line = _line(endpoint)
    link = _lines.take(line)
    clear = False
    try:
        answer, rest = _exchange(link, frame(message), line.read_s)
        ack, reference = _read(answer)
        if reference != control_id:
            raise OutcomeUnknown("ERP_AMBIGUOUS", "the partner acknowledged another message than the one we sent")
        clear = not rest
        return ack
    finally:
        if clear:
            _lines.give(line, link)
        else:
            link.close()


def _control_id(message: bytes) -> str:
    if b"\x1c" in message or b"\x0b" in message:
        raise Permanent("IF_PARSE", "the message holds MLLP's own frame bytes and cannot be sent over it")
    control_id = hl7.peek(message).control_id
    if not control_id:
        raise Permanent("IF_PARSE", "the message has no control id: nobody could acknowledge it", where="MSH-10")
    return control_id


def _exchange(link: socket.socket, framed: bytes, read_s: float) -> tuple[bytes, bool]:
    """The first frame that comes back, and whether more than it came. From the first byte sent all failures doubt."""
    framer, ends = Framer(ACK_LIMIT), time.monotonic() + read_s
    try:
        link.settimeout(read_s)
        link.sendall(framed)
        while True:
            link.settimeout(max(0.001, ends - time.monotonic()))
            got = link.recv(16_384)
            if not got:
                raise OutcomeUnknown("ERP_AMBIGUOUS", "sent, and the partner hung up without an acknowledgement")
            if found := framer.feed(got):
                return found[0], len(found) > 1 or len(framer) > 0 or framer.garbage > 0
            if time.monotonic() >= ends:
                raise TimeoutError
    except TimeoutError as error:
        text = f"sent, and no acknowledgement within {read_s:g} s; the connection is closed"
        raise OutcomeUnknown("ERP_AMBIGUOUS", text) from error
    except (OSError, FrameTooLargeError, GarbageError) as error:
        raise OutcomeUnknown("ERP_AMBIGUOUS", f"sent, and no acknowledgement: {type(error).__name__}") from error


def _read(answer: bytes) -> tuple[Ack, str]:
    """The acknowledgement, and which message it names (MSA-2)."""
    try:
        document = hl7.parse(answer)
    except ParseError as error:
        raise OutcomeUnknown("ERP_AMBIGUOUS", "sent, and what came back is no HL7 message") from error
    msa, err, msh = document.first("MSA"), document.first("ERR"), document.first("MSH")
    if msa is None or msh is None:
        raise OutcomeUnknown("ERP_AMBIGUOUS", "sent, and the answer has no MSA segment")
    code = msa.text(1)
    if code not in ACCEPTED | REFUSED:
        raise OutcomeUnknown("ERP_AMBIGUOUS", "sent, and MSA-1 of the answer is none of AA, AE, AR, CA, CE, CR")
    number, location, text = _error(err) if err is not None else ("", "", "")
    return Ack(code, msh.text(10), number, location, (text or msa.text(3, component=0))[:500]), msa.text(2).strip()


def _error(err: hl7.Segment) -> tuple[str, str, str]:
    """Code, place and text of an ERR segment: as v2.5 and later write it, else as ERR-1 held them before."""
    if err.present(3):
        return err.text(3), err[2], err.text(8, component=0) or err.text(3, component=2)
    return err.text(1, component=4), "^".join(err.text(1, component=n) for n in (1, 2, 3)), err.text(1, 4, sub=2)


def send(endpoint: Endpoint, message: bytes) -> Outcome:
    """Send one message and judge its acknowledgement, as an outbound route's `send` has to.

    AA and CA: the partner has it. Sending the same bytes again is the protocol's own way out of doubt: see `find`.
    """
    try:
        ack = ask(endpoint, message)
    except OutcomeUnknown as error:
        return Outcome("unknown", code=error.code, text=error.text)
    except Transient as error:
        return Outcome("retryable", code=error.code, text=error.text)
    except Permanent as error:
        return Outcome("rejected", code=error.code, text=error.text, field=error.where)
    if ack.code in ACCEPTED:
        return Outcome("ok", reference=ack.control_id[:120], code=ack.code)
    # AR and CR say: not as it is. AE and CE do too, unless the code says that it was the partner's own trouble.
    kind = "retryable" if ack.code in {"AE", "CE"} and ack.error in PASSING else "rejected"
    told = f"{ack.code} {ack.error}".strip()
    return Outcome(kind, code=told, text=ack.text or "refused without a reason", field=ack.location)


def find(endpoint: Endpoint, dispatch_id: UUID) -> Outcome:
    """What a look-up says of a doubtful message: MLLP has none.

    A partner that recognises a control id that comes again gives its first answer once more; where the endpoint's
    `resend` says so, the message counts as absent and is sent again under the same MSH-10. Else a person looks there.
    """
    if endpoint.settings.get("resend") is True:
        return Outcome("absent")
    text = f"no look-up over MLLP, and the endpoint does not say that {endpoint.partner.name} recognises a resend"
    return Outcome("unknown", code="ERP_AMBIGUOUS", text=text)


def probe(endpoint: Endpoint) -> str:
    """Open a connection and hang up without a message; returns what was found, or raises `Transient`."""
    line = _line(endpoint)
    link = _open(line)
    try:
        peer = link.getpeername()[0]
        version = f", {link.version()}" if isinstance(link, ssl.SSLSocket) else ", not encrypted"
        return f"{line.host} port {line.port} answers at {peer}{version}. No message was sent."
    finally:
        link.close()
