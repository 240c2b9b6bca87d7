"""What is late, or was: steps of journeys and expected documents. Derived by the hub; there is nothing to press."""

from django.db.models import QuerySet
from django_filters.rest_framework import FilterSet
from rest_framework import serializers

from hub.api import fields, filters, resources
from hub.models import Overdue

NOW = {"late": "Late now", "over": "Came through"}


class LateSerializer(serializers.ModelSerializer[Overdue]):
    """One thing that is late, with the case that tells of it; `over_at` is null until it has come through."""

    amount = fields.Money()
    case = serializers.IntegerField(source="case_id", allow_null=True)

    class Meta:
        model = Overdue
        fields = (
            "id", "step", "subject_id", "fact_id", "correlation_id", "message_id", "key", "facility", "department",
            "amount", "currency", "since", "late_at", "over_at", "case",
        )  # fmt: skip
        read_only_fields = fields


class LateFilters(FilterSet):
    """By step, place, case and whether it lasts."""

    step = filters.text(label="As in charge_to_cost.journal_posted, or expected.7 for a rule.")
    facility = filters.text(label="Our facility code.")
    correlation = filters.uuid(field_name="correlation_id", label="The correlation id of the document.")
    now = filters.choice(NOW, method="lasting", label="Only what is late now, or what came through.")

    class Meta:
        model = Overdue
        fields = ()

    def lasting(self, queryset: QuerySet[Overdue], _name: str, value: str) -> QuerySet[Overdue]:
        """Whether it lasts."""
        return queryset.filter(over_at__isnull=value == "late")


class Late(resources.Resource):
    """Visible to those who see the facility."""

    resource = "late"
    noun = "a late item"
    rows = Overdue.objects.filter(late_at__isnull=False)
    lookup_value_regex = resources.NUMBER_REGEX
    serializer_class = LateSerializer
    filterset_class = LateFilters
    needs = {"list": ("hub.view_overdue",), "retrieve": ("hub.view_overdue",)}
