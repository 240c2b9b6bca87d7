"""The records that a code may be mapped to: for the lists one picks from, and for the name beside a code."""

from dataclasses import dataclass

from django.utils import timezone

from mappings.flows.targets import MASTERS, UNITS, candidates, our_facility

DOMAINS_WITH_TARGETS = (*MASTERS, "uom")
# A list to pick from; beyond this the reader types the code.
OFFERED = 2000


@dataclass(frozen=True, slots=True)
class Target:
    """One record as the pick list shows it."""

    code: str
    name: str


def offered(domain: str, partner: str, facility: str) -> list[Target]:
    """The active records of a domain, by code; of one facility where the partner's facility code names one."""
    if domain == "uom":
        return [Target(code, name) for code, name in UNITS.items()]
    home = our_facility(partner, facility, timezone.localdate())
    rows = candidates(domain, home).filter(active=True).order_by("code").values_list("code", "name")
    return [Target(code, name) for code, name in dict(rows[:OFFERED]).items()]


def name_of(domain: str, code: str) -> str:
    """What a target code is called, or "" where there is no such record."""
    if domain == "uom":
        return UNITS.get(code, "")
    row = candidates(domain, code=code).first()
    return str(row.name) if row else ""
