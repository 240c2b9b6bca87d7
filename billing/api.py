"""Charges over the API: what was captured, what is held and why."""

import django_filters
from rest_framework import serializers

from billing.models import Charge
from hub.api import fields, filters, resources
from hub.api.router import router

KINDS = {"charge": "Charge", "credit": "Credit"}


class ChargeSerializer(serializers.ModelSerializer[Charge]):
    """One charge or credit line; money is signed, credits are negative."""

    kind = fields.Choice(KINDS, "ChargeKind")
    status = fields.Choice(Charge.STATUSES, "ChargeStatus")
    amount = fields.Money()
    unit_cost = fields.Money(allow_null=True)
    quantity = fields.Quantity()
    flags = serializers.ListField(child=serializers.CharField(), help_text="What was noticed, e.g. an estimated cost.")

    class Meta:
        model = Charge
        fields = (
            "id", "kind", "status", "hold_code", "account", "visit", "facility", "department", "cost_center",
            "charge_code", "revenue_code", "service_line", "partner", "source_facility", "source_department",
            "source_code", "description", "quantity", "amount", "currency", "unit_cost", "cost_basis", "service_date",
            "posting_date", "late", "original_id", "procedure_code", "modifiers", "filler_order", "flags",
            "captured_at", "message_id", "part", "correlation_id",
        )  # fmt: skip
        read_only_fields = fields


class ChargeFilters(filters.ByTime):
    """By account, by status, by facility, by message, by day of service and by time of capture."""

    account = filters.text(label="Billing account.")
    status = filters.choice(Charge.STATUSES, method="with_status")
    facility = filters.text(label="Our facility code.")
    department = filters.text(label="Our department code.")
    charge_code = filters.text(label="Our charge code.")
    hold_code = filters.text(label="Why it is held, e.g. MAP_MISSING.")
    partner = filters.text(label="Code of the partner.")
    message = filters.uuid(field_name="message_id", label="The message that it came in.")
    original = filters.uuid(field_name="original_id", label="Credits that take this charge back.")
    service_from = filters.day(field_name="service_date", lookup_expr="gte", label="Served on this day or later.")
    service_to = filters.day(field_name="service_date", lookup_expr="lte", label="Served on this day or earlier.")
    late = django_filters.BooleanFilter(label="Posted after its own period was closed.")

    class Meta:
        model = Charge
        fields = ()

    def with_status(self, queryset: filters.Rows, name: str, value: str) -> filters.Rows:
        """Held ones through the partial index on the reason, which every held charge has."""
        found = queryset.filter(status=value)
        return found.exclude(hold_code="") if value == "held" else found


class Charges(resources.Resource):
    """Charges of the caller's facilities. One whose facility is not known yet is for those who see all."""

    resource = "charges"
    noun = "a charge"
    rows = Charge.objects.all()
    serializer_class = ChargeSerializer
    filterset_class = ChargeFilters
    needs = {"list": ("billing.view_charge",), "retrieve": ("billing.view_charge",)}


router.register("charges", Charges, basename="charges")
