"""The way of one message over the API: the same hops as on its page."""

from typing import Any

from rest_framework import serializers
from rest_framework.response import Response

from hub import hops, lineage
from hub.access import Actor
from hub.api import fields
from hub.models import Message
from hub.viewer import Viewer


class HopCaseSerializer(serializers.Serializer[Any]):
    """An open case that keeps a message where it is."""

    id = serializers.IntegerField()
    code = serializers.CharField()
    title = serializers.CharField()


class HopSerializer(serializers.Serializer[Any]):
    """One stage of a message's way."""

    name = serializers.CharField(help_text="Stable: received, read, charged, allocated, posted, heard.")
    title = serializers.CharField()
    state = fields.Choice(hops.STATES, "HopState")
    at = serializers.DateTimeField(allow_null=True, help_text="When it was done.")
    took_s = serializers.FloatField(allow_null=True, help_text="Seconds since the hop before.")
    text = serializers.CharField()
    reference = serializers.CharField(help_text="The partner's own id, where it gave one.")
    amount = fields.Money(allow_null=True)
    currency = serializers.CharField()
    cases = HopCaseSerializer(many=True)


class WaySerializer(serializers.Serializer[Any]):
    """The way of one message from the first byte to the last posting, as the message's page shows it."""

    message_id = serializers.UUIDField()
    correlation_id = serializers.UUIDField()
    took_s = serializers.FloatField(allow_null=True, help_text="Seconds from the first byte to the last hop done.")
    hops = HopSerializer(many=True)


def way(message: Message, by: Actor) -> Response:
    """The way of one message, for the API."""
    story = lineage.tell(message, Viewer(by))
    shown = {
        "message_id": message.pk, "correlation_id": message.correlation_id, "took_s": story.total_s, "hops": story.hops,
    }  # fmt: skip
    return Response(WaySerializer(shown).data)
