"""Edit and resubmit: a copy of a stopped message with bytes of its own takes the original's place in the order.

The original stays as it came, byte for byte. The copy goes through the rules of the same door, keeps the key and the
control id, and has an id right after the original's: whoever was blocked behind the original comes after the copy.
Should the sender send the same correction later, it is recognised and answered as the copy would have been.
"""

import hashlib
from dataclasses import replace
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from hub import access, arrivals, audit, bodies, cases, doors, inbox, lanes, queue, stops
from hub.access import Actor
from hub.arrivals import Arrival
from hub.errors import Refused
from hub.models import Message, Resubmission, Waiting
from hub.models.states import advance

VARIANTS = 1 << 62  # the random tail of an id; a copy's is one above its original's


def resubmit(message: Message, *, raw: bytes, reason: str, by: Actor) -> Message:
    """Hand a stopped message in anew with other bytes; returns the copy.

    Raises `Refused` and changes nothing: RESUBMIT_REASON, RESUBMIT_SAME (nothing was changed, or these bytes are here
    already), RESUBMIT_HELD (some of its lines wait in the books), RESUBMIT_KEY (another account), RESUBMIT_DOOR (the
    door would refuse it), STATE_MOVE where it is not stopped any more.
    """
    access.require(by, "hub.edit_message", facility=message.endpoint.facility)
    if not reason.strip():
        raise Refused("RESUBMIT_REASON", "Say what was wrong with it, so that an auditor will understand.")
    original = bodies.of(message)
    if raw == original:
        raise Refused("RESUBMIT_SAME", "Nothing was changed: retry it instead.")
    arrival = _look(message, raw)
    now = timezone.now()
    with transaction.atomic():
        lanes.hold("inbox", [message.lane])
        if Waiting.objects.filter(message_id=message.pk).exists():
            raise Refused("RESUBMIT_HELD", "Some of its lines wait for a case already: heal the case, or waive them.")
        advance(message, "replaced", settled_at=now)
        copy_id = _next(message.pk)
        if not inbox.store_beside(arrival, copy_id, now):
            raise Refused("RESUBMIT_SAME", "These very bytes were handed in before: look at the message's list.")
        Resubmission.objects.create(original_id=message.pk, copy_id=copy_id, at=now)
        freed = stops.lift_messages([message.pk])
        cases.close_for("message", message.pk, reason=f"Replaced by an edited copy: {reason}", by=by)
        detail = {"copy": str(copy_id), "before": _told(original), "after": _told(raw), "freed": freed}
        audit.record(
            "messages.resubmit", by=by, subject=message, reason=reason, detail=detail,
            correlation_id=message.correlation_id,
        )  # fmt: skip
        queue.nudge("work")
    return Message.objects.select_related("endpoint__partner").get(pk=copy_id)


def _look(message: Message, raw: bytes) -> Arrival:
    """What the original's own door makes of the bytes. Who sends is not asked: a person of ours does."""
    terms = replace(doors.terms(message.endpoint), allowed=(), client_names=frozenset())
    found = arrivals.look(raw, doors.Entrance((terms,)), doors.Peer())
    if len(found) != 1:
        raise Refused("RESUBMIT_DOOR", f"It holds {len(found)} messages; hand in exactly one, beginning with its MSH.")
    arrival = found[0]
    if arrival.refusal is not None:
        raise Refused("RESUBMIT_DOOR", f"Its door refuses it: {arrival.refusal.text}.")
    if arrival.key != message.key:
        raise Refused(
            "RESUBMIT_KEY", "It belongs to another account now. A copy keeps the account of its original: waive this "
            "one, and let the sender send the other.",
        )  # fmt: skip
    arrival.control_id = message.control_id
    arrival.correlation_id = message.correlation_id
    arrival.origin = message.origin
    arrival.notes = [*arrival.notes, "edited_copy"]
    return arrival


def _next(original: UUID) -> UUID:
    """The id right after the original's: no id of a message that arrived lies between them."""
    tail = original.int % VARIANTS
    if tail == VARIANTS - 1:  # one in 2^62
        raise Refused("RESUBMIT_SAME", "This message cannot be copied: its id has no room behind it. Waive it.")
    return UUID(int=original.int + 1)


def _told(raw: bytes) -> dict[str, object]:
    """What the audit says of content: never the content."""
    return {"bytes": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}


def links(message: Message) -> tuple[UUID | None, UUID | None]:
    """(the original that this message replaced, the copy that replaced it), each None where there is none."""
    original = Resubmission.objects.filter(copy_id=message.pk).values_list("original_id", flat=True).first()
    copy = Resubmission.objects.filter(original_id=message.pk).values_list("copy_id", flat=True).first()
    return original, copy
