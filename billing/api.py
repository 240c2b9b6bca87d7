"""Charges over the API: what was captured, what is held and why; and whether all that came in is accounted for."""

from datetime import timedelta
from typing import Any

import django_filters
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing import reconciliation
from billing.models import Charge
from billing.reconciliation import FIGURES, MOST_DAYS
from hub import access
from hub.api import fields, filters, resources
from hub.api.router import router
from hub.models import Endpoint

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


class DaysQuery(fields.Body):
    """Which days, and of which interface."""

    from_day = serializers.DateField(
        required=False, input_formats=["%Y-%m-%d"], help_text="The first day; six days before the last where left out."
    )
    to_day = serializers.DateField(
        required=False, input_formats=["%Y-%m-%d"], help_text="The last day, included; today where left out."
    )
    interface = fields.Text(max_length=40, help_text="Code of an inbound endpoint.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Both days, in order, and not too many: every figure is added up from rows."""
        last = attrs.setdefault("to_day", timezone.localdate())
        first = attrs.setdefault("from_day", last - timedelta(days=6))
        if not 0 <= (last - first).days < MOST_DAYS:
            raise serializers.ValidationError({"from_day": [f"Ask for 1 to {MOST_DAYS} days, the first one first."]})
        return attrs


class BalanceSerializer(serializers.Serializer[Any]):
    """One interface, facility, day and currency: what came in, and where it is now. Money is signed."""

    interface = serializers.CharField(help_text="Code of the inbound endpoint.")
    facility = serializers.CharField(help_text="Ours; the interface's where a line's is not known yet.")
    day = serializers.DateField(help_text="When the messages came, in the installation's time zone.")
    currency = serializers.CharField(help_text="Empty for lines that are nowhere.")
    lines_in = serializers.IntegerField()
    money_in = fields.Money()
    lines = serializers.DictField(child=serializers.IntegerField(), help_text=f"By {', '.join(FIGURES)}.")
    money = serializers.DictField(child=fields.Money(), help_text="By the same words; money is signed.")
    lines_missing = serializers.IntegerField(help_text="Zero, unless something is lost.")
    difference = fields.Money(help_text="Zero, unless something is lost or was altered.")
    balanced = serializers.BooleanField()


class Reconciliation(resources.Base):
    """Sums of rows, of the caller's facilities."""

    resource = "reconciliation"
    noun = "whether all that came in is accounted for"
    needs = {"list": ("billing.view_charge",)}
    queries = {"list": resources.parameters(DaysQuery)}
    pagination_class = None
    serializer_class = BalanceSerializer

    @extend_schema(responses=BalanceSerializer(many=True), filters=False)
    def list(self, request: Request) -> Response:
        """Account for every line and all money that came in, by interface, facility, day and currency.

        In = posted + reversed + in flight + held + rejected + duplicate + waived. The newest day comes first. An
        interface that does not exist has no rows.
        """
        asked = resources.asked(DaysQuery, request)
        codes = dict(Endpoint.objects.values_list("pk", "code"))
        wanted = next((pk for pk, code in codes.items() if code == asked["interface"]), 0)
        with reconciliation.bounded():
            found = reconciliation.balances(
                asked["from_day"], asked["to_day"], facilities=access.facilities(self.by),
                endpoint_id=wanted if asked["interface"] else None,
            )  # fmt: skip
        for one in found:
            one.interface = codes[one.endpoint_id]
        return Response(BalanceSerializer(found, many=True).data)


router.register("reconciliation", Reconciliation, basename="reconciliation")
