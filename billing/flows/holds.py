"""What a person decides about a held charge: accept it as it stands, or waive it. Both need a reason."""

from django.db import transaction

from billing.models import Charge
from hub import access, audit, bulk, cases, held, queue
from hub.access import Actor
from hub.errors import Refused
from hub.models.states import advance

# Holds that no acceptance can cure: a code needs its mapping, a credit its charge.
NEEDS_A_CURE = {
    "MAP_MISSING", "CHG_CODE_UNKNOWN", "CHG_DIM_INVALID", "CREDIT_NO_ORIGINAL", "CREDIT_ORIGINAL_HELD", "CHG_NO_PRICE",
}  # fmt: skip


@transaction.atomic
def accept(charge: Charge, *, reason: str, by: Actor) -> Charge:
    """Let a held charge be booked although a rule held it; it goes through the pipeline again, in its order."""
    access.require(by, "billing.release_charge", facility=charge.facility)
    _reason(reason)
    charge = Charge.objects.select_for_update().get(pk=charge.pk)
    if charge.status != "held":
        raise Refused("STATE_MOVE", f"The charge is {charge.status} by now; only a held one can be accepted.")
    if charge.hold_code in NEEDS_A_CURE:
        raise Refused(charge.hold_code, "Accepting does not help here: what is missing has to be mapped or to arrive.")
    charge.flags = [*charge.flags, f"accepted:{charge.hold_code}"]
    charge.save(update_fields=["flags"])
    audit.record("charges.accept", by=by, subject=charge, reason=reason, detail={"hold": charge.hold_code})
    held.resume([charge.message_id])
    queue.nudge("work")
    return charge


@transaction.atomic
def waive(charge: Charge, *, reason: str, by: Actor) -> Charge:
    """Let a held charge go: it is never booked, and keeps its place in the books as waived."""
    access.require(by, "billing.waive_charge", facility=charge.facility)
    _reason(reason)
    advance(charge, "waived")
    touched = bulk.fetch(
        "DELETE FROM hub_waiting WHERE message_id = %s AND part = %s RETURNING case_id",
        [charge.message_id, charge.part],
    )
    audit.record("charges.waive", by=by, subject=charge, reason=reason, detail={"hold": charge.hold_code})
    cases.settle(sorted({case_id for (case_id,) in touched}), by=by)
    held.finish(charge.message_id)
    return charge


def _reason(reason: str) -> None:
    if not reason.strip():
        raise Refused("CASE_REASON", "This needs a reason that an auditor will understand.")
