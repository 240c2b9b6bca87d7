"""Asking an ERP for its balances, while the database is not kept waiting."""

from typing import Any

from django.db import connection

from erp.connectors.rest_ledger import RestLedger
from hub import verification
from tests import world
from tests.world import dft, ft1


def test_no_transaction_is_open_while_an_erp_is_asked_for_its_balances(erp: world.Erp, monkeypatch: Any) -> None:
    """A slow partner holds no lock and no snapshot: each look at our own rows is a transaction of its own."""
    world.receive(dft("M1", "A1", ft1("T1", "STENT", "1", "2000")))
    world.run_until_quiet()
    asked = []
    real = RestLedger.balance

    def balance(self: Any, what: str, period: str) -> Any:
        asked.append(connection.in_atomic_block)
        return real(self, what, period)

    monkeypatch.setattr(RestLedger, "balance", balance)
    (partners,) = [
        one for one in verification.run(verification.span(), only=["INV-6"], outside=True) if one.check.outside
    ]

    assert (partners.state, asked) == ("ok", [False])
