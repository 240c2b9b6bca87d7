"""Testing a connection by hand: is the partner there, and may the hub talk to it? Nothing is sent, nothing is taken."""

from collections.abc import Callable

from hub import access, audit
from hub.access import Actor
from hub.errors import HubError
from hub.models import Endpoint
from hub.transports import drops, http, mllp

# (direction, transport) -> how to look. Doors where partners call us have nothing to call.
PROBES: dict[tuple[str, str], Callable[[Endpoint], str]] = {
    ("out", "http"): http.probe,
    ("out", "mllp"): mllp.probe,
    ("out", "folder"): drops.probe,
    ("in", "folder"): drops.probe,
    ("out", "sftp"): drops.probe,
    ("in", "sftp"): drops.probe,
}


def can(endpoint: Endpoint) -> bool:
    """Whether there is anything to test."""
    return (endpoint.direction, endpoint.transport) in PROBES


def probe(endpoint: Endpoint, *, by: Actor) -> str:
    """Test the connection; returns what was found in a sentence, raises the transport's `HubError` where it fails.

    Audited either way: it makes the hub connect to an address that a person chose.
    """
    access.require(by, "hub.change_endpoint", facility=endpoint.facility)
    try:
        told = PROBES[endpoint.direction, endpoint.transport](endpoint)
    except HubError as error:
        audit.record("endpoints.probe", by=by, subject=endpoint, detail={"found": error.code})
        raise
    audit.record("endpoints.probe", by=by, subject=endpoint, detail={"found": "ok"})
    return told
