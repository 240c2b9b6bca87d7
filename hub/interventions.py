"""What people do to messages, deliveries, dispatches and endpoints. Admin and API call nothing else."""

from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from hub import access, again, audit, breakers, bulk, cases, doorkeys, lanes, queue, settlement, stops, vault
from hub.access import Actor
from hub.errors import Refused
from hub.models import Breaker, Delivery, Dispatch, Endpoint, Message
from hub.models.states import advance
from hub.routing import Outcome, registry


def retry_message(message: Message, *, by: Actor) -> Message:
    """Let a stopped or refused message try again; those blocked behind it follow in their order."""
    access.require(by, "hub.retry_message", facility=message.endpoint.facility)
    with transaction.atomic():
        lanes.hold("inbox", [message.lane])  # nobody reads stops of this lane while they change
        advance(message, "received", problem_code="", problem="", attempts=0, settled_at=None)
        freed = stops.lift_messages([message.pk])
        cases.close_for("message", message.pk, reason="Retried.", by=by)
        audit.record("messages.retry", by=by, subject=message, detail={"freed": freed})
        queue.nudge("work")
    return message


def waive_message(message: Message, *, reason: str, by: Actor) -> Message:
    """Decide that a stopped message shall not be applied; later ones of its key go on. The reason is kept."""
    access.require(by, "hub.waive_message", facility=message.endpoint.facility)
    if not reason.strip():
        raise Refused("CASE_REASON", "Waiving needs a reason that an auditor will understand.")
    with transaction.atomic():
        lanes.hold("inbox", [message.lane])
        advance(message, "waived", settled_at=timezone.now())
        freed = stops.lift_messages([message.pk])
        cases.close_for("message", message.pk, reason=reason, by=by, waived=True)
        audit.record("messages.waive", by=by, subject=message, reason=reason, detail={"freed": freed})
        queue.nudge("work")
    return message


def retry_delivery(delivery: Delivery, *, by: Actor) -> Delivery:
    """Let a stopped delivery try again; those blocked behind it follow in their order."""
    _require_delivery(delivery, "hub.retry_delivery", by)
    with transaction.atomic():
        lanes.hold(_delivery_queue(delivery), [delivery.lane])
        _refuse_under_way(delivery)
        call = delivery.dispatch_id
        advance(delivery, "pending", problem_code="", problem="", dispatch_id=None, attempts=0)
        freed = stops.lift_deliveries([delivery.pk])
        cases.close_for("delivery", delivery.pk, reason="Retried.", by=by)
        _close_given_up(call, by)
        audit.record("deliveries.retry", by=by, subject=delivery, detail={"freed": freed})
        _ring(delivery)
    return delivery


def _refuse_under_way(delivery: Delivery) -> None:
    """What is part of a call is the sender's: taken out of it now, it would travel again under another key (F-E7)."""
    delivery.refresh_from_db(fields=["status", "dispatch_id"])
    if delivery.status not in {"stopped", "blocked"}:
        label = Delivery.STATUSES[delivery.status].lower()
        raise Refused("STATE_MOVE", f"The delivery is {label} by now; only a stopped one can be retried.")


def waive_delivery(delivery: Delivery, *, reason: str, by: Actor) -> Delivery:
    """Decide that a stopped delivery shall not be made; later ones of its key go on. The reason is kept."""
    _require_delivery(delivery, "hub.waive_delivery", by)
    if not reason.strip():
        raise Refused("CASE_REASON", "Waiving needs a reason that an auditor will understand.")
    with transaction.atomic():
        lanes.hold(_delivery_queue(delivery), [delivery.lane])
        advance(delivery, "waived", settled_at=timezone.now())
        freed = stops.lift_deliveries([delivery.pk])
        cases.close_for("delivery", delivery.pk, reason=reason, by=by, waived=True)
        _close_given_up(delivery.dispatch_id, by)
        audit.record("deliveries.waive", by=by, subject=delivery, reason=reason, detail={"freed": freed})
        _ring(delivery)
    return delivery


def _close_given_up(dispatch_id: UUID | None, by: Actor) -> None:
    """The case of a call that was given up ends when a person has decided about the last of its deliveries."""
    if dispatch_id and not Delivery.objects.filter(dispatch_id=dispatch_id, status="stopped").exists():
        subject = f"dispatch:{dispatch_id}"
        cases.close("DELIVERY_EXPIRED", [subject], reason="Its deliveries were retried or waived.", by=by)


def retry_dispatch(dispatch: Dispatch, *, by: Actor) -> int:
    """Let all deliveries of a call that was given up try again, with a new age; returns how many.

    They are gathered anew and travel under a new key: the old call is known not to have been done. A second press finds
    nothing to do and is refused.
    """
    access.require(by, "hub.retry_delivery", facility=dispatch.endpoint.facility)
    with transaction.atomic():
        lanes.hold(f"{dispatch.route}@{dispatch.endpoint.code}", [dispatch.lane])
        waiting = _stopped(dispatch.pk) if dispatch.status == "given_up" else []
        if not waiting:
            raise Refused("STATE_MOVE", "Nothing of this call is stopped any more. Reload and look again.")
        freed = again.deliveries(waiting, reason="Retried.", by=by)
        _close_given_up(dispatch.pk, by)
        audit.record("dispatches.retry", by=by, subject=dispatch, count=len(waiting), detail={"freed": freed})
        queue.nudge("send", dispatch.endpoint_id)
    return len(waiting)


def _stopped(dispatch_id: UUID) -> list[UUID]:
    stopped = Delivery.objects.filter(dispatch_id=dispatch_id, status="stopped")
    return list(stopped.order_by("id").values_list("id", flat=True))


def resolve_dispatch(dispatch: Dispatch, *, outcome: str, reference: str = "", reason: str = "", by: Actor) -> Dispatch:
    """Say what a look-up by hand found for a dispatch in doubt.

    `outcome` is "delivered" (with the partner's `reference`) or "absent": it is not there and is sent again, with
    the same key.
    """
    access.require(by, "hub.resolve_dispatch", facility=dispatch.endpoint.facility)
    if outcome not in {"delivered", "absent"}:
        raise Refused("DISPATCH_OUTCOME", "Say 'delivered' with the partner's reference, or 'absent'.")
    if outcome == "delivered" and not reference.strip():
        raise Refused("DISPATCH_REFERENCE", "Give the reference under which the partner has it.")
    route = registry.outbound(dispatch.route)
    with transaction.atomic():
        lanes.hold(f"{dispatch.route}@{dispatch.endpoint.code}", [dispatch.lane])
        dispatch.refresh_from_db()
        if dispatch.status != "in_doubt":
            raise Refused("STATE_MOVE", f"The dispatch is {dispatch.status} by now; nothing is in doubt any more.")
        if lanes.is_leased(f"{dispatch.route}@{dispatch.endpoint.code}", dispatch.lane):
            text = "The hub is asking the partner about it at this moment. Wait a few seconds, reload and look again."
            raise Refused("DISPATCH_UNDER_WAY", text)
        found = Outcome("ok", reference=reference.strip()) if outcome == "delivered" else Outcome("absent")
        settlement.found(route, dispatch.endpoint, dispatch.pk, found)
        audit.record(
            "dispatches.resolve", by=by, subject=dispatch, reason=reason,
            detail={"outcome": outcome, "reference": reference},
        )  # fmt: skip
        queue.nudge("send", dispatch.endpoint_id)
    dispatch.refresh_from_db()
    return dispatch


def pause_endpoint(endpoint: Endpoint, *, reason: str = "", by: Actor) -> Endpoint:
    """Read and send nothing through this endpoint; what arrives is still stored and acknowledged."""
    return _pause(endpoint, True, reason, by)


def resume_endpoint(endpoint: Endpoint, *, reason: str = "", by: Actor) -> Endpoint:
    """Go on where it was paused, in the order in which things arrived."""
    return _pause(endpoint, False, reason, by)


def _pause(endpoint: Endpoint, paused: bool, reason: str, by: Actor) -> Endpoint:
    access.require(by, "hub.pause_endpoint", facility=endpoint.facility)
    with transaction.atomic():
        endpoint = Endpoint.objects.select_for_update().get(pk=endpoint.pk)
        endpoint.paused = paused
        endpoint.save(update_fields=["paused"])
        verb = "endpoints.pause" if paused else "endpoints.resume"
        audit.record(verb, by=by, subject=endpoint, reason=reason)
        queue.nudge("work") if endpoint.direction == "in" else queue.nudge("send", endpoint.pk)
    doorkeys.forget()
    return endpoint


def open_circuit(endpoint: Endpoint, *, reason: str, by: Actor) -> Breaker:
    """Stop calling this partner now. After the pause one call probes, and an answer closes the circuit by itself."""
    breaker = _circuit(endpoint, reason, by)
    pause = timedelta(seconds=breakers.pause_s(endpoint, 0))
    with transaction.atomic():
        now = timezone.now()
        advance(breaker, "open", opened_at=now, probe_at=now + pause, openings=1, code="", text=f"Opened by {by.name}.")
        audit.record("endpoints.open_circuit", by=by, subject=endpoint, reason=reason)
    return breaker


def close_circuit(endpoint: Endpoint, *, reason: str, by: Actor) -> Breaker:
    """Call this partner again now; what waits for it is due at once. If it is still away the circuit opens again."""
    breaker = _circuit(endpoint, reason, by)
    with transaction.atomic():
        advance(breaker, "closed", failures=0, openings=0, opened_at=None, probe_at=None)
        hurried = bulk.run(HURRY, [endpoint.pk])
        cases.close("ERP_UNREACHABLE", [settlement.away(endpoint)], reason=reason, by=by)
        audit.record("endpoints.close_circuit", by=by, subject=endpoint, reason=reason, detail={"calls": hurried})
        queue.nudge("send", endpoint.pk)
    return breaker


# Calls that a sender has in hand are left to it.
HURRY = """
UPDATE hub_dispatch SET due_at = now() WHERE id IN (
    SELECT id FROM hub_dispatch WHERE endpoint_id = %s AND status IN ('waiting', 'in_doubt') AND due_at > now()
    FOR UPDATE SKIP LOCKED)
"""


def _circuit(endpoint: Endpoint, reason: str, by: Actor) -> Breaker:
    access.require(by, "hub.switch_breaker", facility=endpoint.facility)
    if endpoint.direction != "out":
        raise Refused("STATE_MOVE", "Only an outbound endpoint has a circuit: nothing is called through this one.")
    if not reason.strip():
        raise Refused("CASE_REASON", "Switching a circuit needs a reason that an auditor will understand.")
    return Breaker.objects.get_or_create(endpoint=endpoint)[0]


def set_secret(endpoint: Endpoint, *, secret: str, by: Actor) -> Endpoint:
    """Seal what the partner at the other end knows us by; the next call uses it. It is never shown again.

    Blanks and line ends around a pasted token are taken off, and the line ends inside a private key. Refused
    (VAULT_SECRET) where nothing could send it.
    """
    access.require(by, "hub.change_endpoint", facility=endpoint.facility)
    secret = " ".join(secret.split()) if secret.lstrip().startswith("-----BEGIN") else secret.strip()
    if endpoint.direction != "out" and endpoint.transport != "sftp":
        text = "Only an outbound endpoint, or one over SFTP, has a secret. Machines that post to us get API keys."
        raise Refused("VAULT_SECRET", text)
    if not secret or not secret.isascii() or not secret.isprintable():
        raise Refused("VAULT_SECRET", "A secret has letters, digits and signs of ASCII only. Paste it anew.")
    with transaction.atomic():
        # No history row: history never holds secrets, and nothing else of the endpoint changed.
        Endpoint.objects.filter(pk=endpoint.pk).update(secret=vault.seal(secret))
        audit.record("endpoints.set_secret", by=by, subject=endpoint)
        queue.nudge("send", endpoint.pk)
    endpoint.refresh_from_db(fields=["secret"])
    return endpoint


def _require_delivery(delivery: Delivery, permission: str, by: Actor) -> None:
    access.require(by, permission, facility="" if delivery.endpoint is None else delivery.endpoint.facility)


def _delivery_queue(delivery: Delivery) -> str:
    return delivery.route if delivery.endpoint is None else f"{delivery.route}@{delivery.endpoint.code}"


def _ring(delivery: Delivery) -> None:
    if delivery.endpoint_id is None:
        queue.nudge("work")
    else:
        queue.nudge("send", delivery.endpoint_id)
