"""The demo's master data, in our own field names, written through the same verb that the ERP's sync uses."""

from calendar import monthrange
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from hub.access import SYSTEM
from hub.errors import HubError
from mappings.flows import masters
from mappings.models import Period

SOURCE = "demo network"
# The account that is credited when cost is allocated, and the one debited where a charge code names none.
CLEARING = "6920"
EXPENSE = "6910"
# A field of the file -> the field of ours; what a file's row has beside these is not the hub's.
_COMMON = {"code": "code", "name": "name", "active": "active", "valid_from": "valid_from", "valid_to": "valid_to"}
FIELDS: dict[str, tuple[str, dict[str, str]]] = {
    "gl_account": ("accounts", _COMMON | {"type": "kind", "postable": "postable"}),
    "service_line": ("service_lines", _COMMON),
    "facility": ("facilities", _COMMON | {"timezone": "time_zone", "currency": "currency"}),
    "cost_center": (
        "cost_centers",
        _COMMON | {"facility": "facility", "parent": "parent", "postable": "postable"},
    ),
    "department": (
        "departments",
        _COMMON | {"facility": "facility", "cost_center": "cost_center", "service_line": "service_line"},
    ),
    "location": ("locations", _COMMON | {"facility": "facility", "department": "department"}),
    "charge_code": (
        "charge_codes",
        _COMMON
        | {
            "description": "name",
            "revenue_code": "revenue_code",
            "hcpcs": "hcpcs",
            "price": "price",
            "unit_cost": "unit_cost",
            "expense_account": "expense_account",
        },
    ),
    "vendor": ("vendors", _COMMON),
    "item": ("items", _COMMON | {"uom": "uom", "unit_cost": "standard_cost", "vendor": "vendor"}),
    "payer_class": ("payer_classes", _COMMON),
}


def load(network: Mapping[str, Any], *, today: date) -> Iterator[str]:
    """Add the masters that are missing, kind by kind, then the periods; yields what was done, one sentence each."""
    ratios = cost_ratios(network["charge_codes"])
    overall = ratios.pop("")
    for kind, (name, fields) in FIELDS.items():
        rows = [{ours: row[theirs] for theirs, ours in fields.items() if theirs in row} for row in network[name]]
        for row in rows:
            if kind == "facility":
                row["clearing_account"] = CLEARING
            elif kind == "department":
                row |= {"expense_account": EXPENSE, "cost_ratio": ratios.get(row["code"], overall)}
            elif kind == "item":
                row["chargeable"] = True
        yield _upsert(kind, rows)
    yield _upsert("period", [row for row in periods(network, today) if _is_news(row)])


def _upsert(kind: str, rows: list[dict[str, Any]]) -> str:
    # Periods move on with the calendar; everything else belongs to the ERP and to staff once it is there.
    changes = masters.upsert(kind, rows, by=SYSTEM, source=SOURCE, keep=kind != "period")
    if changes.refused:
        first = changes.refused[0]
        raise HubError("MD_INVALID", f"{kind} {first.key}: {first.field} {first.reason}. Correct the network file.")
    return f"{kind.replace('_', ' ')}: {changes.created} added, {changes.changed + changes.unchanged} there"


def cost_ratios(charge_codes: list[dict[str, Any]]) -> dict[str, Decimal]:
    """Cost to charges of each department's charge codes with a known cost, and of all of them under ""."""
    cost: dict[str, Decimal] = defaultdict(Decimal)
    price: dict[str, Decimal] = defaultdict(Decimal)
    for row in charge_codes:
        if row["unit_cost"] and row["price"]:
            for department in ("", *row["departments"]):
                cost[department] += Decimal(row["unit_cost"])
                price[department] += Decimal(row["price"])
    return {code: (cost[code] / price[code]).quantize(Decimal("0.0001"), ROUND_HALF_UP) for code in cost}


def periods(network: Mapping[str, Any], today: date) -> Iterator[dict[str, Any]]:
    """Monthly periods of every facility by the file's rule, which is the demo ERP's own."""
    rule = network["periods"]
    grace = timedelta(days=rule["grace_days"])
    for facility in network["facilities"]:
        for year in range(today.year - rule["years_before"], today.year + rule["years_after"] + 1):
            for month in range(1, 13):
                starts, ends = date(year, month, 1), date(year, month, monthrange(year, month)[1])
                # It opens a day early: a hospital east of the hub lives in tomorrow already.
                status = "future" if starts > today + timedelta(days=1) else "open"
                yield {
                    "facility": facility["code"],
                    "code": f"{year}-{month:02d}",
                    "starts": starts,
                    "ends": ends,
                    "status": "closed" if today > ends + grace else status,
                }


def _is_news(row: Mapping[str, Any]) -> bool:
    """New, or a month that has come: closing and reopening belong to the ERP, and its word is not taken back."""
    stored = Period.objects.filter(facility=row["facility"], code=row["code"]).first()
    return stored is None or (stored.status == "future" and row["status"] == "open")
