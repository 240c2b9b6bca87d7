"""The small pure parts: charts, shapes, pages by key."""

import re
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub import access, audit, charts, paging, shapes
from hub.models import AuditEntry

SVG = "{http://www.w3.org/2000/svg}"


def draw(*bars: charts.Bar) -> str:
    """A chart of three parts."""
    return str(charts.stacked(bars, ("posted", "flight", "held"), title="Money", text="What it says"))


def test_a_chart_tells_its_title_and_its_text() -> None:
    """Those who cannot see it get a title and a description; there is no style and no script in it."""
    drawing = draw(charts.Bar("13:00", (Decimal(5), Decimal(3), Decimal(0))))
    assert 'role="img"' in drawing
    assert "What it says" in drawing
    assert not re.search(r"style|script|on\w+=", drawing)


def test_bars_stand_on_each_other_and_reach_their_share_of_the_axis() -> None:
    """5 + 3 of a ceiling of 10: two rectangles, whose heights stand 5 to 3, the second on top of the first."""
    root = ET.fromstring(
        f'<x xmlns="http://www.w3.org/2000/svg">{draw(charts.Bar("", (Decimal(5), Decimal(3), Decimal(0))))}</x>'
    )
    rects = [{k: float(v) for k, v in rect.attrib.items() if k != "class"} for rect in root.iter(f"{SVG}rect")]
    assert len(rects) == 2
    assert rects[0]["height"] / rects[1]["height"] == pytest.approx(5 / 3, rel=0.01)
    assert rects[1]["y"] + rects[1]["height"] == pytest.approx(rects[0]["y"], abs=0.2)


def test_labels_are_escaped() -> None:
    """A label is text and never markup."""
    assert "<b>" not in draw(charts.Bar("<b>", (Decimal(1), Decimal(0), Decimal(0))))


@given(st.decimals(min_value=0, max_value=Decimal("1e15"), places=4))
def test_the_axis_is_never_lower_than_the_highest_bar(highest: Decimal) -> None:
    """The ceiling is a round figure, at least the highest bar and less than ten times it."""
    top = charts.ceiling(highest)
    assert top >= highest
    assert highest == 0 or top < highest * 10


@pytest.mark.parametrize(
    ("amount", "currency", "said"),
    [
        (Decimal("1234.5"), "USD", "$1,234.50"),
        (Decimal("-0.5"), "USD", "−$0.50"),
        (Decimal("0.0125"), "USD", "$0.0125"),
        (Decimal(0), "EUR", "€0.00"),
        (Decimal(10), "CHF", "10.00 CHF"),
    ],
)
def test_money_reads_as_people_write_it(amount: Decimal, currency: str, said: str) -> None:
    """Two decimals, four only where the sub-cent part is real; the sign stands in front."""
    assert shapes.figure(amount, currency) == said


def test_a_status_is_a_shape_and_a_word() -> None:
    """A pill says its word, and its class decides the shape; an unknown status is told all the same."""
    assert str(shapes.pill("held", "Held")) == '<span class="pill hold">Held</span>'
    assert str(shapes.pill("odd_one")) == '<span class="pill off">odd one</span>'


def test_moments_are_short_today_and_dated_before() -> None:
    """Today's are told by the clock, this year's with their day, older ones with the year."""
    now = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
    assert shapes.clock(datetime(2026, 11, 22, 9, 5, 7, tzinfo=UTC), now) == "09:05:07"
    assert shapes.clock(datetime(2026, 11, 3, 9, 5, tzinfo=UTC), now) == "3 Nov 09:05"
    assert shapes.clock(datetime(2025, 11, 3, 9, 5, tzinfo=UTC), now) == "3 Nov 2025 09:05"


@pytest.mark.parametrize(
    ("seconds", "said"), [(5, "5 s"), (65, "1 min"), (7200, "2 h"), (3600 * 47, "47 h"), (86400 * 3, "3 days")]
)
def test_ages_use_the_largest_unit_that_says_something(seconds: int, said: str) -> None:
    """Seconds, minutes, hours up to two days, then days."""
    assert shapes.age(timedelta(seconds=seconds)) == said


def test_every_row_is_on_exactly_one_page_in_both_directions(db: None) -> None:
    """Walking older and back newer over 23 rows in pages of 5 meets each row once, in order."""
    for number in range(23):
        audit.record(f"test.{number}", by=access.SYSTEM)
    everything = list(AuditEntry.objects.order_by("-pk").values_list("pk", flat=True))
    seen, pages, step = [], [], ""
    while True:
        page = paging.by_key(AuditEntry.objects.all(), older_than=step, size=5)
        seen += [row.pk for row in page.rows]
        pages.append(page)
        if not page.older:
            break
        step = page.older.removeprefix("older=")
    assert seen == everything
    assert [len(page.rows) for page in pages] == [5, 5, 5, 5, 3]
    back = paging.by_key(AuditEntry.objects.all(), newer_than=pages[-1].newer.removeprefix("newer="), size=5)
    assert [row.pk for row in back.rows] == [row.pk for row in pages[-2].rows]
    assert pages[0].newer == ""


@pytest.mark.parametrize("damaged", ["x", "'; DROP TABLE", "0", "\x00", "99999999999999999999"])
def test_a_damaged_link_leads_to_the_first_page(db: None, damaged: str) -> None:
    """A key that is none, and a page that is none, show the newest rows and no error."""
    audit.record("test.one", by=access.SYSTEM)
    assert len(paging.by_key(AuditEntry.objects.all(), older_than=damaged).rows) == 1
    assert len(paging.by_offset(AuditEntry.objects.order_by("pk"), page=damaged).rows) in {0, 1}
