"""Which ports are open, and for whom: read from the endpoint rows every few seconds; no change needs a restart."""

import ipaddress
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from hub import doors
from hub.doors import Entrance
from hub.errors import Permanent
from hub.listener import tls
from hub.models import Endpoint


@dataclass(slots=True)
class Port:
    """One port as it shall be. Its connections look at `entrance` for every message, so a change reaches them too."""

    number: int
    entrance: Entrance
    files: tls.Files | None = None
    trouble: str = ""  # why it must stay closed
    server: Any = None  # asyncio's, while it is open


def load(only: Collection[int], host: str) -> dict[int, Port]:
    """The ports that active inbound MLLP endpoints name; all of them, or those of `only`. One query."""
    rows = Endpoint.objects.select_related("partner").filter(
        direction="in", transport="mllp", active=True, partner__active=True, port__isnull=False
    )
    grouped: dict[int, list[Endpoint]] = defaultdict(list)
    for endpoint in rows.order_by("pk"):
        if not only or endpoint.port in only:
            grouped[endpoint.port or 0].append(endpoint)
    return {number: _port(number, endpoints, host) for number, endpoints in grouped.items()}


def _port(number: int, endpoints: list[Endpoint], host: str) -> Port:
    port = Port(number, Entrance(tuple(map(doors.terms, endpoints))))
    try:
        port.files = tls.files(*(_tls(endpoint.settings) for endpoint in endpoints), settings.MLLP_TLS)
    except Permanent as error:
        port.trouble = str(error)
        return port
    listed = all(terms.allowed for terms in port.entrance.terms)
    if port.files is None and not _loopback(host) and not (settings.MLLP_PLAINTEXT and listed):
        port.trouble = PLAINTEXT
    return port


PLAINTEXT = (
    "a port without TLS is opened to the network only with THROUGHLINE_MLLP_PLAINTEXT=true and an allow-list at every "
    "endpoint of the port; give it a certificate, or both of these"
)


def _tls(endpoint_settings: Mapping[str, Any]) -> Mapping[str, Any] | None:
    found = endpoint_settings.get("tls")
    return found if isinstance(found, Mapping) else None


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
