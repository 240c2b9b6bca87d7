"""Endpoints as the hot path sees them: a few fields, read at most once in two seconds a process."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub import bulk

FRESH_S = 2.0  # so long a change in the admin may take to reach a running worker


@dataclass(frozen=True, slots=True)
class Door:
    """One endpoint, without its secret."""

    id: int
    code: str
    name: str
    direction: str
    format: str
    facility: str
    concurrency: int
    paused: bool
    active: bool
    settings: Mapping[str, Any]
    partner: str  # Partner.code


class _Cache:
    def __init__(self) -> None:
        self.read_at = float("-inf")
        self.doors: dict[int, Door] = {}

    def all(self) -> dict[int, Door]:
        if time.monotonic() - self.read_at > FRESH_S:
            rows = bulk.fetch(
                "SELECT e.id, e.code, e.name, e.direction, e.format, e.facility, e.concurrency, e.paused, e.active,"
                " e.settings, p.code FROM hub_endpoint e JOIN hub_partner p ON p.id = e.partner_id WHERE NOT e.shadow"
                " ORDER BY e.id"
            )
            self.doors = {row[0]: Door(*[*row[:9], bulk.unjson(row[9]), row[10]]) for row in rows}
            self.read_at = time.monotonic()
        return self.doors


_cache = _Cache()


def forget() -> None:
    """Read them anew at the next look-up (after a change in this process, and between tests)."""
    _cache.read_at = float("-inf")


def inbound() -> dict[int, Door]:
    """All inbound endpoints by id."""
    return {id_: door for id_, door in _cache.all().items() if door.direction == "in"}


def outbound(format_: str) -> list[Door]:
    """Active outbound endpoints that speak this format; shadow systems get nothing by themselves."""
    return [
        door for door in _cache.all().values() if door.direction == "out" and door.active and door.format == format_
    ]
