"""HTTP out. Says of every call whether it was done, refused, not done, or nobody knows; never retries by itself.

It connects to addresses that were checked (`hub.transports.addresses`), follows no redirect, uses no proxy.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpcore2
import httpx2

from hub import tracing, vault
from hub.errors import OutcomeUnknown, Throttled, Transient
from hub.models import Endpoint
from hub.transports import addresses

CONNECT_S, READ_S = 5.0, 30.0
# A partner's answer is hostile until read: no more of it than this is taken.
ANSWER_LIMIT = 1_048_576


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _Guarded(httpcore2.SyncBackend):
    """Opens connections to addresses that were checked; the name stays what Host and TLS go by."""

    def __init__(self, *, plain: bool) -> None:
        super().__init__()
        self.plain = plain

    def connect_tcp(self, host: str, port: int, *args: Any, **kwargs: Any) -> httpcore2.NetworkStream:
        """The first of the host's addresses that takes a connection. Resolved here and nowhere else."""
        *first, last = addresses.checked(host, port, plain=self.plain)
        for address in first:
            try:
                return super().connect_tcp(address, port, *args, **kwargs)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        return super().connect_tcp(last, port, *args, **kwargs)


def guarded(*, plain: bool) -> httpx2.HTTPTransport:
    """A transport that connects to checked addresses only; `plain` where nothing encrypts the connection."""
    transport = httpx2.HTTPTransport(trust_env=False)
    # The one way to give httpx a connection of our own making and keep its names for what goes wrong.
    transport._pool = httpcore2.ConnectionPool(
        ssl_context=httpx2.create_ssl_context(trust_env=False), network_backend=_Guarded(plain=plain),
        max_connections=100, max_keepalive_connections=20, keepalive_expiry=5.0,
    )  # fmt: skip
    return transport


class _Clients:
    """One keep-alive client per endpoint and configuration, shared by the threads of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clients: dict[int, tuple[tuple[str, ...], httpx2.Client]] = {}

    def of(self, endpoint: Endpoint) -> httpx2.Client:
        settings = endpoint.settings
        base_url = settings.get("base_url")
        if not base_url:
            raise Transient("ERP_UNREACHABLE", f'endpoint {endpoint.code} has no "base_url" in its settings: add it')
        connect, read = float(settings.get("connect_s", CONNECT_S)), float(settings.get("read_s", READ_S))
        made_for = (base_url, endpoint.secret, str(connect), str(read))
        with self._lock:
            known = self._clients.get(endpoint.pk)
            if known is not None and known[0] == made_for:
                return known[1]
            headers = {"Authorization": f"Bearer {vault.open_(endpoint.secret)}"} if endpoint.secret else {}
            client = httpx2.Client(
                base_url=base_url, headers=headers, follow_redirects=False, trust_env=False,
                transport=guarded(plain=not base_url.lower().startswith("https:")),
                timeout=httpx2.Timeout(read, connect=connect),
            )  # fmt: skip
            self._clients[endpoint.pk] = (made_for, client)
        if known is not None:  # a call that another thread has under way ends as unknown and is looked up
            known[1].close()
        return client

    def close(self) -> None:
        with self._lock:
            closing = [client for _, client in self._clients.values()]
            self._clients.clear()
        for client in closing:
            client.close()


_clients = _Clients()


def close() -> None:
    """Close every kept connection; the next call opens new ones."""
    _clients.close()


def send(
    endpoint: Endpoint, method: str, path: str, *, body: bytes | None = None, params: Mapping[str, str] | None = None
) -> Answer:
    """One request. Raises `Transient` when nothing was done, `Throttled` on 429 or 503, `OutcomeUnknown` otherwise.

    408 and 425 say that the partner never looked at it: it is sent again (reliability R-7).

    5xx answers other than 503 are unknown: the partner may have done it and failed to say so.
    """
    headers = tracing.carrier()
    if body is not None:
        headers["Content-Type"] = "application/json"
    try:
        client = _clients.of(endpoint)
        with client.stream(method, path, content=body, params=params, headers=headers) as response:
            content = _read(response)
            answer = Answer(response.status_code, response.headers, content)
    except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
        raise Transient("ERP_UNREACHABLE", f"no connection: {type(error).__name__}") from error
    except httpx2.HTTPError as error:
        raise OutcomeUnknown("ERP_AMBIGUOUS", f"sent, and no answer: {type(error).__name__}") from error
    if answer.status in {429, 503}:
        after = _seconds(answer.headers.get("retry-after"))
        raise Throttled("ERP_UNREACHABLE", f"the partner answered {answer.status}", retry_after_s=after)
    if answer.status in {408, 425}:
        raise Transient("ERP_UNREACHABLE", f"the partner answered {answer.status} and did not look at it")
    if answer.status >= 500:
        raise OutcomeUnknown("ERP_AMBIGUOUS", f"the partner answered {answer.status}")
    return answer


def probe(endpoint: Endpoint) -> str:
    """Open a connection and hang up without a request; returns what was found, or raises `Transient`."""
    url = httpx2.URL(str(endpoint.settings.get("base_url") or ""))
    if url.scheme not in {"http", "https"} or not url.host:
        raise Transient("ERP_UNREACHABLE", f'endpoint {endpoint.code} has no usable "base_url" in its settings: add it')
    port = url.port or (443 if url.scheme == "https" else 80)
    link = addresses.connect(url.host, port, timeout_s=CONNECT_S, plain=url.scheme == "http")
    try:
        peer = link.getpeername()[0]
        if url.scheme == "http":
            return f"{url.host} port {port} answers at {peer}, not encrypted. No request was sent."
        link = httpx2.create_ssl_context(trust_env=False).wrap_socket(link, server_hostname=url.host)
        return f"{url.host} port {port} answers at {peer}, {link.version()}. No request was sent."
    except OSError as error:
        why = getattr(error, "verify_message", "") or error.strerror or type(error).__name__
        raise Transient("IF_TLS", f"no encrypted connection to {url.host} port {port}: {why}") from error
    finally:
        link.close()


def _read(response: httpx2.Response) -> bytes:
    taken = bytearray()
    for piece in response.iter_bytes():
        taken += piece
        if len(taken) > ANSWER_LIMIT:
            raise OutcomeUnknown("ERP_AMBIGUOUS", f"the answer is longer than {ANSWER_LIMIT} bytes")
    return bytes(taken)


def _seconds(value: str | None) -> float:
    """Retry-After in seconds; one second where it is missing or a date, five minutes at most."""
    return min(300.0, float(value)) if value is not None and value.isdigit() else 1.0
