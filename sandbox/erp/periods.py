"""The ERP's calendar: monthly periods around today, computed from a rule in the network file."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any


def periods(rule: Mapping[str, Any], today: date) -> list[dict[str, Any]]:
    """Return the periods as reference rows: this year's, and those of the years around it."""
    first = today.year - int(rule["years_before"])
    last = today.year + int(rule["years_after"])
    months = [(year, month) for year in range(first, last + 1) for month in range(1, 13)]
    return [_period(year, month, today, timedelta(days=int(rule["grace_days"]))) for year, month in months]


def _period(year: int, month: int, today: date, grace: timedelta) -> dict[str, Any]:
    """Return one month. It opens a day early, because a sender east of us lives in tomorrow already."""
    starts = date(year, month, 1)
    ends = date(year, month, monthrange(year, month)[1])
    if starts > today + timedelta(days=1):
        status = "future"
    else:
        status = "open" if today <= ends + grace else "closed"
    return {
        "code": f"{year}-{month:02d}",
        "name": f"{starts:%B} {year}",
        "active": True,
        "starts": starts.isoformat(),
        "ends": ends.isoformat(),
        "status": status,
        "valid_from": None,
        "valid_to": None,
    }
