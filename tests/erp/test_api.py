"""Journals over the API, leg by leg."""

from decimal import Decimal

import pytest
from django.utils import timezone

from tests.hub.api import rows

pytestmark = pytest.mark.django_db
SEE = ("erp.view_journal", "erp.view_journalline")


def test_a_journal_is_shown_with_its_lines_which_balance() -> None:
    """Debits and credits as exact text; their sums are the journal's total."""
    made = rows.journal(lines=4)
    rows.journal(lines=2)
    body = rows.Caller(rows.user(*SEE)).get(f"/journals/{made.pk}").json()
    assert (body["line_count"], len(body["lines"])) == (4, 4)
    for side in ("debit", "credit"):
        assert sum(Decimal(line[side]) for line in body["lines"]) == Decimal(body["total"]) == Decimal(10)
    assert [line["leg"] for line in body["lines"]] == [0, 1, 2, 3]


def test_journals_are_found_by_status_reference_and_posting_date() -> None:
    """Each filter shows its own; lists carry no lines."""
    posted = rows.journal(status="posted", erp_reference="GL-7", settled_at=timezone.now())
    posting = rows.journal(posting_date="2026-10-31")
    caller = rows.Caller(rows.user("erp.view_journal"))
    for query, expected in (
        ({"status": "posted"}, posted),
        ({"reference": "GL-7"}, posted),
        ({"posted_to": "2026-10-31"}, posting),
        ({"posted_from": "2026-11-01"}, posted),
        ({"endpoint": "out-all", "status": "posting"}, posting),
    ):
        (row,) = caller.get("/journals", **query).json()["results"]
        assert (row["id"], "lines" in row) == (str(expected.pk), False)


def test_only_the_callers_facilities_are_there() -> None:
    """Another facility's journal is a 404 and in no list."""
    made = rows.journal("NORTH")
    caller = rows.Caller(rows.user(*SEE, facility="RIVER"))
    assert caller.get("/journals").json()["results"] == []
    assert caller.get(f"/journals/{made.pk}").status_code == 404


def test_lines_need_their_own_permission() -> None:
    """Whoever may see journals only, sees no lines."""
    made = rows.journal()
    assert rows.Caller(rows.user("erp.view_journal")).get(f"/journals/{made.pk}").status_code == 403
