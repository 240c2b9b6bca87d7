"""Which addresses the hub connects to (S-11), with a resolver whose answers the tests choose."""

import socket
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_network
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.exceptions import ImproperlyConfigured

from hub import environment
from hub.errors import OutcomeUnknown, Transient
from hub.models import Endpoint, Partner
from hub.transports import addresses, http

LOOPBACK = ("127.0.0.0/8", "::1/128")
PUBLIC, PRIVATE = "93.184.215.14", "10.20.3.4"


REAL = socket.getaddrinfo


class Resolver:
    """Answers names with the next of its lists, the last one for ever. Numbers are numbers."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, host: str, port: int, *args: Any, **named: Any) -> list[Any]:
        if not host.endswith((".example", ".inner")):
            return REAL(host, port, *args, **named)
        self.asked.append(host)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in answer]


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put a resolver in the place of the machine's."""

    def put(*answers: Sequence[str]) -> Resolver:
        made = Resolver(*answers)
        monkeypatch.setattr(addresses.socket, "getaddrinfo", made)
        return made

    return put


def allow(settings: LazySettings, *networks: str) -> None:
    """What the site names."""
    settings.OUTBOUND_NETWORKS = tuple(map(ip_network, networks))


INNER = [
    "127.0.0.1", "127.1.2.3", "10.20.3.4", "172.16.0.1", "192.168.1.1", "100.64.0.1", "::1", "fd12:3456::1",
    "::ffff:10.1.2.3", "::ffff:127.0.0.1", "64:ff9b::a01:203", "2002:a01:203::1", "::a01:203", "192.0.2.1",
]  # fmt: skip
NEVER = [
    "169.254.169.254", "169.254.0.1", "fe80::1", "fe80::1%eth0", "224.0.0.1", "ff02::1", "0.0.0.0", "::",
    "255.255.255.255", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "fd00:ec2::254",
    "100.100.100.200",
]  # fmt: skip


@pytest.mark.parametrize("address", INNER)
def test_inner_addresses_need_the_sites_word(address: str, settings: LazySettings) -> None:
    """S-11: each way to write an inner address is refused, and the text names the setting."""
    allow(settings)
    assert "THROUGHLINE_OUTBOUND_NETWORKS" in addresses.refused(address)


@pytest.mark.parametrize("address", NEVER)
def test_some_addresses_are_never_called(address: str, settings: LazySettings) -> None:
    """S-11: link-local, metadata and multicast addresses are refused even where the site names everything."""
    allow(settings, "0.0.0.0/0", "::/0")
    assert addresses.refused(address).startswith("where no partner can be")


@pytest.mark.parametrize("address", [PUBLIC, "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "::ffff:93.184.215.14"])
def test_public_addresses_are_called_with_tls_only(address: str, settings: LazySettings) -> None:
    """A token never crosses the internet in plain text, unless the site names that very network."""
    allow(settings)
    assert addresses.refused(address) == ""
    assert "use TLS" in addresses.refused(address, plain=True)
    allow(settings, "93.184.215.0/24", "2606:2800::/32")
    assert addresses.refused(address, plain=True) == ""


@pytest.mark.parametrize("host", ["127.1", "0x7f.0.0.1", "2130706433", "0177.0.0.1", "localhost", "::1"])
def test_other_spellings_of_this_machine_are_this_machine(host: str, settings: LazySettings) -> None:
    """S-11: what counts is what the resolver makes of a name, and not how it is written."""
    allow(settings)
    with pytest.raises(Transient, match="inner address"):
        addresses.checked(host, 80)


def test_the_sites_networks_are_let_through_and_no_other(settings: LazySettings, resolve: Any) -> None:
    """An allow-list opens what it names."""
    allow(settings, "10.20.0.0/16")
    resolve([PRIVATE])
    assert addresses.checked("erp.inner", 443) == [PRIVATE]
    resolve(["10.21.0.1"])
    with pytest.raises(Transient) as refused:
        addresses.checked("erp.inner", 443)
    assert refused.value.code == "IF_ADDRESS"


def test_one_bad_address_spoils_a_name(settings: LazySettings, resolve: Any) -> None:
    """S-11: every address is looked at, not the first."""
    allow(settings)
    resolve([PUBLIC, "169.254.169.254"])
    with pytest.raises(Transient, match=r"169\.254\.169\.254"):
        addresses.checked("two.example", 443)


def test_a_name_without_an_address_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever mistyped it reads which name it was."""

    def nowhere(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(addresses.socket, "getaddrinfo", nowhere)
    with pytest.raises(Transient, match=r"nowhere\.example") as refused:
        addresses.checked("nowhere.example", 443)
    assert refused.value.code == "IF_NAME"


def test_a_network_that_is_none_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A typing error in the allow-list is told, not guessed at."""
    monkeypatch.setenv("THROUGHLINE_OUTBOUND_NETWORKS", "10.0.0.0/8, 10.20.0.1/16")
    with pytest.raises(ImproperlyConfigured, match=r"10\.20\.0\.1/16"):
        environment.networks("THROUGHLINE_OUTBOUND_NETWORKS")


# --- over HTTP -------------------------------------------------------------------------------------------------------
class Inside(BaseHTTPRequestHandler):
    """A service that must not be reached, or the partner itself; redirects where it is told to."""

    def do_GET(self) -> None:
        self.server.hosts.append(self.headers["Host"])  # type: ignore[attr-defined]
        self.send_response(302 if self.path == "/away" else 200)
        self.send_header("Location", "http://169.254.169.254/latest/meta-data/")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: Any) -> None:
        """Not here."""


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    """A server on loopback that remembers the Host of each request."""
    made = HTTPServer(("127.0.0.1", 0), Inside)
    made.hosts = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()
    http.close()


def endpoint(port: int) -> Endpoint:
    """A partner under a name, never stored."""
    partner = Partner(pk=77, code="p", name="P", kind="erp")
    base_url = f"http://erp.example:{port}"
    return Endpoint(pk=777, partner=partner, code="erp", name="ERP", settings={"base_url": base_url, "connect_s": 2})


def test_http_connects_to_the_address_it_checked(server: HTTPServer, settings: LazySettings, resolve: Any) -> None:
    """S-11: one question to the resolver for a connection; the name stays in the Host header."""
    allow(settings, *LOOPBACK)
    resolver = resolve(["127.0.0.1"], ["169.254.169.254"])
    port = server.server_port
    assert http.send(endpoint(port), "GET", "/v1/health").status == 200
    assert resolver.asked == ["erp.example"]
    assert server.hosts == [f"erp.example:{port}"]  # type: ignore[attr-defined]


def test_http_is_not_led_inside_by_a_name_that_flips(server: HTTPServer, settings: LazySettings, resolve: Any) -> None:
    """S-11, F-H4: a name that was public and is inner now reaches nobody; the next connection is checked anew."""
    allow(settings)
    resolver = resolve(["127.0.0.1"])
    with pytest.raises(Transient) as refused:
        http.send(endpoint(server.server_port), "GET", "/v1/health")
    assert refused.value.code == "IF_ADDRESS"
    assert resolver.asked == ["erp.example"]
    assert server.hosts == []  # type: ignore[attr-defined]


def test_http_follows_no_redirect(server: HTTPServer, settings: LazySettings, resolve: Any) -> None:
    """S-11: a partner's 302 to the inside is an answer, and no way in."""
    allow(settings, *LOOPBACK)
    resolver = resolve(["127.0.0.1"])
    assert http.send(endpoint(server.server_port), "GET", "/away").status == 302
    assert resolver.asked == ["erp.example"]


def test_http_tries_the_next_address(server: HTTPServer, settings: LazySettings, resolve: Any) -> None:
    """Of a partner's addresses one may be down: nothing was sent there, so the next one is tried."""
    allow(settings, *LOOPBACK)
    resolve(["127.0.0.9", "127.0.0.1"])
    assert http.send(endpoint(server.server_port), "GET", "/v1/health").status == 200


def test_http_probe_says_what_it_found(server: HTTPServer, settings: LazySettings, resolve: Any) -> None:
    """Testing the connection sends no request, and tells the address."""
    allow(settings, *LOOPBACK)
    resolve(["127.0.0.1"])
    assert "127.0.0.1, not encrypted. No request was sent." in http.probe(endpoint(server.server_port))
    assert server.hosts == []  # type: ignore[attr-defined]


def test_an_answer_that_is_cut_off_is_still_in_doubt(settings: LazySettings, resolve: Any) -> None:
    """The guard changes nothing about what is known of a call."""
    allow(settings, *LOOPBACK)
    resolve(["127.0.0.1"])
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        def hang_up() -> None:
            link, _ = listening.accept()
            link.recv(1024)
            link.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(OutcomeUnknown):
            http.send(endpoint(port), "POST", "/v1/journals", body=b"{}")
        thread.join()
    http.close()
