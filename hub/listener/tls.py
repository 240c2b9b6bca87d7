"""TLS of a listening port: a certificate, and the authority whose client certificates are let in (mTLS)."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub.errors import Permanent


@dataclass(frozen=True, slots=True)
class Files:
    """Paths of PEM files, and when they were last changed: a renewed certificate makes a different value."""

    certificate: str
    key: str
    client_ca: str
    changed: tuple[float, ...]


def files(*settings: Mapping[str, Any] | None) -> Files | None:
    """The files that the first of these settings names, None where none does; `Permanent` IF_TLS for a missing one."""
    for tls in settings:
        if tls and tls.get("certificate"):
            names = [str(tls.get(name) or "") for name in ("certificate", "key", "client_ca")]
            return Files(names[0], names[1], names[2], tuple(_changed(name) for name in names if name))
    return None


def _changed(name: str) -> float:
    try:
        return Path(name).stat().st_mtime
    except OSError as error:
        raise Permanent(
            "IF_TLS", f"the file cannot be read ({error.strerror}); the port stays closed", where=name
        ) from None


def context(found: Files) -> ssl.SSLContext:
    """A server context, TLS 1.2 at least; with a client authority, nobody without its certificate is let in."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        made.load_cert_chain(found.certificate, found.key or None, password="")
        if found.client_ca:
            made.load_verify_locations(found.client_ca)
            made.verify_mode = ssl.CERT_REQUIRED
    except (ssl.SSLError, OSError) as error:
        raise Permanent(
            "IF_TLS",
            f"certificate, key or client authority cannot be used ({type(error).__name__}); the port stays closed",
            where=found.certificate,
        ) from None
    return made
