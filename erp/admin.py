"""Journals, their lines and what the ERP made of them; split rules; the journal lines of a charge on its page."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet, Sum
from django.http import HttpRequest

from erp import hops
from erp.models import Allocation, Journal, JournalLine, SplitRule, SplitShare
from hub import hops as hub_hops
from hub import ids, lineage, navigation, shapes
from hub.admin import lineage as lineage_blocks
from hub.admin.base import Block, EditableAdmin, EvidenceAdmin, extend
from hub.admin.columns import Column, Filter, by_field
from hub.models import Delivery, Dispatch
from hub.trail import Trail
from hub.viewer import Viewer, viewer
from mappings.models import Facility

LINES_SHOWN = 400
WHOLE = Decimal(100)


def facilities(who: Viewer) -> dict[str, str]:
    """Our facilities, for a filter."""
    return {code: code for code in who.scope(Facility.objects.order_by("code"), "code").values_list("code", flat=True)}


@admin.register(Journal)
class JournalAdmin(EvidenceAdmin):
    """Evidence: journals are drafted, posted and settled by the outbox alone."""

    keyset = True
    facility_field = "facility"
    intro = "What was handed to the ERP's ledger: balanced, at most 200 lines, each with the ERP's own reference."
    search_hint = "Journal id, or the ERP's reference"
    teaches = (
        "No journals in this window of time.",
        "A journal gathers the cost of charges of one facility and day. Widen the time above to see older ones.",
    )
    columns = (
        Column("Journal", lambda j: f"{j.facility} …{str(j.pk)[-6:]}", "code"),
        Column("Made", "created_at", "time"),
        Column("Endpoint", lambda j: j.endpoint.code, "short"),
        Column("Posting date", "posting_date", "short"),
        Column("Lines", "lines", "num"),
        Column("Total", "total", "money"),
        Column("ERP reference", "erp_reference", "code"),
        Column("Settled", "settled_at", "time"),
        Column("Status", "status", "status"),
    )
    filters = (
        Filter("status", "Status", Journal.STATUSES, by_field("status")),
        Filter("facility", "Facility", facilities, by_field("facility")),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With the endpoint that every row names."""
        return super().get_queryset(request).select_related("endpoint")

    def search(self, queryset: QuerySet[Any], term: str) -> tuple[QuerySet[Any], bool]:
        """By id; by the ERP's reference within the window of time."""
        try:
            return queryset.filter(pk=UUID(term)), True
        except ValueError:
            return queryset.filter(erp_reference=term), False

    def heading(self, row: Journal) -> str:
        """Facility, date and total."""
        return f"Journal {row.facility} {row.posting_date}: {shapes.figure(row.total, row.currency)}"

    def under(self, row: Journal) -> str:
        """The ERP's own words where it said no."""
        return row.problem

    def facts(self, row: Journal, who: Viewer) -> list[tuple[str, Any]]:
        """The header's facts."""
        return [
            ("ERP reference", shapes.code(row.erp_reference)),
            ("External key", shapes.code(row.pk)),
            ("Endpoint", row.endpoint.name),
            ("Facility", row.facility),
            ("Posting date", row.posting_date),
            ("Lines", row.lines),
            ("Total", shapes.money(row.total, row.currency)),
            ("Made", shapes.stamp(row.created_at)),
            ("Settled", shapes.stamp(row.settled_at)),
        ]

    def blocks(self, row: Journal, who: Viewer) -> list[Block]:
        """Its call with the attempts, and its lines with both sums."""
        allocations = Allocation.objects.filter(journal_id=row.pk)
        if not allocations.exists():  # a rejected journal's allocations moved on; its deliveries still name it
            facts = Delivery.objects.filter(dispatch_id=row.pk).values("fact_id")
            allocations = Allocation.objects.filter(fact_id__in=facts)
        lines = JournalLine.objects.filter(allocation_id__in=allocations.values("pk"))
        sums = lines.aggregate(debit=Sum("debit"), credit=Sum("credit"))
        shown = list(lines.order_by("charge_id", "leg")[:LINES_SHOWN])
        call = Dispatch.objects.filter(pk=row.pk).first()
        label = Dispatch.STATUSES[call.status] if call else ""
        context = {"lines": shown, "sums": sums, "currency": row.currency, "charges": True}
        return [
            Block("The call to the ERP", "admin/blocks/call.html", {"call": call, "label": label}),
            *lineage_blocks.behind(row.pk, who),
            Block("Lines", "admin/blocks/lines.html", context, shapes.count(row.lines, "line")),
        ]  # fmt: skip


class ShareFormSet(forms.BaseInlineFormSet):
    """The shares of a rule add up to 100: said on the page before the database says it."""

    def clean(self) -> None:
        """Sum what is kept."""
        super().clean()
        kept = [form.cleaned_data for form in self.forms if form.is_valid() and not form.cleaned_data.get("DELETE")]
        shares = [data["percent"] for data in kept if data.get("percent") is not None]
        if shares and sum(shares) != WHOLE:
            raise ValidationError(f"The shares add up to {sum(shares).normalize():f} %, not to 100 %.")


class ShareInline(admin.TabularInline):
    """The cost centres of a rule."""

    model = SplitShare
    formset = ShareFormSet
    extra = 2
    verbose_name = "share"


@admin.register(SplitRule)
class SplitRuleAdmin(EditableAdmin):
    """How a department's cost is shared."""

    facility_field = "facility"
    intro = "How a department's cost is shared between cost centres of its own facility, from when to when."
    search_hint = "Department or charge code"
    order = ("facility", "department", "charge_code", "-valid_from")
    inlines = (ShareInline,)
    columns = (
        Column("Department", "department", "code"),
        Column("Facility", "facility", "short"),
        Column("Charge code", lambda r: r.charge_code or "all"),
        Column("Shares", lambda r: ", ".join(f"{s.cost_center} {s.percent.normalize():f} %" for s in r.shares.all())),
        Column("From", "valid_from", "short"),
        Column("To", "valid_to", "short"),
    )
    teaches = ("No split rules.", "Without a rule, a department's cost lands on its own cost centre.")

    def listed(self, queryset: QuerySet[Any], who: Viewer) -> QuerySet[Any]:
        """With the shares, one query for the page."""
        return queryset.prefetch_related("shares")

    def search(self, queryset: QuerySet[Any], term: str) -> tuple[QuerySet[Any], bool]:
        """By department or charge code."""
        return queryset.filter(department=term) | queryset.filter(charge_code=term), True

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Facilities are chosen among those the person sees."""
        found = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "facility" and found is not None:
            seen = viewer(request).scope(Facility.objects.order_by("code"), "code")
            found.widget = forms.Select(choices=[(row.code, str(row)) for row in seen])
        return found


def journal_lines(charge: Any, who: Viewer) -> list[Block]:
    """The cost of one charge in the ledger, on the charge's own page."""
    lines = list(JournalLine.objects.filter(charge_id=charge.pk).order_by("leg"))
    if not lines:
        return []
    found = Allocation.objects.filter(pk__in={line.allocation_id for line in lines})
    journals = Journal.objects.filter(pk__in=[row.journal_id for row in found if row.journal_id])
    sums = {"debit": sum(line.debit for line in lines), "credit": sum(line.credit for line in lines)}
    context = {"lines": lines, "sums": sums, "currency": charge.currency, "journals": list(who.scope(journals))}
    return [Block("Cost in the ledger", "admin/blocks/lines.html", context)]


def journal_steps(trail: Trail, who: Viewer) -> Iterable[lineage.Step]:
    """The journals of a timeline: a journal has the id of its dispatch."""
    seen = who.may("erp.view_journal")
    for row in Journal.objects.filter(pk__in=trail.dispatch_ids):
        yield lineage.Step(
            max(row.settled_at or row.created_at, ids.moment(row.pk)),
            f"Journal {row.erp_reference or 'not posted yet'}",
            row.problem or f"{shapes.count(row.lines, 'line')} of {row.facility} on {row.posting_date}", row.status,
            Journal.STATUSES[row.status], lineage.address("erp_journal", row.pk) if seen else "", rank=lineage.JOURNAL,
        )  # fmt: skip


def open_calls(who: Viewer) -> QuerySet[Any]:
    """Calls to ledgers that are not settled: through the partial index on open dispatches, as journals have none."""
    return who.scope(
        Dispatch.objects.filter(status__in=["sending", "waiting", "in_doubt"], endpoint__format="rest_ledger"),
        "endpoint__facility",
    )


extend("billing.charge", journal_lines)
lineage.register(journal_steps)
hub_hops.register(*hops.STAGES)
navigation.register(
    navigation.Section(
        "Journals", "journals", (navigation.Link("Journals", "admin:erp_journal_changelist", "erp.view_journal"),),
        open_calls, "on their way", "off",
    )
)  # fmt: skip
navigation.put(
    "The ledger",
    navigation.Link("Split rules", "admin:erp_splitrule_changelist", "erp.view_splitrule", "Who shares which cost"),
)
