"""Endpoints: whether they take and move, what is left of a drained one, and the verbs that change that."""

from typing import Any

from django_filters.rest_framework import FilterSet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from hub import draining, interventions
from hub.api import fields, filters, resources
from hub.api.replays import Comment
from hub.models import Endpoint

DRAINS = {
    "taking": "Takes what is new",
    "draining": "Takes nothing new",
    "drained": "Takes nothing new, and nothing is open",
}


class LeftSerializer(serializers.Serializer[Any]):
    """What is left of the endpoint's work, each counted up to 10,000."""

    open = serializers.IntegerField(help_text="Comes to its end by itself: messages to be read, calls to be settled.")
    waiting = serializers.IntegerField(help_text="Deliveries that wait until the endpoint takes again.")
    people = serializers.IntegerField(help_text="Held, stopped or blocked: a person decides.")


class EndpointSerializer(serializers.ModelSerializer[Endpoint]):
    """One door of one partner, without its settings and its secret. What is left is counted for a drained one only."""

    partner = serializers.CharField(source="partner.code")
    direction = fields.Choice(Endpoint.DIRECTIONS, "EndpointDirection")
    drain_state = serializers.SerializerMethodField()
    left = serializers.SerializerMethodField()

    class Meta:
        model = Endpoint
        fields = (
            "id", "code", "name", "partner", "direction", "format", "transport", "facility", "active", "paused",
            "shadow", "draining_since", "drain_state", "left",
        )  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(fields.Choice(DRAINS, "DrainState"))
    def get_drain_state(self, row: Endpoint) -> str:
        """As of now."""
        return draining.state(row) or "taking"

    @extend_schema_field(LeftSerializer(allow_null=True))
    def get_left(self, row: Endpoint) -> Any:
        """Counted now."""
        return None if row.draining_since is None else LeftSerializer(draining.left(row)).data


class EndpointFilters(FilterSet):
    """By code and direction."""

    code = filters.text(label="The endpoint's code.")
    direction = filters.choice(Endpoint.DIRECTIONS)

    class Meta:
        model = Endpoint
        fields = ()


PAUSE = ("hub.view_endpoint", "hub.pause_endpoint")
DRAIN = ("hub.view_endpoint", "hub.drain_endpoint")


class Endpoints(resources.Resource):
    """Visible where the facility is; those of no facility to those who see all."""

    resource = "endpoints"
    noun = "an endpoint"
    rows = Endpoint.objects.select_related("partner")
    lookup_value_regex = resources.NUMBER_REGEX
    serializer_class = EndpointSerializer
    filterset_class = EndpointFilters
    needs = {
        "list": ("hub.view_endpoint",),
        "retrieve": ("hub.view_endpoint",),
        "pause": PAUSE,
        "resume": PAUSE,
        "drain": DRAIN,
        "take_again": DRAIN,
    }

    @resources.verb(body=Comment)
    def pause(self, row: Endpoint, reason: str) -> None:
        """Read and send nothing; what arrives is still stored."""
        interventions.pause_endpoint(row, reason=reason, by=self.by)

    @resources.verb(body=Comment)
    def resume(self, row: Endpoint, reason: str) -> None:
        """Go on where it was paused."""
        interventions.resume_endpoint(row, reason=reason, by=self.by)

    @resources.verb(body=fields.Reason)
    def drain(self, row: Endpoint, reason: str) -> None:
        """Take nothing new, and finish what is open; `drain_state` says when it is drained."""
        draining.drain(row, reason=reason, by=self.by)

    @resources.verb(body=Comment)
    def take_again(self, row: Endpoint, reason: str) -> None:
        """Take what is new again."""
        draining.take_again(row, reason=reason, by=self.by)
