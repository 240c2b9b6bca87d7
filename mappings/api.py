"""Mappings, suggestions for missing ones, and the question whether a code may be used on a day, over the API."""

from datetime import date
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import Http404
from django.utils import timezone
from django_filters.rest_framework import FilterSet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hub import access, routing
from hub.api import fields, filters, resources
from hub.api.router import router
from mappings import canonical
from mappings.flows import mappings, suggestions
from mappings.models import Mapping
from mappings.models.crosswalk import DOMAINS

KINDS = {
    "cost_center": "Cost centre",
    "gl_account": "GL account",
    "department": "Department, within its facility",
    "item": "Item",
    "facility": "Facility",
    "service_line": "Service line",
}
# A code may hold a slash or a space, never a control character.
CODE_REGEX = r"[^\x00-\x1f\x7f]{1,60}"


class Day(serializers.DateField):
    """A calendar day, written 2026-11-22 and in no other way."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(input_formats=["%Y-%m-%d"], **kwargs)


class MappingSerializer(serializers.ModelSerializer[Mapping]):
    """What one code of a partner means here, from when to when, and who said so."""

    partner = serializers.CharField(source="partner.code")
    domain = fields.Choice(DOMAINS, "CodeDomain")
    status = fields.Choice(Mapping.STATUSES, "MappingStatus")
    proposed_by = serializers.CharField(source="proposed_by.username")
    approved_by = serializers.CharField(source="approved_by.username", default=None, allow_null=True)

    class Meta:
        model = Mapping
        fields = (
            "id", "partner", "domain", "facility", "source_code", "target_code", "valid_from", "valid_to", "status",
            "proposed_by", "approved_by", "approved_at", "reason",
        )  # fmt: skip
        read_only_fields = fields


class MappingFilters(FilterSet):
    """By partner, by domain, by facility, by code, by status."""

    partner = filters.text(field_name="partner__code", label="Code of the partner.")
    domain = filters.choice(DOMAINS)
    facility = filters.text(label="The partner's facility code.")
    source_code = filters.text(label="The partner's code.")
    target_code = filters.text(label="Our code.")
    status = filters.choice(Mapping.STATUSES)

    class Meta:
        model = Mapping
        fields = ()


class Proposal(fields.Body):
    """What a code of a partner shall mean."""

    partner = serializers.CharField(max_length=40)
    domain = fields.Choice(DOMAINS, "CodeDomain")
    source_code = serializers.CharField(max_length=120, help_text='"*" is the default of its domain.')
    target_code = serializers.CharField(max_length=40, help_text="Our code; it must exist and be usable.")
    facility = fields.Text(max_length=60, help_text="The partner's facility code that it is limited to; empty for all.")
    valid_from = Day(required=False, allow_null=True, default=None, help_text="Empty for always.")
    valid_to = Day(required=False, allow_null=True, default=None, help_text="Last day; empty for no end.")
    reason = fields.Text(max_length=300)


class Rejection(fields.Body):
    """Why, for its author."""

    reason = serializers.CharField(max_length=300)


class Retirement(Rejection):
    """From when on it no longer holds, and why."""

    on = Day(help_text="First day on which it no longer holds.")


class ImpactSerializer(serializers.Serializer[Any]):
    """What would go through if the mapping were approved now."""

    messages = serializers.IntegerField()
    lines = serializers.IntegerField()
    amount = serializers.DictField(child=fields.Money(), help_text="Signed money by currency.")


class SuggestionSerializer(serializers.Serializer[Any]):
    """One of our codes that a missing one may mean."""

    code = serializers.CharField()
    name = serializers.CharField()
    score = serializers.IntegerField(help_text="0 to 100.")
    why = serializers.CharField()


class SuggestionQuery(fields.Body):
    """A code that is missing."""

    partner = serializers.CharField(max_length=40)
    domain = fields.Choice(DOMAINS, "CodeDomain")
    code = serializers.CharField(max_length=120)
    text = fields.Text(max_length=200, help_text="What the sender calls it.")
    facility = fields.Text(max_length=60, help_text="The partner's facility code.")


class Mappings(resources.Resource):
    """Mappings for all facilities are everybody's to read; one for a facility is for those who see that facility."""

    resource = "mappings"
    noun = "a mapping"
    rows = Mapping.objects.select_related("partner", "proposed_by", "approved_by")
    lookup_value_regex = resources.NUMBER_REGEX
    serializer_class = MappingSerializer
    filterset_class = MappingFilters
    looks = frozenset({"impact", "suggestions"})
    queries = {"suggestions": resources.parameters(SuggestionQuery)}
    needs = {
        "list": ("mappings.view_mapping",),
        "retrieve": ("mappings.view_mapping",),
        "impact": ("mappings.view_mapping", "hub.view_exceptioncase"),
        "suggestions": ("mappings.view_mapping",),
        "propose": ("mappings.view_mapping", "mappings.propose_mapping"),
        "approve": ("mappings.view_mapping", "mappings.approve_mapping"),
        "reject": ("mappings.view_mapping", "mappings.approve_mapping"),
        "retire": ("mappings.view_mapping", "mappings.retire_mapping"),
    }

    def visible(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """A mapping's facility is the partner's word: it counts as ours where an approved mapping says so."""
        granted = access.facilities(self.by)
        if granted is None:
            return queryset
        meant = Mapping.objects.filter(
            partner=OuterRef("partner"), domain="facility", source_code=OuterRef("facility"), status="approved"
        )
        ours = Q(facility="") | Q(facility__in=granted) | Exists(meant.filter(target_code__in=granted))
        return queryset.filter(ours)

    @resources.maker(body=Proposal, answer=MappingSerializer)
    def propose(self, **said: Any) -> Mapping:
        """Propose what a partner's code means; it holds once somebody else approves it.

        The same proposal again gives the row that waits or is in force already.
        """
        return mappings.propose(**said, by=self.by)

    @resources.verb()
    def approve(self, mapping: Mapping) -> None:
        """Approve what somebody else proposed, and release everything that waits for it."""
        mappings.approve(mapping, by=self.by)

    @resources.verb(body=Rejection)
    def reject(self, mapping: Mapping, reason: str) -> None:
        """Turn a proposal down."""
        mappings.reject(mapping, reason=reason, by=self.by)

    @resources.verb(body=Retirement)
    def retire(self, mapping: Mapping, on: date, reason: str) -> None:
        """End a mapping; what was booked with it stays as it is."""
        mappings.retire(mapping, on=on, reason=reason, by=self.by)

    @extend_schema(responses=ImpactSerializer)
    @resources.look
    def impact(self, request: Request, pk: str) -> Response:
        """Tell what would go through if a mapping were approved now."""
        return Response(ImpactSerializer(mappings.impact(self.get_object())).data)

    @extend_schema(responses=SuggestionSerializer(many=True), filters=False)
    @resources.survey
    def suggestions(self, request: Request) -> Response:
        """Suggest what a missing code may mean, the likeliest first, and say why."""
        asked = resources.asked(SuggestionQuery, request)
        return Response(SuggestionSerializer(suggestions.suggest(**asked), many=True).data)


class DimensionQuery(fields.Body):
    """Which day, and whose."""

    on = Day(required=False, default=None, help_text="The day; today in UTC where it is left out.")
    facility = fields.Text(max_length=20, help_text="Our facility code; a department is asked for within one.")


class VerdictSerializer(serializers.Serializer[Any]):
    """Whether the code may be used on that day."""

    kind = serializers.CharField()
    code = serializers.CharField()
    on = serializers.DateField()
    valid = serializers.BooleanField()
    name = serializers.CharField()
    reason = serializers.CharField(help_text="Empty, or unknown, inactive, not_yet_valid, expired, not_postable.")
    text = serializers.CharField(help_text="Empty, or what to do, in a sentence.")


class Dimensions(resources.Base):
    """Is this cost centre, account, department or item valid on this date? An invalid one is a 200 that says no."""

    resource = "dimensions"
    noun = "whether a code may be used on a day"
    needs = {
        "retrieve": (
            "mappings.view_costcenter", "mappings.view_glaccount", "mappings.view_department", "mappings.view_item",
            "mappings.view_facility", "mappings.view_serviceline",
        )
    }  # fmt: skip
    queries = {
        "retrieve": (
            *resources.parameters(DimensionQuery),
            OpenApiParameter("kind", str, OpenApiParameter.PATH, enum=list(KINDS)),
            OpenApiParameter("code", str, OpenApiParameter.PATH),
        )
    }
    lookup_field = "code"
    lookup_value_regex = CODE_REGEX
    pagination_class = None
    serializer_class = VerdictSerializer

    @extend_schema(responses=VerdictSerializer)
    def retrieve(self, request: Request, kind: str, code: str) -> Response:
        """Tell whether a cost centre, account, department, item, facility or service line may be used on a day.

        An answer of "no" is a 200 with the reason; a facility that you have no access to is a 404.
        """
        asked = resources.asked(DimensionQuery, request)
        if kind not in KINDS or (asked["facility"] and not access.sees(self.by, asked["facility"])):
            raise Http404
        on = asked["on"] or timezone.now().date()
        question = canonical.DimensionQuestion(kind=kind, code=code, on=on, facility=asked["facility"])
        verdict = routing.ask(question)
        shown = {"kind": kind, "code": verdict.code, "on": on, "valid": verdict.valid}
        told = {"name": verdict.name, "reason": verdict.reason, "text": verdict.text}
        return Response(VerdictSerializer({**shown, **told}).data)


router.register("mappings", Mappings, basename="mappings")
router.register(r"dimensions/(?P<kind>[a-z_]{1,40})", Dimensions, basename="dimensions")
