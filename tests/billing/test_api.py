"""Charges over the API: by account, by status, by time, and only those of the caller's facilities."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from tests.hub.api import rows

pytestmark = pytest.mark.django_db


def looker(facility: str = "*") -> rows.Caller:
    """Somebody who may look at charges."""
    return rows.Caller(rows.user("billing.view_charge", facility=facility))


def found(answer: Any) -> list[str]:
    """The accounts on a page."""
    assert answer.status_code == 200, answer.content
    return [row["account"] for row in answer.json()["results"]]


def test_money_is_exact_text_and_credits_are_negative() -> None:
    """No float ever touches an amount."""
    made = rows.charge(kind="credit", amount=Decimal("-1234567890.1234"), quantity=Decimal(-1), unit_cost=None)
    body = looker().get(f"/charges/{made.pk}").json()
    assert (body["amount"], body["quantity"], body["unit_cost"]) == ("-1234567890.1234", "-1.0000", None)
    assert (body["currency"], body["service_date"], body["kind"]) == ("USD", "2026-11-20", "credit")


def test_charges_are_found_by_account_status_message_and_day() -> None:
    """Each filter shows its own."""
    one = rows.charge(account="ONE", status="held", service_date=date(2026, 10, 31))
    two = rows.charge(account="TWO", late=True, original_id=one.pk, charge_code="GAUZE")
    caller = looker()
    for query, expected in (
        ({"account": "ONE"}, "ONE"),
        ({"status": "held"}, "ONE"),
        ({"status": "captured"}, "TWO"),
        ({"hold_code": "MAP_MISSING"}, "ONE"),
        ({"message": str(two.message_id)}, "TWO"),
        ({"original": str(one.pk)}, "TWO"),
        ({"charge_code": "GAUZE"}, "TWO"),
        ({"late": "true"}, "TWO"),
        ({"service_to": "2026-10-31"}, "ONE"),
        ({"service_from": "2026-11-01"}, "TWO"),
    ):
        assert found(caller.get("/charges", **query)) == [expected], query
    assert found(caller.get("/charges", account="NONE")) == []


@pytest.mark.parametrize(
    "query",
    [{"status": "lost"}, {"service_from": "31.10.2026"}, {"message": "1"}, {"amount__gt": "5"}, {"account": "\0"}],
)
def test_a_filter_that_cannot_be_read_is_refused(query: dict[str, str]) -> None:
    """400 names the parameter; the list is not widened in silence."""
    answer = looker().get("/charges", **query)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, *query)


def test_only_the_callers_facilities_are_listed() -> None:
    """A charge whose facility is not known yet is for those who see all."""
    for facility in ("RIVER", "NORTH", ""):
        rows.charge(facility, account=facility or "NOBODY'S", status="held")
    assert found(looker("RIVER").get("/charges")) == ["RIVER"]
    assert found(looker("RIVER").get("/charges", facility="NORTH")) == []
    assert found(looker().get("/charges")) == ["NOBODY'S", "NORTH", "RIVER"]


def test_S_8_no_parameter_reaches_the_orm_by_its_name() -> None:
    """Django's own keywords and look-ups are unknown parameters like any other."""
    for name in ("_connector", "_negated", "pk__in", "account__regex", "order_by", "ordering", "limit"):
        assert looker().get("/charges", **{name: "x"}).status_code == 400
