"""The hub's tables. They are the queue, the evidence and the case book; see docs/architecture.md."""

from hub.models.access import ApiKey, FacilityGrant
from hub.models.alerts import AlertEpisode, AlertRule, FeedState
from hub.models.audit import AuditEntry
from hub.models.cases import ExceptionCase, Waiting
from hub.models.deliveries import Delivery, Dispatch
from hub.models.digests import Digest
from hub.models.facts import Fact
from hub.models.files import InboundFile
from hub.models.gates import Breaker, Bucket
from hub.models.idempotency import SavedAnswer
from hub.models.journeys import BusinessCalendar, Deadline, Expectation, FeedHour, Overdue, Watermark
from hub.models.lanes import Lane, Stop
from hub.models.messages import Message, MessageKey
from hub.models.partners import Endpoint, Partner
from hub.models.replays import Replay, ReplayItem, Resubmission
from hub.models.resends import Resend
from hub.models.search import ContentSegment
from hub.models.webhooks import Webhook, WebhookCall, WebhookTry

__all__ = [
    "AlertEpisode",
    "AlertRule",
    "ApiKey",
    "AuditEntry",
    "Breaker",
    "Bucket",
    "BusinessCalendar",
    "ContentSegment",
    "Deadline",
    "Delivery",
    "Digest",
    "Dispatch",
    "Endpoint",
    "ExceptionCase",
    "Expectation",
    "FacilityGrant",
    "Fact",
    "FeedHour",
    "FeedState",
    "InboundFile",
    "Lane",
    "Message",
    "MessageKey",
    "Overdue",
    "Partner",
    "Replay",
    "ReplayItem",
    "Resend",
    "Resubmission",
    "SavedAnswer",
    "Stop",
    "Waiting",
    "Watermark",
    "Webhook",
    "WebhookCall",
    "WebhookTry",
]
