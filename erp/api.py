"""Journals over the API: what went to the ledger, leg by leg, and what the ERP calls it."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from erp.models import Allocation, Journal, JournalLine
from hub.api import fields, filters, resources
from hub.api.router import router


class JournalSerializer(serializers.ModelSerializer[Journal]):
    """One journal; its id is the external key under which the ERP knows it, and the id of its dispatch."""

    endpoint = serializers.CharField(source="endpoint.code")
    status = fields.Choice(Journal.STATUSES, "JournalStatus")
    line_count = serializers.IntegerField(source="lines")
    total = fields.Money(help_text="Of the debits, which equals that of the credits.")

    class Meta:
        model = Journal
        fields = (
            "id", "endpoint", "facility", "currency", "posting_date", "line_count", "total", "status",
            "erp_reference", "problem", "created_at", "settled_at",
        )  # fmt: skip
        read_only_fields = fields


class JournalLineSerializer(serializers.ModelSerializer[JournalLine]):
    """One leg: a debit or a credit. `(charge_id, leg)` is its identity for ever."""

    debit = fields.Money()
    credit = fields.Money()
    quantity = fields.Quantity()

    class Meta:
        model = JournalLine
        fields = (
            "charge_id", "leg", "allocation_id", "account", "cost_center", "debit", "credit", "quantity", "basis",
        )  # fmt: skip
        read_only_fields = fields


class JournalWithLinesSerializer(JournalSerializer):
    """A journal with its lines, at most 200."""

    lines = serializers.SerializerMethodField()

    class Meta(JournalSerializer.Meta):
        fields = (*JournalSerializer.Meta.fields, "lines")
        read_only_fields = fields

    @extend_schema_field(JournalLineSerializer(many=True))
    def get_lines(self, journal: Journal) -> Any:
        """In the order of the charges. A rejected journal has none: its lines went into others or wait."""
        allocations = Allocation.objects.filter(journal_id=journal.pk).values("pk")
        lines = JournalLine.objects.filter(allocation_id__in=allocations).order_by("charge_id", "leg")
        return JournalLineSerializer(lines, many=True).data


class JournalFilters(filters.ByTime):
    """By ERP, by status, by facility, by posting date, by the ERP's reference, by time."""

    endpoint = filters.text(field_name="endpoint__code", label="Code of the endpoint it went out by.")
    status = filters.choice(Journal.STATUSES)
    facility = filters.text(label="Our facility code.")
    reference = filters.text(field_name="erp_reference", label="What the ERP calls it.")
    posted_from = filters.day(field_name="posting_date", lookup_expr="gte", label="Posting date from this day.")
    posted_to = filters.day(field_name="posting_date", lookup_expr="lte", label="Posting date up to this day.")

    class Meta:
        model = Journal
        fields = ()


class Journals(resources.Resource):
    """Journals of the caller's facilities."""

    resource = "journals"
    noun = "a journal with its lines"
    rows = Journal.objects.select_related("endpoint")
    serializer_class = JournalSerializer
    filterset_class = JournalFilters
    needs = {"list": ("erp.view_journal",), "retrieve": ("erp.view_journal", "erp.view_journalline")}

    @extend_schema(responses=JournalWithLinesSerializer)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Show a journal with its lines."""
        return Response(JournalWithLinesSerializer(self.get_object()).data)


router.register("journals", Journals, basename="journals")
