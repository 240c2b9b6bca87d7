"""Which addresses the hub connects to. A name is resolved once, and what was checked is what is connected to (S-11).

Whoever may edit an endpoint could otherwise make the hub call services inside the hospital's network, or a cloud's
metadata service. Public addresses are let through; inner ones only where the site's own setting names their network;
a few are never let through, whatever is named.
"""

import socket
import time
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from django.conf import settings

from hub.errors import Transient

Address = IPv4Address | IPv6Address
# Where no partner ever is: link-local with the metadata services in it, multicast, broadcast, "this host".
NEVER: tuple[IPv4Network | IPv6Network, ...] = tuple(
    map(
        ip_network,
        (
            "169.254.0.0/16", "fe80::/10", "224.0.0.0/4", "ff00::/8", "0.0.0.0/8", "::/128", "255.255.255.255/32",
            "fd00:ec2::254/128", "100.100.100.200/32", "192.0.0.192/32",
        ),
    )
)  # fmt: skip
# Addresses of other families that lead to an IPv4 address: what counts is where they lead.
_NAT64 = ip_network("64:ff9b::/96")
SETTING = "THROUGHLINE_OUTBOUND_NETWORKS"


def checked(host: str, port: int, *, plain: bool = False) -> list[str]:
    """The addresses of a host, every one of them allowed; `plain` for a connection that nothing encrypts.

    Raises `Transient`: IF_NAME where the name has no address now, IF_ADDRESS where one of them is not let through. One
    that is not spoils them all: a name that points both outside and inside is nobody's honest partner.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Transient("IF_NAME", f"the name {host} has no address: correct it, or ask who runs the DNS") from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        if why := refused(address, plain=plain):
            raise Transient("IF_ADDRESS", f"{host} is {address}, {why}; nothing was sent")
    return addresses


def refused(address: str, *, plain: bool = False) -> str:
    """Why the hub does not connect to this address, and what to do; "" where it does.

    >>> refused("169.254.169.254").partition(",")[0]
    'where no partner can be'
    """
    reached = _reached(ip_address(address.partition("%")[0]))
    if any(reached in network for network in NEVER):
        return "where no partner can be, link-local, multicast or a cloud's own services: correct the endpoint"
    if any(reached in network for network in settings.OUTBOUND_NETWORKS):
        return ""
    if not reached.is_global:
        return f"an inner address: if the partner is there, add its network to {SETTING}"
    if plain:
        return f"a public address, and the connection is not encrypted: use TLS, or add its network to {SETTING}"
    return ""


def _reached(address: Address) -> Address:
    """Where packets to it end up: mapped, 6to4, Teredo and NAT64 addresses carry an IPv4 address."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    inner = address.ipv4_mapped or address.sixtofour or (address.teredo and address.teredo[1])
    if inner:
        return inner
    if int(address) >> 32 == 0 and int(address) > 1:  # ::a.b.c.d, which some stacks still take for IPv4
        return IPv4Address(int(address))
    return address


def connect(host: str, port: int, *, timeout_s: float, plain: bool = False) -> socket.socket:
    """A connection to one of the host's addresses, all checked before; within `timeout_s` in all.

    Raises `Transient` where none comes about: nothing was sent.
    """
    ends = time.monotonic() + timeout_s
    failed: OSError | None = None
    for address in checked(host, port, plain=plain):
        try:
            return socket.create_connection((address, port), timeout=max(0.1, ends - time.monotonic()))
        except OSError as error:
            failed = error
        if time.monotonic() >= ends:
            break
    raise Transient("ERP_UNREACHABLE", f"no connection to {host} port {port}: {_said(failed)}") from failed


def _said(error: OSError | None) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return (error.strerror or type(error).__name__) if error is not None else "it has no address"
