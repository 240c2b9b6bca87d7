"""An MLLP receiver that answers as a test tells it to, and remembers every message that it got."""

import socket
import socketserver
import threading
from collections.abc import Callable

from sandbox.mllp import control_id

# What to do with the n-th message (from 0): an MSA-1 code, "AE:206" with an error code, or one of
# "hang" (no answer), "close" (end the connection), "other" (answer for another message), "garbage".
Script = Callable[[int, bytes], str]


class Receiver:
    """Listens on a free port of the loopback until closed."""

    def __init__(self, script: Script = lambda _number, _message: "AA") -> None:
        self.messages: list[bytes] = []
        self._script = script
        self._lock = threading.Lock()
        receiver = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                receiver._serve(self.request)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True
            block_on_close = False

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def control_ids(self) -> list[str]:
        """Return the control ids in the order of arrival."""
        return [control_id(message).decode() for message in self.messages]

    def _serve(self, connection: socket.socket) -> None:
        buffer = b""
        while True:
            try:
                data = connection.recv(65536)
            except ConnectionError:
                return
            if not data:
                return
            *complete, buffer = (buffer + data).split(b"\x1c\r")
            for message in complete:
                if not self._answer(connection, message[1:]):
                    return

    def _answer(self, connection: socket.socket, message: bytes) -> bool:
        """Answer one message. Returns whether the connection goes on."""
        with self._lock:
            number = len(self.messages)
            self.messages.append(message)
        what, _, error = self._script(number, message).partition(":")
        if what == "hang":
            return True
        if what == "close":
            return False
        if what == "garbage":
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n\x1c\r")
            return True
        echoed = b"ANOTHER" if what == "other" else control_id(message)
        code = b"AA" if what == "other" else what.encode()
        ack = b"MSH|^~\\&|R|R|S|S|20261122||ACK|1|P|2.5.1\rMSA|" + code + b"|" + echoed + b"\r"
        if error:
            ack += b"ERR||PID^1^3|" + error.encode() + b"^text^HL70357|E\r"
        connection.sendall(b"\x0b" + ack + b"\x1c\r")
        return True
