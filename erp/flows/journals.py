"""Journals: allocate the cost of charges, gather the legs into journals, settle what the ERP says of them."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from erp import drafts
from erp.drafts import Draft, Drafted
from erp.models import Journal
from hub import audit, bulk, ids, outbox
from hub.access import Actor
from hub.errors import HubError, Permanent
from hub.models import Dispatch
from hub.routing import Heard, Outcome
from mappings.canonical import CostAllocated, JournalPosted, Leg

ALLOCATIONS = (
    ("id", "uuid"), ("fact_id", "uuid"), ("account", "text"), ("facility", "text"), ("currency", "text"),
    ("posting_date", "date"), ("total", "numeric"), ("drafted_at", "timestamptz"),
)  # fmt: skip
LINES = (
    ("charge_id", "uuid"), ("leg", "int2"), ("allocation_id", "uuid"), ("account", "text"), ("cost_center", "text"),
    ("debit", "numeric"), ("credit", "numeric"), ("quantity", "numeric"), ("basis", "text"),
    ("original_id", "uuid"), ("original_leg", "int2"),
)  # fmt: skip


@transaction.atomic
def allocate_cost(heard: Sequence[Heard], *, by: Actor) -> dict[UUID, HubError | None]:
    """Cost charges and take back the cost of credits: balanced legs per facility, currency and posting date.

    Returns, by delivery, why a fact was left out; later facts of its account are left out with it (None), so that
    nothing is reversed before it was posted. Harmless when heard twice: a charge has its legs once and for ever.
    """
    desk, left_out, stopped, done = drafts.Desk(heard), {}, set[str](), list[Draft]()
    for one in heard:
        if one.fact.key in stopped:
            left_out[one.delivery_id] = None
            continue
        try:
            done.append(desk.draft(one))
        except Permanent as error:
            left_out[one.delivery_id] = error
            stopped.add(one.fact.key)
    _write(done)
    audit.record("journals.allocate_cost", by=by, subject_type="erp.allocation", count=len(done))
    return left_out


def _write(done: Sequence[Draft]) -> None:
    """Allocations, legs and facts of a whole batch: one statement per table."""
    now = timezone.now()
    allocations: list[tuple[Any, ...]] = []
    rows: list[tuple[Any, ...]] = []
    facts: list[outbox.Published] = []
    for draft in done:
        said, cause = draft.heard.fact, draft.heard
        for posting_date, charges in draft.by_date():
            costly = [charge for charge in charges if charge.postings]
            free = tuple(str(charge.charge_id) for charge in charges if not charge.postings)
            if free:
                facts.append(
                    outbox.Published(
                        _nothing_to_post(said.facility, free), cause.correlation_id, cause_id=cause.fact_id
                    )
                )
            if costly:
                fact = _allocated(said, posting_date, costly)
                total = sum((leg.debit for leg in fact.legs), Decimal(0))
                allocations.append(
                    (
                        UUID(fact.allocation_id),
                        cause.fact_id,
                        said.account,
                        said.facility,
                        said.currency,
                        posting_date,
                        total,
                        now,
                    )
                )
                rows += _rows(UUID(fact.allocation_id), costly)
                facts.append(outbox.Published(fact, cause.correlation_id, cause_id=cause.fact_id))
    if allocations:
        bulk.copy("erp_allocation", ALLOCATIONS, allocations)
        bulk.copy("erp_journalline", LINES, rows)
    outbox.publish(facts)


def _nothing_to_post(facility: str, charge_ids: tuple[str, ...]) -> JournalPosted:
    """Charges that cost nothing need no journal: for whoever waits, they are done."""
    return JournalPosted(journal_id="", facility=facility, erp_reference="nothing to post", charge_ids=charge_ids)


def _allocated(said: Any, posting_date: date, costly: Sequence[Drafted]) -> CostAllocated:
    return CostAllocated(
        allocation_id=str(ids.uuid7()), account=said.account, facility=said.facility, currency=said.currency,
        posting_date=posting_date,
        legs=tuple(_leg(charge, posting) for charge in costly for posting in charge.postings),
    )  # fmt: skip


def _rows(allocation_id: UUID, costly: Sequence[Drafted]) -> list[tuple[Any, ...]]:
    return [
        (
            charge.charge_id, posting.leg, allocation_id, posting.account, posting.cost_center, posting.debit,
            posting.credit, posting.quantity, charge.basis, charge.original_id, posting.mirrors,
        )
        for charge in costly
        for posting in charge.postings
    ]  # fmt: skip


def _leg(charge: Drafted, posting: drafts.Posting) -> Leg:
    return Leg(
        line_key=f"{charge.charge_id}:{posting.leg}", charge_id=str(charge.charge_id), account=posting.account,
        cost_center=posting.cost_center, debit=posting.debit, credit=posting.credit, quantity=posting.quantity,
    )  # fmt: skip


def assemble(dispatch: Dispatch, heard: Sequence[Heard], *, by: Actor) -> Journal:
    """The journal of one call: its id is the dispatch's, its external key at the ERP."""
    first: CostAllocated = heard[0].fact
    journal = Journal.objects.create(
        id=dispatch.pk, endpoint=dispatch.endpoint, facility=first.facility, currency=first.currency,
        posting_date=first.posting_date, lines=sum(len(one.fact.legs) for one in heard),
        total=sum((leg.debit for one in heard for leg in one.fact.legs), Decimal(0)), status="posting",
        created_at=timezone.now(),
    )  # fmt: skip
    audit.record("journals.assemble", by=by, subject=journal, detail={"lines": journal.lines})
    bulk.run(
        "UPDATE erp_allocation SET journal_id = %s WHERE id = ANY(%s::uuid[])",
        [journal.pk, [one.fact.allocation_id for one in heard]],
    )
    return journal


def settle(dispatch: Dispatch, outcome: Outcome, *, by: Actor) -> None:
    """The ERP has it, or refused it. Posted journals are told to whoever listens; a second call changes nothing."""
    status = "posted" if outcome.kind == "ok" else "rejected"
    moved = Journal.objects.filter(pk=dispatch.pk, status="posting").update(
        status=status, erp_reference=outcome.reference[:120], problem=outcome.text[:2000], settled_at=timezone.now()
    )
    if not moved:
        return
    if status == "posted":
        charges = bulk.fetch(
            "SELECT DISTINCT l.charge_id FROM erp_allocation a JOIN erp_journalline l ON l.allocation_id = a.id"
            " WHERE a.journal_id = %s",
            [dispatch.pk],
        )
        facility = Journal.objects.values_list("facility", flat=True).get(pk=dispatch.pk)
        fact = JournalPosted(
            journal_id=str(dispatch.pk), facility=facility, erp_reference=outcome.reference,
            charge_ids=tuple(str(charge_id) for (charge_id,) in charges),
        )  # fmt: skip
        outbox.publish([outbox.Published(fact, dispatch.pk)])
    audit.record(f"journals.{status}", by=by, subject_type="erp.journal", detail={"journal": str(dispatch.pk)})
