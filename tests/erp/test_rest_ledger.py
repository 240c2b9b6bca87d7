"""What the REST ledger's answers mean for a journal: done, refused, not looked at, or nobody knows (R-7)."""

from collections.abc import Iterator

import pytest

from erp.adapters import rest_ledger
from erp.connectors.rest_ledger import RestLedger
from hub import ids
from hub.models import Endpoint
from hub.transports import http
from tests.hub.receiver import Receiver, receiver


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A server that answers a bare status, without the protocol's words."""
    monkeypatch.setattr(rest_ledger, "write_journal", lambda key, document: b"{}")
    with receiver() as running:
        yield running
    http.close()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "rejected"), (401, "retryable"), (404, "retryable"), (408, "retryable"), (409, "unknown"),
        (413, "rejected"), (422, "rejected"), (425, "retryable"), (429, "retryable"), (500, "unknown"),
        (503, "retryable"),
    ],
)  # fmt: skip
def test_R_7_only_what_the_partner_looked_at_and_refused_stops(there: Receiver, status: int, kind: str) -> None:
    """408, 425 and 429 go out again; a bare 409 is looked up and goes out again under its key."""
    there.answers = [(status, {})]
    endpoint = Endpoint(pk=1, code="ledger", settings={"base_url": there.url.removesuffix("/hooks/throughline")})
    assert RestLedger(endpoint).create("journal", object(), ids.uuid7()).kind == kind
    assert len(there.got) == 1
