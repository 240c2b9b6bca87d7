"""Visits: what registration says is followed once, in order, within the moves that the model allows."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from billing.flows import visits
from billing.flows.visits import Standing
from billing.models import Charge, Visit
from billing.visit_words import VisitWords, translate_visits
from hub import access, bulk
from hub.errors import Refused
from hub.ids import uuid7
from hub.models import AuditEntry, ExceptionCase
from hub.routing import Part, Source
from mappings.canonical import VisitEvent
from tests.mappings import network

pytestmark = pytest.mark.django_db
DAY = date(2026, 11, 20)


def part(kind: str, account: str = "A1", *, partner: str = "carebill", facility: str = "RV", **changes: Any) -> Part:
    """An event that was translated already."""
    id_ = uuid7()
    event = VisitEvent(kind=kind, account=account, **{"facility": "RIVER", "happened_on": DAY, **changes})
    source = Source(id_, 0, 1, partner, id_, datetime(2026, 11, 20, 12, tzinfo=UTC))
    return Part(event, source, VisitWords(facility))


def record(*parts: Part) -> int:
    """The verb, as the pipeline calls it."""
    return visits.record(parts, by=access.SYSTEM)


def status(account: str = "A1") -> str:
    """How the account stands in the table."""
    return Visit.objects.get(account=account).status


def charge(account: str = "A1", **changes: Any) -> Charge:
    """A charge that is held."""
    values = {
        "message_id": uuid7(), "part": 0, "partner": "carebill", "correlation_id": uuid7(), "line_key": str(uuid7()),
        "kind": "charge", "status": "held", "hold_code": "MAP_MISSING", "account": account, "quantity": Decimal(1),
        "amount": Decimal("40.50"), "currency": "USD", "service_date": DAY,
        "captured_at": datetime(2026, 11, 20, 12, tzinfo=UTC),
    }  # fmt: skip
    return Charge.objects.create(**{**values, **changes})


def test_an_admission_makes_a_visit() -> None:
    """An A01 of an unknown account makes one row that holds what the event says."""
    event = part("admit", visit="V1", patient_class="I", service="CAR", admitted_on=date(2026, 11, 19))
    assert record(event) == 1
    visit = Visit.objects.get()
    assert (visit.partner, visit.account, visit.facility, visit.visit) == ("carebill", "A1", "RV", "V1")
    assert (visit.patient_class, visit.service, visit.status) == ("I", "CAR", "in_house")
    assert (visit.admitted_on, visit.discharged_on, visit.merged_into) == (date(2026, 11, 19), None, "")


def test_events_act_in_the_order_given() -> None:
    """Admission, discharge, discharge taken back and discharge again, in one batch, end in discharged."""
    events = [
        part("admit"), part("discharge", discharged_on=date(2026, 11, 21)), part("reopen"),
        part("discharge", happened_on=date(2026, 11, 22)),
    ]  # fmt: skip
    assert record(*events) == 1
    visit = Visit.objects.get()
    assert (visit.status, visit.discharged_on) == ("discharged", date(2026, 11, 22))


@pytest.mark.parametrize("kind", ["admit", "discharge", "update", "cancel", "reopen"])
def test_an_event_told_twice_changes_nothing(kind: str) -> None:
    """The second time no row changes, whatever the event, alone or in the same batch."""
    event = part(kind)
    assert record(event, event) == 1
    before = Visit.objects.values().get()
    assert record(event) == 0
    assert Visit.objects.values().get() == before


# Status before, event, status after: every pair.
TRANSITIONS = [
    ("in_house", "admit", "in_house"), ("in_house", "discharge", "discharged"), ("in_house", "update", "in_house"),
    ("in_house", "cancel", "cancelled"), ("in_house", "reopen", "in_house"), ("in_house", "merge", "merged"),
    ("discharged", "admit", "discharged"), ("discharged", "discharge", "discharged"),
    ("discharged", "update", "discharged"), ("discharged", "cancel", "discharged"),
    ("discharged", "reopen", "in_house"), ("discharged", "merge", "merged"),
    ("final_billed", "admit", "final_billed"), ("final_billed", "discharge", "final_billed"),
    ("final_billed", "update", "final_billed"), ("final_billed", "cancel", "final_billed"),
    ("final_billed", "reopen", "final_billed"), ("final_billed", "merge", "final_billed"),
    ("cancelled", "admit", "in_house"), ("cancelled", "discharge", "cancelled"), ("cancelled", "update", "cancelled"),
    ("cancelled", "cancel", "cancelled"), ("cancelled", "reopen", "cancelled"), ("cancelled", "merge", "cancelled"),
    ("merged", "admit", "merged"), ("merged", "discharge", "merged"), ("merged", "update", "merged"),
    ("merged", "cancel", "merged"), ("merged", "reopen", "merged"), ("merged", "merge", "merged"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "kind", "after"), TRANSITIONS)
def test_every_event_meets_every_status(before: str, kind: str, after: str) -> None:
    """An event moves a visit only where it may; nothing is raised, and each move is one of the model's."""
    Visit.objects.create(
        partner="carebill", account="A1", status=before, merged_into="A9" if before == "merged" else ""
    )
    event = part("merge", "A2", merged_account="A1") if kind == "merge" else part(kind)
    record(event)
    assert status() == after
    assert after == before or after in Visit.MOVES[before]


def test_the_table_of_events_is_whole() -> None:
    """Each status of the model meets each kind of event exactly once above."""
    kinds = {"admit", "discharge", "update", "cancel", "reopen", "merge"}
    assert sorted((before, kind) for before, kind, _ in TRANSITIONS) == sorted(
        (before, kind) for before in Visit.STATUSES for kind in kinds
    )


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("admit", "in_house"), ("discharge", "discharged"), ("update", "in_house"), ("cancel", "cancelled"),
     ("reopen", "in_house")],
)  # fmt: skip
def test_a_visit_may_be_heard_of_first_by_any_event(kind: str, expected: str) -> None:
    """An unknown account gets a row with the status that its first event asks for."""
    record(part(kind))
    assert status() == expected


def test_a_correction_after_the_end_tells_of_the_end() -> None:
    """A visit that is first heard of by an update with a discharge date is discharged on that date."""
    record(part("update", discharged_on=date(2026, 11, 18)))
    visit = Visit.objects.get()
    assert (visit.status, visit.discharged_on) == ("discharged", date(2026, 11, 18))


def test_what_an_event_leaves_out_stays() -> None:
    """An update with a class only keeps visit number, service and admission date."""
    record(part("admit", visit="V1", patient_class="O", service="CAR"), part("update", patient_class="I", facility=""))
    visit = Visit.objects.get()
    assert (visit.visit, visit.patient_class, visit.service, visit.admitted_on) == ("V1", "I", "CAR", DAY)


def test_an_event_that_is_ignored_is_in_the_audit_entry() -> None:
    """The entry counts the events and names the message whose event came at the wrong time, without its account."""
    late = part("cancel", "ACCOUNT77")
    record(part("admit", "ACCOUNT77"), part("discharge", "ACCOUNT77"), late)
    entry = AuditEntry.objects.get(verb="visits.record")
    assert entry.count == 1
    assert entry.detail == {
        "events": {"admit": 1, "discharge": 1, "cancel": 1},
        "ignored": {"cancel after discharged": [str(late.source.message_id)]},
    }


def test_a_merge_names_the_account_that_goes_on() -> None:
    """The old account is merged into the survivor; the survivor gets no row and charges stay where they are."""
    one = charge("OLD")
    record(part("admit", "OLD"), part("merge", "NEW", merged_account="OLD"))
    old = Visit.objects.get()
    assert (old.account, old.status, old.merged_into) == ("OLD", "merged", "NEW")
    one.refresh_from_db()
    assert one.account == "OLD"


def test_a_merge_of_an_unknown_account_is_kept() -> None:
    """Late charges of an account that nobody told of are re-keyed too."""
    record(part("merge", "NEW", merged_account="OLD"))
    assert visits.standing([("carebill", "OLD")]) == {("carebill", "OLD"): Standing("merged", "NEW", "RV")}


def test_standing_follows_a_chain_of_merges() -> None:
    """An account that was merged twice stands as the account at the end of the chain does."""
    record(part("admit", "C"), part("discharge", "C"), part("merge", "B", merged_account="A"))
    record(part("merge", "C", merged_account="B"))
    found = visits.standing([("carebill", "A"), ("carebill", "B"), ("carebill", "C")])
    assert found == {
        ("carebill", "A"): Standing("discharged", "C", "RV"),
        ("carebill", "B"): Standing("discharged", "C", "RV"),
        ("carebill", "C"): Standing("discharged", "", "RV"),
    }


@pytest.mark.parametrize("together", [True, False])
def test_merges_never_go_round(together: bool) -> None:
    """A into B, B into C and then C into A: the last is ignored, in one batch and in three."""
    events = [part("merge", into, merged_account=gone) for into, gone in (("B", "A"), ("C", "B"), ("A", "C"))]
    for batch in [events] if together else [[event] for event in events]:
        record(*batch)
    assert visits.standing([("carebill", "A")])["carebill", "A"].merged_into == "C"
    assert not Visit.objects.filter(account="C", status="merged").exists()


def test_standing_takes_one_query_and_knows_partners_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many accounts are asked for; one partner's account is not another's; unknown ones are left out."""
    record(part("admit", "A1"), part("cancel", "A1", partner="other"), part("admit", "A2"))
    asked = [("carebill", "A1"), ("other", "A1"), ("carebill", "A2"), ("carebill", "A3"), ("other", "A2")]
    statements = []
    fetch = bulk.fetch
    monkeypatch.setattr(bulk, "fetch", lambda *arguments: statements.append(arguments) or fetch(*arguments))
    found = visits.standing(asked)
    assert len(statements) == 1
    assert found == {
        ("carebill", "A1"): Standing("in_house", "", "RV"),
        ("other", "A1"): Standing("cancelled", "", "RV"),
        ("carebill", "A2"): Standing("in_house", "", "RV"),
    }
    assert visits.standing([]) == {}


def test_a_cancelled_visit_with_charges_opens_a_case() -> None:
    """One case for revenue cycle with the money at stake; the account number is not in it; told again it stays one."""
    charge("ACCOUNT77")
    charge("ACCOUNT77")
    charge("ACCOUNT77", partner="other")
    record(part("admit", "ACCOUNT77"))
    assert ExceptionCase.objects.count() == 0
    cancel = part("cancel", "ACCOUNT77")
    record(cancel)
    record(cancel)
    case = ExceptionCase.objects.get()
    assert (case.code, case.owner, case.amount) == ("VISIT_CANCELLED_WITH_CHARGES", "revenue_cycle", Decimal("81.00"))
    assert (case.facility, case.partner, case.message_id) == ("RV", "carebill", cancel.source.message_id)
    assert (case.seen, case.title) == (1, "A visit was cancelled that has 2 charges")
    assert "ACCOUNT77" not in f"{case.subject} {case.title} {case.text} {case.data}"


def test_a_cancelled_visit_without_charges_opens_none() -> None:
    """Duplicates, rejected and waived lines are no charges either."""
    for state in ("duplicate", "rejected", "waived"):
        charge(status=state, hold_code="")
    record(part("admit"), part("cancel"))
    assert status() == "cancelled"
    assert ExceptionCase.objects.count() == 0


def test_a_cancel_that_is_taken_back_in_the_same_batch_opens_none() -> None:
    """Admitted again before anybody looked: there is nothing to review."""
    charge()
    record(part("admit"), part("cancel"), part("admit"))
    assert status() == "in_house"
    assert ExceptionCase.objects.count() == 0


def test_a_final_bill_and_a_rebill() -> None:
    """The final bill has its date; a rebill opens the account again; both are refused where the model says no."""
    record(part("admit"))
    visit = visits.final_bill(Visit.objects.get(), on=DAY, by=access.SYSTEM)
    assert visits.standing([("carebill", "A1")]) == {("carebill", "A1"): Standing("final_billed", "", "RV", DAY)}
    with pytest.raises(Refused):
        visits.final_bill(visit, on=DAY, by=access.SYSTEM)
    visits.rebill(visit, reason="late implant charge", by=access.SYSTEM)
    visit.refresh_from_db()
    assert (visit.status, visit.final_billed_on) == ("discharged", None)
    with pytest.raises(Refused):
        visits.rebill(visit, reason="again", by=access.SYSTEM)
    assert list(
        AuditEntry.objects.filter(verb__in=["visits.final_bill", "visits.rebill"]).values_list("verb", flat=True)
    ) == [
        "visits.final_bill",
        "visits.rebill",
    ]


def test_a_facility_is_told_in_our_words() -> None:
    """A mapped facility code becomes ours, an unknown one is missing, none at all is no reason to wait."""
    network.build()
    known, unknown, none = part("admit"), part("admit"), part("admit")
    unknown.document = VisitEvent(kind="admit", account="A2", facility="NOWHERE", happened_on=DAY)
    none.document = VisitEvent(kind="admit", account="A3", happened_on=DAY)
    translate_visits([known, unknown, none])
    assert known.missing == none.missing == ()
    assert (known.words, none.words) == (VisitWords("RIVER"), VisitWords(""))
    assert unknown.words is None  # this partner shares our facility codes, and we have no such facility
    assert [(code.domain, code.code, code.case) for code in unknown.missing] == [("facility", "NOWHERE", "MAP_MISSING")]


def test_nothing_to_record_is_fine() -> None:
    """An empty batch changes nothing."""
    assert record() == 0
    assert Visit.objects.count() == 0
