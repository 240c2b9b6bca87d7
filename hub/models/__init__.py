"""The hub's tables. They are the queue, the evidence and the case book; see docs/architecture.md."""

from hub.models.access import ApiKey, FacilityGrant
from hub.models.alerts import AlertEpisode, AlertRule, FeedState
from hub.models.audit import AuditEntry
from hub.models.cases import ExceptionCase, Waiting
from hub.models.deliveries import Delivery, Dispatch
from hub.models.facts import Fact
from hub.models.gates import Breaker, Bucket
from hub.models.idempotency import SavedAnswer
from hub.models.lanes import Lane, Stop
from hub.models.messages import Message, MessageKey
from hub.models.partners import Endpoint, Partner
from hub.models.replays import Replay, ReplayItem, Resubmission
from hub.models.search import ContentSegment

__all__ = [
    "AlertEpisode",
    "AlertRule",
    "ApiKey",
    "AuditEntry",
    "Breaker",
    "Bucket",
    "ContentSegment",
    "Delivery",
    "Dispatch",
    "Endpoint",
    "ExceptionCase",
    "FacilityGrant",
    "Fact",
    "FeedState",
    "Lane",
    "Message",
    "MessageKey",
    "Partner",
    "Replay",
    "ReplayItem",
    "Resubmission",
    "SavedAnswer",
    "Stop",
    "Waiting",
]
