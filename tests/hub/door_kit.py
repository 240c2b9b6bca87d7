"""What the tests of the doors share: endpoints, messages, a listener in a thread, a plain MLLP client."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hub import bulk, doors
from hub.doors import Entrance
from hub.listener.limits import Limits
from hub.listener.server import Listener
from hub.models import Endpoint, Message, Partner

HOST = "127.0.0.1"


def endpoint(code: str = "carebill-dft", **changes: Any) -> Endpoint:
    """An active inbound HL7 endpoint of the partner "carebill"."""
    partner, _ = Partner.objects.get_or_create(code="carebill", defaults={"name": "CareBill", "kind": "billing"})
    values = {"partner": partner, "name": code, "direction": "in", "format": "hl7v2", "transport": "mllp"}
    return Endpoint.objects.create(code=code, **{**values, **changes})


def entrance(*endpoints: Endpoint) -> Entrance:
    """The door in front of these endpoints."""
    return Entrance(tuple(map(doors.terms, endpoints)))


def dft(
    control_id: str = "M1",
    *,
    app: str = "CAREBILL",
    facility: str = "NORTH",
    kind: str = "DFT^P03",
    processing: str = "P",
    version: str = "2.5.1",
    account: str = "ACC1",
    modes: str = "||",
    charge: str = "100",
) -> bytes:
    """A charge message; `modes` is what stands from MSH-13 on, e.g. "|||AL|NE"."""
    return (
        f"MSH|^~\\&|{app}|{facility}|HUB|CVH|20261122101500||{kind}|{control_id}|{processing}|{version}{modes}\r"
        f"EVN|P03|20261122101500\r"
        f"PID|1||7001^^^CVH^MR||DOE^JANE|||||||||||||{account}\r"
        f"FT1|1|T{control_id}||20261122||CG|C{charge}|||1|{charge}.00&USD\r"
    ).encode()


def free_port() -> int:
    """A loopback port that nobody listens at now."""
    with socket.socket() as held:
        held.bind((HOST, 0))
        return int(held.getsockname()[1])


@contextmanager
def listening(*, host: str = HOST, only: tuple[int, ...] = (), **limits: Any) -> Iterator[Listener]:
    """A listener in a thread of its own, up until the block ends; then it must have stopped in good order."""
    made: list[Any] = []
    up = threading.Event()

    async def serve() -> None:
        listener = Listener(host, only, Limits(**limits))
        ready = asyncio.Event()
        made.extend((listener, asyncio.get_running_loop()))
        running = asyncio.create_task(listener.run(ready))
        await asyncio.wait([asyncio.create_task(ready.wait()), running], return_when=asyncio.FIRST_COMPLETED)
        up.set()
        await running

    failed: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:  # noqa: BLE001  (told to the test)
            failed.append(error)
            up.set()

    thread = threading.Thread(target=run)
    thread.start()
    assert up.wait(20)
    try:
        yield made[0]
    finally:
        made[1].call_soon_threadsafe(made[0].stop)
        thread.join(30)
        assert not thread.is_alive()
        assert not failed


class Client:
    """A sender with a socket of its own."""

    def __init__(self, port: int, *, tls: ssl.SSLContext | None = None, timeout: float = 20.0) -> None:
        self.socket: Any = socket.create_connection((HOST, port), timeout=timeout)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self.buffer = b""

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def send(self, *messages: bytes) -> None:
        """Messages in frames of their own, in one write."""
        self.raw(b"".join(b"\x0b" + message + b"\x1c\r" for message in messages))

    def raw(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read(self) -> bytes:
        """The next answer without its frame; b"" when the other side hung up."""
        while b"\x1c\r" not in self.buffer:
            try:
                got = self.socket.recv(65_536)
            except ConnectionResetError:
                got = b""
            if not got:
                assert not self.buffer, "half an answer"
                return b""
            self.buffer += got
        answer, _, self.buffer = self.buffer.partition(b"\x1c\r")
        assert answer[:1] == b"\x0b"
        return answer[1:]

    def ask(self, message: bytes) -> bytes:
        """Send one message and wait for its answer."""
        self.send(message)
        return self.read()


def code(answer: bytes) -> str:
    """MSA-1 and MSA-2 of an answer: "AA M1"; "" of none."""
    if not answer:
        return ""
    line = next((line for line in answer.split(b"\r") if line.startswith(b"MSA")), b"")
    return " ".join(line.decode("latin-1").split(answer[3:4].decode("latin-1"))[1:3])


def errors(answer: bytes) -> list[str]:
    """The codes of table 0357 in an answer: ERR-3.1 since v2.5, before that the fourth component of ERR-1."""
    found = [line.decode().split("|") for line in answer.split(b"\r") if line.startswith(b"ERR")]
    return [err[3].split("^")[0] if len(err) > 3 else err[1].split("^")[3].split("&")[0] for err in found]


def stored() -> dict[str, int]:
    """How many messages there are of each status."""
    return dict(bulk.fetch("SELECT status, count(*) FROM hub_message GROUP BY status"))


def one(**wanted: Any) -> Message:
    """The one message of that description."""
    return Message.objects.get(**wanted)
