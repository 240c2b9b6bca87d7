"""Ready checks: each is a function that answers None when the process can be used, else the reason why not yet."""

import http.client
import socket
from collections.abc import Callable

from embedded.ports import HOST

Check = Callable[[], str | None]
TRY_S = 1.0


def port(number: int) -> Check:
    """Ready when something accepts connections on the loopback port."""

    def check() -> str | None:
        try:
            with socket.create_connection((HOST, number), timeout=TRY_S):
                return None
        except OSError as error:
            return f"nothing answers on {HOST}:{number} ({error})"

    return check


def http_ok(number: int, path: str) -> Check:
    """Ready when GET `path` is answered with a status below 500 (a redirect to the log-in is an answer)."""

    def check() -> str | None:
        connection = http.client.HTTPConnection(HOST, number, timeout=TRY_S * 5)
        try:
            connection.request("GET", path)
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            return f"http://{HOST}:{number}{path} does not answer ({error})"
        finally:
            connection.close()
        return None if status < 500 else f"http://{HOST}:{number}{path} answers {status}"

    return check
