"""The checker: the hub's books, the ERP's own ledger and what was sent, held against each other to the cent.

It reads tables by SQL and the ERP over HTTP; it shares no code with what it checks.
"""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from hub.models import Breaker, Dispatch
from hub.routing import Outbound, Outcome, registry
from tests import world

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
CENT = Decimal("0.01")


def rows(statement: str, *params: Any) -> list[Any]:
    """All rows of a statement."""
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return cursor.fetchall()


def make_due() -> None:
    """The time of every waiting call has come, and of every probe."""
    Breaker.objects.exclude(status="closed").update(probe_at=LONG_AGO)
    Dispatch.objects.filter(status__in=["waiting", "in_doubt"]).update(due_at=LONG_AGO)


def run_through(rounds: int = 12) -> None:
    """Work as the workers would, over as many back-offs as it takes; gives up after `rounds`."""
    for _ in range(rounds):
        world.run_until_quiet()
        if not Dispatch.objects.filter(status__in=["sending", "waiting", "in_doubt"]).exists():
            return
        make_due()


def asked_of_erp(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What this process asks of the ERP from now on, in order: "send" or "find". The calls are really made."""
    asked: list[str] = []
    route = registry.routes["journals.post"]
    assert isinstance(route, Outbound)

    def send(*args: Any) -> Outcome:
        asked.append("send")
        return route.send(*args)

    def find(*args: Any) -> Outcome:
        asked.append("find")
        return route.find(*args)

    monkeypatch.setitem(registry.routes, route.name, replace(route, send=send, find=find))
    return asked


def sent_money(*messages: bytes) -> Decimal:
    """The signed money of all CG and CD lines, straight from the bytes."""
    total = Decimal(0)
    for message in messages:
        for segment in message.decode().split("\r"):
            fields = segment.split("|")
            if fields[0] == "FT1" and fields[6] in {"CG", "CD"}:
                total += Decimal(fields[11]) * (1 if fields[6] == "CG" else -1)
    return total


class Books:
    """One ERP process, seen from the moment this was made."""

    def __init__(self, erp: world.Erp) -> None:
        self.erp = erp
        self.before = erp.totals()

    def fault(self, mode: str, **options: Any) -> None:
        """Make the ERP misbehave."""
        self.erp.fault(mode=mode, **options)

    def struck(self) -> dict[str, int]:
        """How often each fault was injected since the ERP started."""
        injected: dict[str, int] = self.erp.ask("GET", "/_sandbox/faults")["injected"]
        return injected

    def totals(self) -> dict[str, Decimal]:
        """What the ERP's ledger has gained."""
        now = self.erp.totals()
        return {name: Decimal(now[name]) - Decimal(self.before[name]) for name in now}

    def agree(self, *messages: bytes, posted: int) -> None:
        """INV-3 to INV-8: each of the `posted` charges is in the ERP's ledger exactly once, and all sums are equal."""
        self.erp.heal()
        statuses = Counter(dict(rows("SELECT status, count(*) FROM billing_charge GROUP BY 1")))
        assert statuses["posted"] == posted, statuses
        balanced(*messages)
        theirs = self.totals()
        ours = rows(
            "SELECT count(*), coalesce(sum(total), 0), coalesce(sum(lines), 0) FROM erp_journal WHERE status = 'posted'"
        )[0]
        assert (theirs["journals"], theirs["debit"], theirs["credit"], theirs["lines"]) == (
            ours[0], ours[1], ours[1], ours[2],
        )  # fmt: skip
        costed = rows(
            "SELECT count(DISTINCT l.charge_id), coalesce(sum(l.debit), 0) FROM erp_journalline l"
            " JOIN billing_charge c ON c.id = l.charge_id WHERE c.status = 'posted'"
        )[0]
        assert (theirs["distinct_references"], theirs["debit"]) == costed
        # INV-6: every journal that we call posted is there under the reference that we wrote down, and no other is.
        for key, reference in rows("SELECT id, erp_reference FROM erp_journal"):
            found = self.erp.ask("GET", f"/v1/journals?external_key={key}")["items"]
            assert [one["id"] for one in found] == ([reference] if reference else [])

    def settled(self) -> None:
        """Nothing is under way: no call open, no delivery waiting, no lane leased."""
        assert rows("SELECT status, count(*) FROM hub_dispatch WHERE settled_at IS NULL GROUP BY 1") == []
        assert rows("SELECT status, count(*) FROM hub_delivery WHERE status IN ('pending', 'sending') GROUP BY 1") == []
        assert rows("SELECT queue FROM hub_lane WHERE token IS NOT NULL") == []


def balanced(*messages: bytes) -> None:
    """INV-4, INV-5, INV-8 and INV-3 on the hub's own tables."""
    by_status = dict(rows("SELECT status, sum(amount) FROM billing_charge GROUP BY 1"))
    if messages:
        assert sum(by_status.values(), Decimal(0)) == sent_money(*messages), by_status
    debit, credit = rows("SELECT coalesce(sum(debit), 0), coalesce(sum(credit), 0) FROM erp_journalline")[0]
    assert debit == credit
    crooked = rows(
        "SELECT a.id FROM erp_allocation a JOIN erp_journalline l ON l.allocation_id = a.id"
        " GROUP BY a.id, a.total HAVING sum(l.debit) <> sum(l.credit) OR sum(l.debit) <> a.total"
    )
    assert crooked == []
    # Σ of what was allocated to a charge is its cost; a credit has at most what its charge has.
    wrong = rows(
        "SELECT c.id, c.unit_cost, c.quantity, sum(l.debit) FROM billing_charge c"
        " JOIN erp_journalline l ON l.charge_id = c.id WHERE c.kind = 'charge'"
        " GROUP BY c.id, c.unit_cost, c.quantity HAVING sum(l.debit) <> abs(round(c.unit_cost * c.quantity, 2))"
    )
    assert wrong == []
    # No effect without a cause, no cause with two effects.
    assert rows("SELECT message_id, part FROM billing_charge GROUP BY 1, 2 HAVING count(*) > 1") == []
    # Every held line waits for exactly the cases that say so, and every open wait has an open case (INV-2).
    orphans = rows(
        "SELECT c.id FROM billing_charge c WHERE c.status = 'held' AND NOT EXISTS (SELECT 1 FROM hub_waiting w"
        " JOIN hub_exceptioncase x ON x.id = w.case_id AND x.status IN ('open', 'assigned')"
        " WHERE w.message_id = c.message_id AND w.part = c.part)"
    )
    assert orphans == []


def cases() -> dict[tuple[str, str], int]:
    """How many cases there are by code and status."""
    return dict(Counter(rows("SELECT code, status FROM hub_exceptioncase")))
