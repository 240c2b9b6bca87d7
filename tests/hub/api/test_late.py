"""`/late`: what is late now, what was, and nothing of what is only watched."""

import pytest
from django.utils import timezone

from hub import roles
from tests.hub.api import rows

pytestmark = pytest.mark.django_db


def test_late_items_are_listed_by_what_is_asked() -> None:
    """By step, facility, correlation and whether it lasts; what is only watched is not there."""
    roles.apply()
    one = rows.overdue(correlation_id="00000000-0000-7000-8000-00000000000a")
    two = rows.overdue(step="expected.7", over_at=timezone.now())
    rows.overdue(late_at=None)
    rows.overdue("NORTH")
    caller = rows.Caller(rows.user(facility="RIVER", role="auditor"))

    def found(**asked: str) -> list[int]:
        return [row["id"] for row in caller.get("/late", **asked).json()["results"]]

    assert found() == [two.pk, one.pk]
    assert found(now="late") == [one.pk]
    assert found(now="over") == [two.pk]
    assert found(step="expected.7") == [two.pk]
    assert found(facility="RIVER") == [two.pk, one.pk]
    assert found(correlation="00000000-0000-7000-8000-00000000000a") == [one.pk]
    row = caller.get(f"/late/{one.pk}").json()
    assert (row["amount"], row["currency"], row["case"], row["over_at"]) == ("10.5000", "USD", None, None)


def test_a_word_that_is_none_is_refused() -> None:
    """A typo does not widen the list."""
    roles.apply()
    caller = rows.Caller(rows.user(facility="RIVER", role="auditor"))
    assert caller.get("/late", now="perhaps").status_code == 400
    assert caller.get("/late", steps="x").status_code == 400
