"""One sender's connection: bytes in, frames to the writer, answers back in order. Deadlines are checked by a sweep."""

import asyncio
import socket
import time
from typing import TYPE_CHECKING, Any, cast

import structlog

from hub import answers, arrivals, ids
from hub.doors import Peer
from hub.listener.frames import Framer, FrameTooLargeError, GarbageError, frame
from hub.listener.writer import Job

if TYPE_CHECKING:
    from hub.listener.ports import Port
    from hub.listener.server import Listener

log = structlog.get_logger(__name__)
TOO_LARGE = "AR|104|MSH^1|the message is larger than this door takes"


class Connection(asyncio.Protocol):
    """An MLLP connection. Never logs what it carries."""

    __slots__ = (
        "_held",
        "_paused",
        "connected_at",
        "frame_since",
        "framer",
        "heard",
        "inflight",
        "last_at",
        "leaving",
        "listener",
        "peer",
        "port",
        "transport",
        "unread_since",
    )  # fmt: skip

    def __init__(self, listener: "Listener", port: "Port") -> None:
        self.listener = listener
        self.port = port
        self.framer = Framer(listener.limits.frame_bytes)
        self.peer = Peer()
        self.transport: asyncio.Transport | None = None
        self.connected_at = self.last_at = time.monotonic()
        self.frame_since = 0.0  # when the frame under way began
        self.unread_since = 0.0  # since when the sender does not read its answers; 0 while it does
        self.heard = False  # a first byte came
        self.inflight = 0  # frames handed to the writer and not answered yet
        self.leaving = False  # nothing more is read
        self._held = 0  # bytes of its unfinished frame that the listener counts
        self._paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let the peer in, or hang up without a word: it is not allowed here, or there are too many of it."""
        self.transport = cast(asyncio.Transport, transport)
        address = self.transport.get_extra_info("peername")
        self.peer = Peer(address[0] if address else "", _names(self.transport.get_extra_info("peercert")))
        refused = self.listener.admit(self)
        if refused:
            self.leaving = True
            log.warning(refused, port=self.port.number, peer=self.peer.address)
            self.transport.abort()
            return
        unread = self.listener.limits.answers_bytes
        self.transport.set_write_buffer_limits(high=unread)
        sock = self.transport.get_extra_info("socket")
        if sock is not None:  # an answer is one small packet: it must not wait for another
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, unread)  # nor may the kernel pile them up

    def data_received(self, data: bytes) -> None:
        """Put frames together; each whole one goes to the writer at once."""
        if self.leaving:
            return
        self.heard = True
        was_partial = self.framer.partial
        try:
            frames = self.framer.feed(data)
        except FrameTooLargeError as error:
            for message in error.before:
                self._submit(message)
            self._too_large(error.head)
            return
        except GarbageError:
            self.hang_up("mllp_garbage")
            return
        self._count(len(self.framer))
        if frames:
            self.last_at = time.monotonic()
            for message in frames:
                self._submit(message)
        if self.framer.partial and (frames or not was_partial):
            self.frame_since = time.monotonic()
        if self.listener.unfinished_bytes > self.listener.limits.unfinished_bytes:
            self.hang_up("mllp_memory")
        elif self.inflight >= self.listener.limits.pipelined or self.listener.crowded():
            self._pause()

    def _count(self, held: int) -> None:
        self.listener.unfinished_bytes += held - self._held
        self._held = held

    def _submit(self, message: bytes) -> None:
        found = arrivals.look(message, self.port.entrance, self.peer)
        if not found:
            return  # an empty frame is how some senders ask whether the line is up
        self.inflight += 1
        self.listener.writer.submit(Job(self, found, len(message)))

    def _too_large(self, head: bytes) -> None:
        """Not stored: say so if we can tell to whom, because a sender that hears nothing sends it for ever."""
        found = arrivals.look(head, self.port.entrance, self.peer)
        envelope = found[0].envelope if found else None
        replies = answers.replies(envelope, TOO_LARGE, ids.uuid7()) if envelope is not None else []
        log.warning("mllp_frame_too_large", port=self.port.number, peer=self.peer.address)
        self.leaving = True
        self.framer = Framer(0)
        self._count(0)
        self.inflight += 1
        # Through the writer like the others: earlier messages of this connection are answered first.
        self.listener.writer.submit(Job(self, [], 0, reply=b"".join(map(frame, replies)), close=True))

    def answered(self, job: Job) -> None:
        """The writer has settled a frame."""
        self.inflight -= 1
        self.last_at = time.monotonic()
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        if job.reply:
            transport.write(job.reply)
        if job.close and not self.leaving:
            log.warning("mllp_unanswerable", port=self.port.number, peer=self.peer.address)
        if job.close or (self.leaving and not self.inflight):
            self.leaving = True
            transport.close()
        elif self._paused:
            self.resume()

    def leave(self) -> None:
        """The listener stops: read nothing more, go when everything in flight is answered."""
        self.leaving = True
        if self.transport is not None and not self.transport.is_closing():
            if self.inflight:
                self.transport.pause_reading()
            else:
                self.transport.close()

    def hang_up(self, why: str) -> None:
        """End it now. What was not acknowledged, the sender sends again."""
        log.warning(why, port=self.port.number, peer=self.peer.address, unanswered=self.inflight)
        self.leaving = True
        if self.transport is not None:
            self.transport.abort()

    def overdue(self, now: float) -> str | None:
        """The deadline that has passed at `now` (monotonic), if any."""
        limits = self.listener.limits
        if not self.heard:
            return "mllp_no_first_byte" if now - self.connected_at > limits.first_byte_s else None
        if self.framer.partial and now - self.frame_since > limits.frame_s and not self._paused:
            return "mllp_frame_too_slow"
        if self.unread_since and now - self.unread_since > limits.frame_s:
            return "mllp_answers_unread"
        if not self.inflight and not self.framer.partial and now - self.last_at > limits.idle_s:
            return "mllp_idle"
        return None

    def _pause(self) -> None:
        if not self._paused and self.transport is not None and not self.transport.is_closing():
            self._paused = True
            self.listener.paused.add(self)
            self.transport.pause_reading()

    def resume(self) -> None:
        """Read on, if nothing speaks against it any more."""
        limits = self.listener.limits
        if not self._paused or self.unread_since or self.inflight > limits.pipelined // 2 or self.listener.crowded():
            return
        self._paused = False
        self.listener.paused.discard(self)
        self.frame_since = self.last_at = time.monotonic()
        if self.transport is not None and not self.transport.is_closing() and not self.leaving:
            self.transport.resume_reading()

    def pause_writing(self) -> None:
        """The sender does not read its answers: then it is not listened to either."""
        self.unread_since = time.monotonic()
        self._pause()

    def resume_writing(self) -> None:
        """It reads again."""
        self.unread_since = 0.0
        self.resume()

    def connection_lost(self, _: Exception | None) -> None:
        """Forget it. Messages that the writer holds are stored all the same; a resend will get their answer."""
        if self.framer.partial or self.framer.garbage or self.framer.cut_off:
            log.info(
                "mllp_broken_frames",
                port=self.port.number,
                peer=self.peer.address,
                unfinished=self.framer.partial,
                cut_off=self.framer.cut_off,
                garbage_bytes=self.framer.garbage,
            )
        self.transport = None
        self._count(0)
        self.listener.forget(self)


def _names(certificate: Any) -> frozenset[str]:
    """The common name and the DNS names of a client certificate as `ssl` describes it; none without certificate."""
    if not certificate:
        return frozenset()
    subject = {value for part in certificate.get("subject", ()) for name, value in part if name == "commonName"}
    return frozenset(subject | {value for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS"})
