"""The demo's partners and doors: one MLLP door for each hospital of the billing platform, one road to the ERP."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hub import vault
from hub.models import Endpoint, Partner

BILLING = "carebill"
ERP = "summit"


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the demo's partners live, from the environment."""

    port: int
    erp_url: str
    erp_token: str

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> "Settings":
        """Read THROUGHLINE_MLLP_PORT, _ERP_URL and _ERP_TOKEN. Raises ValueError with a sentence on what to do."""
        port = environ.get("THROUGHLINE_MLLP_PORT", "2575")
        if not port.isdecimal() or not 0 < int(port) < 65536:
            raise ValueError(f"THROUGHLINE_MLLP_PORT is {port!r}; use a port number such as 2575.")
        found = cls(
            int(port), environ.get("THROUGHLINE_ERP_URL", "").rstrip("/"), environ.get("THROUGHLINE_ERP_TOKEN", "")
        )
        if found.erp_url and not found.erp_url.startswith(("http://", "https://")):
            raise ValueError(f"THROUGHLINE_ERP_URL is {found.erp_url!r}; use a URL such as http://127.0.0.1:8801.")
        if bool(found.erp_url) != bool(found.erp_token):
            raise ValueError("Set THROUGHLINE_ERP_URL and THROUGHLINE_ERP_TOKEN both, or neither of them.")
        return found


def load(network: Mapping[str, Any], settings: Settings) -> Iterator[str]:
    """Add partners and endpoints that are missing; ports, the ERP's address and its token follow the environment."""
    billing, _ = Partner.objects.get_or_create(code=BILLING, defaults={"name": "CareBill", "kind": "billing"})
    erp, _ = Partner.objects.get_or_create(code=ERP, defaults={"name": "Summit ERP", "kind": "erp"})
    new = 0
    for facility in network["facilities"]:
        endpoint, created = Endpoint.objects.get_or_create(
            code=f"{BILLING}-{facility['code'].lower()}",
            defaults={
                "partner": billing,
                "name": f"CareBill, {facility['name']}",
                "direction": "in",
                "format": "hl7v2",
                "transport": "mllp",
                "facility": facility["code"],
                "sending_application": facility["sending_application"],
                "sending_facility": facility["sending_facility"],
                "port": settings.port,
                "allowed_peers": "127.0.0.0/8, ::1/128",
            },
        )
        if endpoint.port != settings.port:
            endpoint.port = settings.port
            endpoint.save(update_fields=["port"])
        new += created
    yield f"inbound endpoints: {new} added, {len(network['facilities']) - new} there, MLLP port {settings.port}"
    yield _outbound(erp, settings)


def _outbound(erp: Partner, settings: Settings) -> str:
    if not settings.erp_url:
        return "outbound endpoint: not touched, because THROUGHLINE_ERP_URL and THROUGHLINE_ERP_TOKEN are not set"
    endpoint, created = Endpoint.objects.get_or_create(
        code=f"{ERP}-ledger",
        defaults={
            "partner": erp,
            "name": "Summit ERP, general ledger",
            "direction": "out",
            "format": "rest_ledger",
            "transport": "http",
            "concurrency": 2,
            "silent_after_minutes": 0,
            "settings": {"base_url": settings.erp_url},
            "secret": vault.seal(settings.erp_token),
        },
    )
    changed = []
    if endpoint.settings.get("base_url") != settings.erp_url:
        endpoint.settings["base_url"] = settings.erp_url
        changed.append("settings")
    if not _holds(endpoint, settings.erp_token):
        endpoint.secret = vault.seal(settings.erp_token)
        changed.append("secret")
    if changed:
        endpoint.save(update_fields=changed)
    return f"outbound endpoint: {'added' if created else 'there'}, {settings.erp_url}"


def _holds(endpoint: Endpoint, token: str) -> bool:
    """Whether the endpoint holds this token; a secret under a key that is gone is replaced."""
    try:
        return vault.open_(endpoint.secret) == token
    except vault.VaultError:
        return False
