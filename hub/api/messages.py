"""Messages: what partners sent and what became of it. The bytes themselves need a permission of their own."""

import base64
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hub import audit, bodies, finders, interventions, resubmission
from hub.api import fields, filters, resources
from hub.api.ways import WaySerializer, way
from hub.models import Message, MessageKey


class MessageSerializer(serializers.ModelSerializer[Message]):
    """One stored document, without its bytes."""

    endpoint = serializers.CharField(source="endpoint.code")
    partner = serializers.CharField(source="endpoint.partner.code")
    facility = serializers.CharField(source="endpoint.facility")
    status = fields.Choice(Message.STATUSES, "MessageStatus")
    sha256 = serializers.SerializerMethodField(help_text="Of the bytes as they arrived, in hex.")
    notes = serializers.ListField(child=serializers.CharField(), help_text="What was tolerated.")

    origin = serializers.JSONField(
        allow_null=True, help_text="What the sender calls it, as given: correlation_id, traceparent."
    )
    replaces = serializers.SerializerMethodField(help_text="The original, where this is an edited copy.")
    replaced_by = serializers.SerializerMethodField(help_text="The edited copy that took its place.")

    class Meta:
        model = Message
        fields = (
            "id", "endpoint", "partner", "facility", "received_at", "sender", "control_id", "kind", "key", "status",
            "attempts", "parts", "notes", "problem_code", "problem", "settled_at", "sha256", "correlation_id",
            "origin", "replaces", "replaced_by",
        )  # fmt: skip
        read_only_fields = fields

    def get_sha256(self, message: Message) -> str:
        """Hex."""
        return bytes(message.sha256).hex()

    def get_replaces(self, message: Message) -> UUID | None:
        """Its id."""
        return resubmission.links(message)[0] if "edited_copy" in message.notes else None

    def get_replaced_by(self, message: Message) -> UUID | None:
        """Its id."""
        return resubmission.links(message)[1] if message.status == "replaced" else None


class RawMessageSerializer(serializers.Serializer[Any]):
    """The bytes of a message, exactly as they arrived."""

    id = serializers.UUIDField()
    sha256 = serializers.CharField()
    base64 = serializers.CharField(help_text="The bytes, in base64.")


class Find(fields.Body):
    """A business key, and where the page before ended."""

    by = serializers.CharField(max_length=40, help_text="account, charge, control_id, correlation_id, item, journal, "
                               "key or order.")  # fmt: skip
    value = serializers.CharField(max_length=finders.VALUE_MAX, help_text="The whole value, as it is written there.")
    before = serializers.UUIDField(required=False, help_text="`reached` of the page before.")


class FoundSerializer(serializers.Serializer[Any]):
    """One page of what was found, the newest first."""

    results = MessageSerializer(many=True)
    complete = serializers.BooleanField(help_text="Everything that is kept was searched.")
    reached = serializers.UUIDField(allow_null=True, help_text="Where it stopped; `before` of the next page.")


class Edited(fields.Body):
    """The bytes that take the place of a stopped message's."""

    base64 = serializers.CharField(max_length=10_000_000, help_text="The whole message, in base64.")
    reason = serializers.CharField(max_length=fields.REASON_CHARS, help_text="What was wrong with the original.")

    def validate_base64(self, text: str) -> bytes:
        """The bytes."""
        try:
            return base64.b64decode(text, validate=True)
        except ValueError as error:
            raise serializers.ValidationError("This is not base64.") from error


class MessageFilters(filters.ByTime):
    """By door, by status, by kind, by control id, by time."""

    endpoint = filters.text(field_name="endpoint__code", label="Code of the endpoint it came in by.")
    partner = filters.text(field_name="endpoint__partner__code", label="Code of the partner.")
    status = filters.choice(Message.STATUSES)
    kind = filters.text(label='As the format names it, e.g. "DFT^P03".')
    control_id = filters.text(method="with_control_id", label="The sender's control id (MSH-10).")

    class Meta:
        model = Message
        fields = ()

    def with_control_id(self, queryset: Any, name: str, value: str) -> Any:
        """Through the narrow key table: the partitions have no index for it."""
        return queryset.filter(pk__in=MessageKey.objects.filter(control_id=value).values("message_id"))


class Messages(resources.Resource):
    """A message is visible where its endpoint's facility is; one of no facility to those who see all."""

    resource = "messages"
    noun = "a message"
    rows = Message.objects.select_related("endpoint__partner").defer("raw")
    facility_field = "endpoint__facility"
    serializer_class = MessageSerializer
    filterset_class = MessageFilters
    looks = frozenset({"find", "lineage"})
    needs = {
        "list": ("hub.view_message",),
        "retrieve": ("hub.view_message",),
        "find": ("hub.view_message",),
        "raw": ("hub.view_message", "hub.view_raw_message"),
        "lineage": ("hub.view_message", "hub.view_fact", "hub.view_delivery", "hub.view_dispatch"),
        "retry": ("hub.view_message", "hub.retry_message"),
        "waive": ("hub.view_message", "hub.waive_message"),
        "resubmit": ("hub.view_message", "hub.view_raw_message", "hub.edit_message"),
    }
    queries = {"find": resources.parameters(Find)}

    @extend_schema(responses=FoundSerializer, parameters=list(resources.parameters(Find)))
    @resources.survey
    def find(self, request: Request) -> Response:
        """Find messages by a business key, however old they are.

        A page has 50 at most and takes 3 seconds at most; then `reached` says where to go on.
        """
        asked = resources.asked(Find, request)
        found = finders.find(asked["by"], asked["value"], by=self.by, before=asked.get("before", finders.LAST))
        rows = self.get_queryset().filter(pk__in=found.ids).order_by("-pk")
        page = {"results": rows, "complete": found.reached is None, "reached": found.reached}
        return Response(FoundSerializer(page).data)

    @extend_schema(responses=RawMessageSerializer)
    @resources.look
    def raw(self, request: Request, pk: str) -> Response:
        """Show the bytes of a message.

        They may hold a patient's name and numbers: every look is audited.
        """
        message = self.get_object()
        audit.record("messages.view_raw", by=self.by, subject=message, correlation_id=message.correlation_id)
        shown = base64.b64encode(bodies.of(message)).decode()
        return Response({"id": message.pk, "sha256": bytes(message.sha256).hex(), "base64": shown})

    @extend_schema(responses=WaySerializer)
    @resources.look
    def lineage(self, request: Request, pk: str) -> Response:
        """Show the way of a message: every hop with its time, and what keeps it where it is."""
        return way(self.get_object(), self.by)

    @resources.verb()
    def retry(self, message: Message) -> None:
        """Let a stopped or refused message try again."""
        interventions.retry_message(message, by=self.by)

    @resources.verb(body=fields.Reason)
    def waive(self, message: Message, reason: str) -> None:
        """Decide that a stopped message shall not be applied."""
        interventions.waive_message(message, reason=reason, by=self.by)

    @resources.verb(body=Edited)
    def resubmit(self, message: Message, base64: bytes, reason: str) -> None:
        """Hand a stopped message in anew with other bytes.

        The original stays as it came; `replaced_by` of the answer names the copy that took its place in the order.
        """
        resubmission.resubmit(message, raw=base64, reason=reason, by=self.by)
