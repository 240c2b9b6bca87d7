"""Free TCP ports on the loopback address."""

import socket

from embedded.errors import EmbeddedError

HOST = "127.0.0.1"
TRIES = 50


def is_free(port: int) -> bool:
    """Whether a server could bind `port` on the loopback address now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections in TIME_WAIT do not count
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def any_free(preferred: int | None = None) -> int:
    """`preferred` if it is free, else a port that the kernel picks."""
    if preferred and is_free(preferred):
        return preferred
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def next_free(wanted: int, *, taken: frozenset[int] = frozenset()) -> int:
    """`wanted`, or the first free port above it that is not in `taken`; EmbeddedError after 50 tries."""
    for port in range(wanted, wanted + TRIES):
        if port not in taken and is_free(port):
            return port
    raise EmbeddedError(f"ports {wanted} to {wanted + TRIES - 1} on {HOST} are all taken; free one and start again")
