"""Lineage: everything that one correlation id caused, from the message to the partner's reference."""

from typing import Any
from uuid import UUID

from django.db.models import Q
from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hub import access, trail
from hub.api import resources
from hub.api.deliveries import DeliverySerializer, DispatchSerializer
from hub.api.messages import MessageSerializer
from hub.models import Delivery, Dispatch, Fact, Message

# A batch file of 5,000 messages shares one correlation id: the first ones tell how it went, the lists tell the rest.
LONGEST = 500


class FactSerializer(serializers.ModelSerializer[Fact]):
    """What happened here; the payload stays inside."""

    class Meta:
        model = Fact
        fields = ("id", "name", "key", "message_id", "cause_id", "published_at")
        read_only_fields = fields


class LineageSerializer(serializers.Serializer[Any]):
    """A chain by ids: message -> fact -> delivery -> dispatch. A journal has its dispatch's id; it leads back."""

    correlation_id = serializers.UUIDField()
    messages = MessageSerializer(many=True)
    facts = FactSerializer(many=True)
    deliveries = DeliverySerializer(many=True)
    dispatches = DispatchSerializer(many=True)
    complete = serializers.BooleanField(help_text=f"False where a list was cut at {LONGEST} rows.")


class Lineage(resources.Base):
    """Begins at the messages that the caller may see; without one of them there is nothing to see."""

    resource = "lineage"
    noun = "what one correlation id caused"
    needs = {"retrieve": ("hub.view_message", "hub.view_fact", "hub.view_delivery", "hub.view_dispatch")}
    queries = {"retrieve": (OpenApiParameter("correlation_id", UUID, OpenApiParameter.PATH),)}
    lookup_field = "correlation_id"
    lookup_value_regex = resources.UUID_REGEX
    pagination_class = None
    serializer_class = LineageSerializer

    @extend_schema(responses=LineageSerializer)
    def retrieve(self, request: Request, correlation_id: str) -> Response:
        """Everything that one correlation id caused."""
        wanted = UUID(correlation_id)
        told = list(Fact.objects.filter(correlation_id=wanted).order_by("id")[:LONGEST])
        # A call's own id leads back to the messages whose facts it carries.
        behind, all_behind = trail.behind_call(wanted)
        named = {wanted, *behind, *(fact.message_id for fact in told if fact.message_id)}
        rows = Message.objects.select_related("endpoint__partner").defer("raw").order_by("id")
        messages = list(access.scope(rows, self.by, "endpoint__facility").filter(pk__in=named)[:LONGEST])
        seen = {message.pk for message in messages}
        # A fact of no message (a staff decision) is shown to those who see all facilities.
        facts = [fact for fact in told if fact.message_id in seen or (fact.message_id is None and self._sees_all())]
        if not messages and not facts:
            raise Http404
        sent = Delivery.objects.select_related("endpoint").filter(fact_id__in=[fact.pk for fact in facts])
        deliveries = list(sent.order_by("id")[:LONGEST])
        # What the ends of the calls made known has many causes, these messages among them: it carries the calls' ids.
        called = {delivery.dispatch_id for delivery in deliveries if delivery.dispatch_id}
        answers = list(Fact.objects.filter(correlation_id__in=called).order_by("id")[:LONGEST]) if called else []
        heard = Delivery.objects.select_related("endpoint").filter(fact_id__in=[fact.pk for fact in answers])
        facts, deliveries = [*facts, *answers], [*deliveries, *heard.order_by("id")[:LONGEST]]
        calls = Q(pk__in=called)
        shown = {
            "correlation_id": wanted,
            "messages": messages,
            "facts": facts,
            "deliveries": deliveries,
            "dispatches": Dispatch.objects.select_related("endpoint").filter(calls).order_by("id"),
            "complete": all_behind and max(len(told), len(messages), len(deliveries)) < LONGEST,
        }
        return Response(LineageSerializer(shown).data)

    def _sees_all(self) -> bool:
        return access.facilities(self.by) is None
