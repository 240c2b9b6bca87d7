"""Journals: allocate the cost of charges, gather the legs into journals, settle what the ERP says of them."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from erp import drafts
from erp.allocation import Posting
from erp.drafts import Draft, Drafted
from hub import audit, bulk, ids, outbox
from hub.access import Actor
from hub.errors import HubError, Permanent
from hub.models import Endpoint
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
    desk = drafts.Desk(heard)
    left_out: dict[UUID, HubError | None] = {}
    stopped: set[str] = set()
    done: list[Draft] = []
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
            free = tuple(charge.charge_id for charge in charges if not charge.postings)
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
                        fact.allocation_id,
                        cause.fact_id,
                        said.account,
                        said.facility,
                        said.currency,
                        posting_date,
                        total,
                        now,
                    )
                )
                rows += _rows(fact.allocation_id, costly)
                facts.append(outbox.Published(fact, cause.correlation_id, cause_id=cause.fact_id))
    if allocations:
        bulk.copy("erp_allocation", ALLOCATIONS, allocations)
        bulk.copy("erp_journalline", LINES, rows)
    outbox.publish(facts)


def _nothing_to_post(facility: str, charge_ids: tuple[UUID, ...]) -> JournalPosted:
    """Charges that cost nothing need no journal: for whoever waits, they are done."""
    return JournalPosted(journal_id=None, facility=facility, erp_reference="nothing to post", charge_ids=charge_ids)


def _allocated(said: Any, posting_date: date, costly: Sequence[Drafted]) -> CostAllocated:
    return CostAllocated(
        allocation_id=ids.uuid7(), account=said.account, facility=said.facility, currency=said.currency,
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


def _leg(charge: Drafted, posting: Posting) -> Leg:
    return Leg(
        line_key=f"{charge.charge_id}:{posting.leg}", charge_id=charge.charge_id, account=posting.account,
        cost_center=posting.cost_center, debit=posting.debit, credit=posting.credit, quantity=posting.quantity,
    )  # fmt: skip


JOURNALS = (
    ("id", "uuid"), ("endpoint_id", "int8"), ("facility", "text"), ("currency", "text"), ("posting_date", "date"),
    ("lines", "int4"), ("total", "numeric"), ("status", "text"), ("erp_reference", "text"), ("problem", "text"),
    ("created_at", "timestamptz"),
)  # fmt: skip


def assemble(endpoint: Endpoint, calls: Sequence[tuple[UUID, Sequence[Heard]]], *, by: Actor) -> None:
    """One journal for each call: its id is the dispatch's, its external key at the ERP."""
    now = timezone.now()
    rows, members = [], []
    for key, heard in calls:
        first: CostAllocated = heard[0].fact
        total = sum((leg.debit for one in heard for leg in one.fact.legs), Decimal(0))
        lines = sum(len(one.fact.legs) for one in heard)
        rows.append(
            (
                key, endpoint.pk, first.facility, first.currency, first.posting_date, lines, total, "posting", "", "",
                now,
            )
        )  # fmt: skip
        members += [(one.fact.allocation_id, key) for one in heard]
    bulk.copy("erp_journal", JOURNALS, rows)
    bulk.run(
        "UPDATE erp_allocation a SET journal_id = w.journal_id"
        " FROM unnest(%s::uuid[], %s::uuid[]) w(id, journal_id)"
        " WHERE a.id = w.id AND a.id BETWEEN %s AND %s",  # a range keeps the planner from reading the whole table
        [
            bulk.uuids(allocation_id for allocation_id, _ in members), bulk.uuids(key for _, key in members),
            min(members)[0], max(members)[0],
        ],
    )  # fmt: skip
    audit.record("journals.assemble", by=by, subject_type="erp.journal", count=len(rows))


SETTLE = """
UPDATE erp_journal j SET status = w.status, erp_reference = w.reference, problem = w.problem, settled_at = now()
FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[]) w(id, status, reference, problem)
WHERE j.id = w.id AND j.status = 'posting'
RETURNING j.id, j.facility, j.status, j.erp_reference
"""
# OFFSET 0: each allocation's legs by their index. As a plain join it read the whole table of legs for every call.
CHARGES = """
SELECT a.journal_id, array_agg(l.charge_id)
FROM erp_allocation a CROSS JOIN LATERAL (
    SELECT charge_id FROM erp_journalline WHERE allocation_id = a.id AND leg = 0 OFFSET 0
) l
WHERE a.journal_id = ANY(%s) GROUP BY a.journal_id
"""


def settle(settled: Sequence[tuple[UUID, Outcome]], *, by: Actor) -> None:
    """The ERP has them, or refused them. Posted journals are told to whoever listens; a second call changes nothing."""
    columns = [
        [key for key, _ in settled],
        ["posted" if outcome.kind == "ok" else "rejected" for _, outcome in settled],
        [outcome.reference[:120] for _, outcome in settled],
        [outcome.text[:2000] for _, outcome in settled],
    ]
    moved = bulk.fetch(SETTLE, columns)
    posted = {key: (facility, reference) for key, facility, status, reference in moved if status == "posted"}
    outbox.publish(
        outbox.Published(
            JournalPosted(
                journal_id=key, facility=posted[key][0], erp_reference=posted[key][1],
                charge_ids=tuple(charge_ids),
            ),
            key,
        )
        for key, charge_ids in (bulk.fetch(CHARGES, [list(posted)]) if posted else [])
    )  # fmt: skip
    audit.record("journals.settle", by=by, subject_type="erp.journal", count=len(moved), detail={"posted": len(posted)})
