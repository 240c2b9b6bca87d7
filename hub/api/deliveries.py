"""Deliveries (one fact for one listener) and dispatches (one call to a partner)."""

from rest_framework import serializers

from hub import interventions
from hub.api import fields, filters, resources
from hub.models import Delivery, Dispatch

OUTCOMES = {"delivered": "The partner has it", "absent": "The partner does not have it: send it again"}


class DeliverySerializer(serializers.ModelSerializer[Delivery]):
    """One fact for one listener; `endpoint` is null where the listener is one of our own apps."""

    endpoint = serializers.CharField(source="endpoint.code", default=None, allow_null=True)
    status = fields.Choice(Delivery.STATUSES, "DeliveryStatus")

    class Meta:
        model = Delivery
        fields = (
            "id", "fact_id", "route", "endpoint", "key", "status", "attempts", "dispatch_id", "problem_code",
            "problem", "settled_at",
        )  # fmt: skip
        read_only_fields = fields


class DeliveryFilters(filters.ByTime):
    """By listener, by status, by fact, by call, by time."""

    route = filters.text(label="Name of the reaction or outbound route.")
    endpoint = filters.text(field_name="endpoint__code", label="Code of the endpoint it goes out by.")
    status = filters.choice(Delivery.STATUSES)
    fact = filters.uuid(field_name="fact_id", label="The fact that it carries.")
    dispatch = filters.uuid(field_name="dispatch_id", label="The call that it is or was part of.")

    class Meta:
        model = Delivery
        fields = ()


class Deliveries(resources.Resource):
    """Visible where the endpoint's facility is; those of no endpoint or no facility to those who see all."""

    resource = "deliveries"
    noun = "a delivery"
    rows = Delivery.objects.select_related("endpoint")
    facility_field = "endpoint__facility"
    serializer_class = DeliverySerializer
    filterset_class = DeliveryFilters
    needs = {
        "list": ("hub.view_delivery",),
        "retrieve": ("hub.view_delivery",),
        "retry": ("hub.view_delivery", "hub.retry_delivery"),
        "waive": ("hub.view_delivery", "hub.waive_delivery"),
    }

    @resources.verb()
    def retry(self, delivery: Delivery) -> None:
        """Let a stopped delivery try again."""
        interventions.retry_delivery(delivery, by=self.by)

    @resources.verb(body=fields.Reason)
    def waive(self, delivery: Delivery, reason: str) -> None:
        """Decide that a stopped delivery shall not be made."""
        interventions.waive_delivery(delivery, reason=reason, by=self.by)


class DispatchSerializer(serializers.ModelSerializer[Dispatch]):
    """One call to a partner; its id is the idempotency key that the partner gets."""

    endpoint = serializers.CharField(source="endpoint.code")
    status = fields.Choice(Dispatch.STATUSES, "DispatchStatus")

    class Meta:
        model = Dispatch
        fields = (
            "id", "route", "endpoint", "status", "deliveries", "weight", "attempts", "due_at", "created_at",
            "settled_at", "reference", "code", "text",
        )  # fmt: skip
        read_only_fields = fields


class DispatchFilters(filters.ByTime):
    """By partner, by status, by time."""

    route = filters.text(label="Name of the outbound route.")
    endpoint = filters.text(field_name="endpoint__code", label="Code of the endpoint it goes out by.")
    status = filters.choice(Dispatch.STATUSES)

    class Meta:
        model = Dispatch
        fields = ()


class Resolution(fields.Body):
    """What a look-up at the partner found."""

    outcome = fields.Choice(OUTCOMES, "LookupOutcome")
    reference = fields.Text(max_length=120, help_text="The partner's id of it; required when it is there.")
    reason = fields.Text(max_length=fields.REASON_CHARS, help_text="How it was found out.")


class Dispatches(resources.Resource):
    """Visible where the endpoint's facility is; those of no facility to those who see all."""

    resource = "dispatches"
    noun = "a dispatch"
    rows = Dispatch.objects.select_related("endpoint")
    facility_field = "endpoint__facility"
    serializer_class = DispatchSerializer
    filterset_class = DispatchFilters
    needs = {
        "list": ("hub.view_dispatch",),
        "retrieve": ("hub.view_dispatch",),
        "resolve": ("hub.view_dispatch", "hub.resolve_dispatch"),
    }

    @resources.verb(body=Resolution)
    def resolve(self, dispatch: Dispatch, outcome: str, reference: str = "", reason: str = "") -> None:
        """Say what a look-up at the partner found for a dispatch in doubt.

        `delivered` settles it under the partner's reference; `absent` sends it again, with the same key.
        """
        interventions.resolve_dispatch(dispatch, outcome=outcome, reference=reference, reason=reason, by=self.by)
