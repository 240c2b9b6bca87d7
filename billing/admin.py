"""Charges and visits as staff see them; the money of the last day and the chart of the last hours on the index."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Count, DateTimeField, F, Func, QuerySet, Sum, Value
from django.utils import timezone

from billing import hops, reconciliation_pages
from billing.flows import holds
from billing.models import Charge, Visit
from hub import charts, dashboard, ids, lineage, navigation, pages, shapes
from hub import hops as hub_hops
from hub.admin import verbs
from hub.admin.base import Block, EvidenceAdmin
from hub.admin.columns import Column, Filter, by_field
from hub.dashboard import WINDOW
from hub.trail import LONGEST, Trail
from hub.viewer import Viewer
from mappings.models import Facility

BAR = timedelta(minutes=10)
CHART = timedelta(hours=6)
IN_BOOKS = ("posted", "captured", "held")  # from the bottom of a bar to its top
SET_ASIDE = ("duplicate", "rejected", "waived")
CHART_CLASSES = ("posted", "flight", "held")
RELATED_SHOWN = 100
ZERO = Decimal(0)
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # bars start at full ten minutes


def facilities(who: Viewer) -> dict[str, str]:
    """Our facilities, for a filter."""
    return {code: code for code in who.scope(Facility.objects.order_by("code"), "code").values_list("code", flat=True)}


def of_status(queryset: Any, value: str) -> QuerySet[Any]:
    """By status; held ones through the partial index on hold_code."""
    found = queryset.filter(status=value)
    return found.exclude(hold_code="") if value == "held" else found


def _accept(charge: Charge, data: dict[str, Any], by: Any) -> str:
    holds.accept(charge, reason=data["reason"], by=by)
    return "The charge is released: it goes back into the queue and is captured as it stands."


def _can_accept(charge: Charge, by: Any) -> bool | str:
    if charge.status == "held" and charge.hold_code in holds.NEEDS_A_CURE:
        return f"It is held by {charge.hold_code}: heal its case, and it goes on by itself."
    return charge.status == "held"


def _waive(charge: Charge, data: dict[str, Any], by: Any) -> str:
    holds.waive(charge, reason=data["reason"], by=by)
    return "The charge is waived. It stays here as evidence and is not booked."


@admin.register(Charge)
class ChargeAdmin(EvidenceAdmin):
    """Evidence: a charge is changed by verbs alone."""

    keyset = True
    facility_field = "facility"
    intro = "Every charge and credit line that came in, and where it is on its way to the ledger."
    search_hint = "Account number, charge id or message id"
    teaches = (
        "No charges in this window of time.",
        "Charges come in as lines of billing messages. Widen the time above, or look at Messages to see what arrived.",
    )
    columns = (
        Column("Charge", lambda c: c.charge_code or c.source_code, "code"),
        Column("Captured", "captured_at", "time"),
        Column("Description", "description"),
        Column("Account", "account", "code"),
        Column("Facility", lambda c: c.facility or c.source_facility, "short"),
        Column("Department", lambda c: c.department or c.source_department, "short"),
        Column("Quantity", lambda c: f"{c.quantity.normalize():f}", "num"),
        Column("Amount", "amount", "money"),
        Column("Status", "status", "status"),
        Column("Held by", "hold_code", "code"),
    )
    filters = (
        Filter("status", "Status", Charge.STATUSES, of_status, timeless=frozenset({"held"})),
        Filter("facility", "Facility", facilities, by_field("facility")),
    )
    verbs = (
        verbs.Verb(
            "accept", "Accept as it stands…", "billing.release_charge", _accept, _can_accept,
            verbs.ReasonForm, "primary", "Capture it although something about it is unusual.",
        ),
        verbs.Verb(
            "waive", "Waive…", "billing.waive_charge", _waive, verbs.moves_to("waived"), verbs.ReasonForm, "danger",
            "It is never booked. The reason is kept.",
        ),
    )  # fmt: skip

    def search(self, queryset: QuerySet[Any], term: str) -> tuple[QuerySet[Any], bool]:
        """By account, or by the id of the charge or of its message: each has its index."""
        try:
            wanted = UUID(term)
        except ValueError:
            return queryset.filter(account=term), True
        same, of_message = Charge.objects.filter(pk=wanted), Charge.objects.filter(message_id=wanted)
        return queryset.filter(pk__in=same.values("pk").union(of_message.values("pk"))), True

    def heading(self, row: Charge) -> str:
        """What was charged."""
        name = row.description or row.charge_code or row.source_code
        return f"{'Credit' if row.kind == 'credit' else 'Charge'} {shapes.figure(row.amount, row.currency)}: {name}"

    def under(self, row: Charge) -> str:
        """Why it is held."""
        return f"Held by {row.hold_code}" if row.status == "held" else ""

    def facts(self, row: Charge, who: Viewer) -> list[tuple[str, Any]]:
        """The header's facts: ours, and the partner's words beside them."""
        return [
            ("Account", shapes.code(row.account)),
            ("Visit", shapes.code(row.visit)),
            ("Amount", shapes.money(row.amount, row.currency)),
            ("Quantity", f"{row.quantity.normalize():f}"),
            ("Unit cost", shapes.money(row.unit_cost, row.currency)),
            ("Cost basis", row.cost_basis or shapes.NOTHING),
            ("Service date", row.service_date),
            ("Posting date", f"{row.posting_date} (late)" if row.late else row.posting_date or shapes.NOTHING),
            ("Facility", both(row.facility, row.source_facility)),
            ("Department", both(row.department, row.source_department)),
            ("Charge code", both(row.charge_code, row.source_code)),
            ("Cost centre", row.cost_center or shapes.NOTHING),
            ("Service line", row.service_line or shapes.NOTHING),
            ("Revenue code", row.revenue_code or shapes.NOTHING),
            ("Procedure", f"{row.procedure_code} {row.modifiers}".strip() or shapes.NOTHING),
            ("Captured", shapes.stamp(row.captured_at)),
            ("Flags", ", ".join(row.flags) or shapes.NOTHING),
            ("Message", shapes.link("admin:hub_message_change", row.message_id, "open the message")),
        ]

    def blocks(self, row: Charge, who: Viewer) -> list[Block]:
        """What takes it back or what it takes back, and its life."""
        found = []
        if related := _related(row, who):
            found.append(Block("Credits and originals", "admin/blocks/charges.html", {"charges": related}))
        message = lineage.message_of(row.message_id)
        if message is not None:
            steps = lineage.of_message(message, who)
            found.append(Block("Lineage", "admin/blocks/timeline.html", {"steps": steps, "message": message}))
        return found


def both(ours: str, theirs: str) -> Any:
    """Our code, and the partner's where it is another one."""
    if not ours:
        return f"{theirs} (as sent)" if theirs else shapes.NOTHING
    return ours if ours == theirs or not theirs else f"{ours} (sent as {theirs})"


def _related(row: Charge, who: Viewer) -> list[Charge]:
    same = Charge.objects.filter(original_id=row.pk)
    if row.original_id:
        same = same.union(Charge.objects.filter(pk=row.original_id))
    return list(who.scope(Charge.objects.filter(pk__in=same.values("pk"))).order_by("id")[:RELATED_SHOWN])


@admin.register(Visit)
class VisitAdmin(EvidenceAdmin):
    """Accounts as billing tells of them; no patient's name."""

    facility_field = "facility"
    intro = "Accounts and how far their billing has come. No patient names are kept."
    search_hint = "Account number"
    order = ("-id",)
    keyset = False
    columns = (
        Column("Account", "account", "code"),
        Column("Partner", "partner", "short"),
        Column("Facility", "facility", "short"),
        Column("Class", "patient_class", "short"),
        Column("Admitted", "admitted_on", "short"),
        Column("Discharged", "discharged_on", "short"),
        Column("Updated", "updated_at", "time"),
        Column("Status", "status", "status"),
    )
    teaches = ("No visits yet.", "Visits come with the billing feed's account messages.")

    def search(self, queryset: QuerySet[Any], term: str) -> tuple[QuerySet[Any], bool]:
        """By account."""
        return queryset.filter(account=term), True

    def facts(self, row: Visit, who: Viewer) -> list[tuple[str, Any]]:
        """What billing told."""
        return [
            ("Partner", row.partner), ("Facility", row.facility or shapes.NOTHING), ("Visit", shapes.code(row.visit)),
            ("Class", row.patient_class or shapes.NOTHING), ("Service", row.service or shapes.NOTHING),
            ("Admitted", row.admitted_on or shapes.NOTHING), ("Discharged", row.discharged_on or shapes.NOTHING),
            ("Final billed", row.final_billed_on or shapes.NOTHING), ("Updated", shapes.stamp(row.updated_at)),
        ]  # fmt: skip

    def blocks(self, row: Visit, who: Viewer) -> list[Block]:
        """Its newest charges."""
        found = who.scope(Charge.objects.filter(account=row.account, partner=row.partner)).order_by("-id")
        return [Block("Charges", "admin/blocks/charges.html", {"charges": list(found[:RELATED_SHOWN])})]


def charge_steps(trail: Trail, who: Viewer) -> list[lineage.Step]:
    """The charges of the messages on a timeline, through the index on message_id."""
    found = who.scope(Charge.objects.filter(message_id__in=trail.message_ids)).order_by("id")
    seen = who.may("billing.view_charge")
    return [
        lineage.Step(
            row.captured_at, f"{'Credit' if row.kind == 'credit' else 'Charge'} {row.charge_code or row.source_code}",
            row.description, row.status, Charge.STATUSES[row.status],
            lineage.address("billing_charge", row.pk) if seen else "", row.amount, row.currency, lineage.CHARGE,
        )
        for row in found[: LONGEST]
    ]  # fmt: skip


def money(who: Viewer, now: datetime) -> Mapping[str, Any]:
    """All money of the last 24 hours, told apart by status, and the bars of the last hours: one query by id range."""
    start = ids.floor(now - WINDOW)
    bin_ = Func(Value(BAR), F("captured_at"), Value(EPOCH), function="date_bin", output_field=DateTimeField())
    rows: list[Any] = list(
        who.scope(Charge.objects.filter(pk__gte=start)).annotate(bin=bin_).values("currency", "status", "bin")
        .order_by().annotate(total=Sum("amount"), number=Count("pk"))
    )  # fmt: skip
    totals: dict[str, dict[str, tuple[Decimal, int]]] = defaultdict(lambda: defaultdict(lambda: (ZERO, 0)))
    for row in rows:
        total, number = totals[row["currency"]][row["status"]]
        totals[row["currency"]][row["status"]] = (total + row["total"], number + row["number"])
    return {"books": [_book(currency, found) for currency, found in sorted(totals.items())], **_bars(rows, now)}


def _book(currency: str, found: Mapping[str, tuple[Decimal, int]]) -> dict[str, Any]:
    tiles = [(status, Charge.STATUSES[status], *found[status]) for status in IN_BOOKS]
    aside = [(status, Charge.STATUSES[status], *found[status]) for status in SET_ASIDE]
    captured = sum((total for _, _, total, _ in tiles), ZERO)
    number = sum(number for *_, number in tiles)
    received = captured + sum((total for _, _, total, _ in aside), ZERO)
    return {
        "currency": currency, "captured": captured, "number": number, "tiles": tiles, "aside": aside,
        "received": received, "lines": number + sum(number for *_, number in aside),
    }  # fmt: skip


def _bars(rows: list[dict[str, Any]], now: datetime) -> dict[str, Any]:
    """Bars of the currency that has most lines; credits lower a bar, and no part goes below zero."""
    lines: dict[str, int] = defaultdict(int)
    for row in rows:
        lines[row["currency"]] += row["number"]
    currency = max(lines, key=lambda name: lines[name], default="USD")
    sums: dict[tuple[datetime, str], Decimal] = defaultdict(lambda: ZERO)
    for row in rows:
        if row["currency"] == currency and row["status"] in IN_BOOKS:
            sums[row["bin"], row["status"]] += row["total"]
    last = EPOCH + (now - EPOCH) // BAR * BAR
    starts = [last - BAR * n for n in reversed(range(int(CHART / BAR)))]
    table = [(start, tuple(sums[start, status] for status in IN_BOOKS)) for start in starts]
    bars = [
        charts.Bar(_hour(start), tuple(max(part, ZERO) for part in parts))
        for start, parts in table
    ]  # fmt: skip
    told = [f"{label} {shapes.figure(sum((parts[n] for _, parts in table), ZERO), currency)}"
            for n, label in enumerate(Charge.STATUSES[status] for status in IN_BOOKS)]  # fmt: skip
    text = f"Money captured per ten minutes over the last six hours: {', '.join(told)}."
    chart = charts.stacked(bars, CHART_CLASSES, title="Money captured per ten minutes", text=text)
    filled = [(start, parts) for start, parts in table if any(parts)]
    return {"chart": chart if filled else "", "chart_text": text, "chart_table": filled, "chart_currency": currency}


def _hour(start: datetime) -> str:
    return f"{timezone.localtime(start):%H:%M}" if start.minute == 0 else ""


def held(who: Viewer) -> QuerySet[Any]:
    """Charges that wait for a code, an original or a person."""
    return who.scope(Charge.objects.filter(status="held").exclude(hold_code=""))


lineage.register(charge_steps)
hub_hops.register(*hops.STAGES)
dashboard.register(
    dashboard.Panel(10, "Money of the last 24 hours", "admin/panels/money.html", "billing.view_charge", money)
)
pages.register(
    pages.Page("reconciliation/", "reconciliation", reconciliation_pages.show),
    pages.Page("reconciliation/lines/", "reconciliation_lines", reconciliation_pages.lines),
)
navigation.register(
    navigation.Section(
        "Charges", "charges",
        (
            navigation.Link("Charges", "admin:billing_charge_changelist", "billing.view_charge"),
            navigation.Link("Visits", "admin:billing_visit_changelist", "billing.view_visit"),
            navigation.Link("Reconciliation", "admin:reconciliation", reconciliation_pages.PERMISSION),
        ),
        held, "held",
    )
)  # fmt: skip
