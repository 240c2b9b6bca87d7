"""Replays: plan, look, approve, run; one result for every item."""

from typing import Any

from django.db.models import QuerySet
from django_filters.rest_framework import FilterSet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hub import replay, selections
from hub.api import fields, filters, resources
from hub.models import Replay, ReplayItem


class CountsSerializer(serializers.Serializer[Any]):
    """Items by result, from the rows themselves."""

    pending = serializers.IntegerField()
    moving = serializers.IntegerField()
    done = serializers.IntegerField()
    skipped = serializers.IntegerField()
    failed = serializers.IntegerField()


class DestinationSerializer(serializers.Serializer[Any]):
    """Where items go, and how many."""

    name = serializers.CharField()
    count = serializers.IntegerField()
    promise = serializers.CharField(default="", help_text="What the receiver promises about doubles, where it matters.")


class ReplaySerializer(serializers.ModelSerializer[Replay]):
    """A plan with what it found when it was made, and how far it has come."""

    kind = fields.Choice(Replay.KINDS, "ReplayKind")
    mode = fields.Choice(Replay.MODES, "ReplayMode")
    status = fields.Choice(Replay.STATUSES, "ReplayStatus")
    filters = serializers.DictField(child=serializers.CharField())
    planned_by = serializers.CharField(source="planned_by.username", default=None, allow_null=True)
    approved_by = serializers.CharField(source="approved_by.username", default=None, allow_null=True)
    destination = serializers.CharField(source="destination.code", default=None, allow_null=True)
    worth = serializers.DictField(child=serializers.CharField(), help_text="Amount by currency, of `known` items.")
    destinations = DestinationSerializer(many=True)
    facilities = serializers.ListField(child=serializers.CharField())
    results = serializers.SerializerMethodField()

    class Meta:
        model = Replay
        fields = (
            "id", "kind", "mode", "filters", "limit", "more", "destination", "reason", "status", "facilities",
            "needs_approval", "planned_by", "planned_at", "approved_by", "approved_at", "started_at", "finished_at",
            "count", "already", "behind", "closed", "known", "worth", "destinations", "results",
        )  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(CountsSerializer)
    def get_results(self, row: Replay) -> Any:
        """Counted now."""
        return replay.counts(row)


class ItemSerializer(serializers.ModelSerializer[ReplayItem]):
    """One message or delivery, and what became of it."""

    result = fields.Choice(ReplayItem.RESULTS, "ReplayResult")

    class Meta:
        model = ReplayItem
        fields = ("position", "subject_id", "result", "text", "at")
        read_only_fields = fields


class ItemsSerializer(serializers.Serializer[Any]):
    """So many items, in their order."""

    items = ItemSerializer(many=True)
    next = serializers.IntegerField(allow_null=True, help_text="`after` of the next page; null at the end.")


class ItemsQuery(fields.Body):
    """Which items."""

    result = fields.Choice(ReplayItem.RESULTS, "ReplayResult", required=False, help_text="Only those of this result.")
    after = serializers.IntegerField(
        required=False, default=0, min_value=0, max_value=2**31 - 1, help_text="Only behind this position."
    )


class ReplayFilters(FilterSet):
    """By status and kind."""

    status = filters.choice(Replay.STATUSES)
    kind = filters.choice(Replay.KINDS)

    class Meta:
        model = Replay
        fields = ()


class Plan(fields.Body):
    """What shall be done again, and why."""

    kind = fields.Choice(Replay.KINDS, "ReplayKind")
    filters = serializers.DictField(
        child=serializers.CharField(max_length=selections.TEXT_MAX),
        help_text="messages: endpoint, problem_code, since, until, status, kind, key, case. "
        "deliveries: endpoint, problem_code, since, until, status, route, key, case.",
    )
    limit = serializers.IntegerField(required=False, min_value=1, help_text="At most so many, the oldest first.")
    reason = serializers.CharField(max_length=fields.REASON_CHARS)
    mode = fields.Choice(
        Replay.MODES, "ReplayMode", required=False, help_text="resend and copy need `hub.resend_delivery` too, and a "
        "second person always.",
    )  # fmt: skip
    to = fields.Text(max_length=40, help_text="Code of the shadow system that a copy goes to.")


class Comment(fields.Body):
    """Words for the audit, where the verb does not insist."""

    reason = fields.Text(max_length=fields.REASON_CHARS)


PAGE = 200
RUN = ("hub.view_replay", "hub.run_replay")
APPROVE = ("hub.view_replay", "hub.approve_replay")


class Replays(resources.Resource):
    """Visible to those who see all facilities of its items."""

    resource = "replays"
    noun = "a replay"
    rows = Replay.objects.select_related("planned_by", "approved_by", "destination")
    lookup_value_regex = resources.NUMBER_REGEX
    serializer_class = ReplaySerializer
    filterset_class = ReplayFilters
    looks = frozenset({"items"})
    queries = {"items": resources.parameters(ItemsQuery)}
    needs = {
        "list": ("hub.view_replay",),
        "retrieve": ("hub.view_replay",),
        "items": ("hub.view_replay",),
        "plan": ("hub.view_replay", "hub.plan_replay"),
        "approve": APPROVE,
        "reject": APPROVE,
        "start": RUN,
        "pause": RUN,
        "resume": RUN,
        "cancel": RUN,
    }

    def visible(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Those whose every item is of the caller's facilities."""
        return replay.visible(queryset, self.by)

    @extend_schema(responses=ItemsSerializer)
    @resources.look
    def items(self, request: Request, pk: str) -> Response:
        """Show the items of a replay with their results, 200 at a time."""
        asked = resources.asked(ItemsQuery, request)
        items = ReplayItem.objects.filter(replay=self.get_object(), position__gt=asked["after"])
        if "result" in asked:
            items = items.filter(result=asked["result"])
        found = list(items.order_by("position")[: PAGE + 1])
        more = found[PAGE - 1].position if len(found) > PAGE else None
        return Response(ItemsSerializer({"items": found[:PAGE], "next": more}).data)

    @resources.maker(body=Plan, answer=ReplaySerializer)
    def plan(self, **plan: Any) -> Replay:
        """Choose what shall be done again and see what that means; nothing moves yet.

        Above a threshold a second person has to approve it before it can start.
        """
        return replay.plan(plan.pop("kind"), plan.pop("filters"), **plan, by=self.by)

    @resources.verb(body=Comment)
    def approve(self, row: Replay, reason: str) -> None:
        """Let somebody else's plan run."""
        replay.approve(row, reason=reason, by=self.by)

    @resources.verb(body=fields.Reason)
    def reject(self, row: Replay, reason: str) -> None:
        """Do not let somebody else's plan run."""
        replay.reject(row, reason=reason, by=self.by)

    @resources.verb()
    def start(self, row: Replay) -> None:
        """Let the workers begin, batch by batch."""
        replay.start(row, by=self.by)

    @resources.verb(body=Comment)
    def pause(self, row: Replay, reason: str) -> None:
        """Begin no further batch."""
        replay.pause(row, reason=reason, by=self.by)

    @resources.verb()
    def resume(self, row: Replay) -> None:
        """Go on where it was paused."""
        replay.resume(row, by=self.by)

    @resources.verb(body=fields.Reason)
    def cancel(self, row: Replay, reason: str) -> None:
        """End it; what was not begun stays as it is."""
        replay.cancel(row, reason=reason, by=self.by)
