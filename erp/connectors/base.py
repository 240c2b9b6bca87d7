"""What every ERP connector can do. Outcomes are `hub.routing.Outcome`; a time-out after sending is "unknown"."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from hub.models import Endpoint
from hub.routing import Outcome


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an ERP offers, so that the hub never asks for what is not there."""

    creates: frozenset[str]  # document kinds, e.g. {"journal"}
    pulls: frozenset[str]  # reference data kinds, e.g. {"cost_center"}
    acts: frozenset[tuple[str, str]] = frozenset()  # (kind, action), e.g. {("invoice", "validate")}
    balances: bool = False
    keyed: bool = False  # refuses a second document with the same external key
    journal_lines: int = 200  # the most it takes in one journal


@dataclass(frozen=True, slots=True)
class Page:
    """One page of reference data as the ERP sends it, in our field names; `cursor` is "" on the last page."""

    records: Sequence[Mapping[str, Any]]
    cursor: str


class Connector(Protocol):
    """One vendor's API (domain 6.10). Talks through `hub.transports`; touches no row of ours."""

    endpoint: Endpoint

    def capabilities(self) -> Capabilities: ...

    def pull(self, kind: str, since: datetime | None, cursor: str) -> Page:
        """One page of changed records. Raises `hub.errors.Transient` or `Rejected`."""
        ...

    def find(self, kind: str, external_key: UUID) -> Outcome:
        """Look a document up by our key: "ok" with its reference, "absent", or "retryable"/"unknown"."""
        ...

    def create(self, kind: str, document: Any, external_key: UUID) -> Outcome:
        """Hand a document over. Must be safe to repeat with the same key where `capabilities().keyed`."""
        ...

    def act(self, kind: str, reference: str, action: str) -> Outcome:
        """Move a document of theirs: cancel, validate, release."""
        ...

    def balance(self, kind: str, period: str) -> Iterator[Mapping[str, Any]]:
        """Their balances of a period, for reconciliation."""
        ...
