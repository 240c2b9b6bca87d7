"""Connectors: one file per ERP. A new ERP is one more line in CONNECTORS."""

from collections.abc import Callable, Sequence
from uuid import UUID

from erp.connectors.base import Connector
from erp.connectors.rest_ledger import RestLedger
from hub.models import Endpoint
from hub.routing import Outcome
from mappings.canonical import CostAllocated

CONNECTORS: dict[str, Callable[[Endpoint], Connector]] = {"rest_ledger": RestLedger}


def of(endpoint: Endpoint) -> Connector:
    """The connector that speaks this endpoint's format."""
    return CONNECTORS[endpoint.format](endpoint)


def post_journal(endpoint: Endpoint, key: UUID, facts: Sequence[CostAllocated]) -> Outcome:
    """Hand the facts over as one journal under this key."""
    return of(endpoint).create("journal", facts, key)


def find_journal(endpoint: Endpoint, key: UUID) -> Outcome:
    """Look the journal of this key up."""
    return of(endpoint).find("journal", key)
