"""Journeys: what is late opens one case, once; the last to come through closes it; in time nothing is written."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from hub import access, bulk, cases, ids, journeys, lateness, outbox, pipeline, promises, tasks
from hub.models import BusinessCalendar, Deadline, Delivery, Endpoint, ExceptionCase, Fact, Overdue, Partner
from hub.routing import Journey, registry
from tests import world
from tests.world import dft, ft1

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
ALLOCATED, POSTED = "charge_to_cost.cost_allocated", "charge_to_cost.journal_posted"


@pytest.fixture
def door() -> Endpoint:
    """A feed's door into the small network."""
    world.masters()
    made = world.billing()
    tasks.ensure_lanes()
    return made


@pytest.fixture
def ledger(door: Endpoint) -> Endpoint:
    """An ERP that nobody calls in these tests: what goes there waits."""
    partner = Partner.objects.create(code="summit", name="Summit ERP", kind="erp")
    made = Endpoint.objects.create(
        partner=partner, code="summit", name="Summit ERP", direction="out", format="rest_ledger", transport="http"
    )
    tasks.ensure_lanes()
    return made


def charges(number: int, department: str = "EP") -> None:
    """So many charges, captured; the ledger has not heard of them."""
    first = Fact.objects.count()
    lines = [dft(f"M{first + n}", f"A{first + n}", ft1(f"T{first + n}", "STENT", "1", "2000", department))
             for n in range(number)]  # fmt: skip
    assert world.receive(*lines) == ["AA"] * number
    pipeline.drain()


def after(span: timedelta) -> datetime:
    """So long after now."""
    return timezone.now() + span


def late(step: str = ALLOCATED) -> int:
    """How many are late in a step."""
    return Overdue.objects.filter(step=step, over_at=None, late_at__isnull=False).count()


def test_a_journey_whose_deadline_passes_opens_one_case_once(door: Endpoint) -> None:
    """Five charges whose cost is not allocated in time are one case with their money, however often it is looked."""
    charges(5)
    lateness.look(after(14 * MINUTE))
    assert (ExceptionCase.objects.count(), Overdue.objects.count()) == (0, 0)
    for minutes in (16, 17, 18, 90):
        lateness.look(after(minutes * MINUTE))
    case = ExceptionCase.objects.get()
    assert (case.code, case.owner, case.facility, case.status) == ("JOURNEY_LATE", "finance", "RIVER", "open")
    assert (case.amount, case.currency, case.seen) == (Decimal(10000), "USD", 1)
    assert "5 items late at RIVER, worth $10,000.00" in case.text
    assert "promised 15 min after the step began" in case.text
    row = Overdue.objects.filter(case=case).order_by("pk").first()
    assert row is not None
    assert (row.step, row.facility, row.department, row.amount) == (ALLOCATED, "RIVER", "R110", Decimal(2000))
    fact = Fact.objects.get(pk=row.fact_id)
    assert (row.correlation_id, row.message_id, row.since) == (fact.correlation_id, fact.message_id, fact.published_at)
    assert late() == 5


def test_the_case_closes_by_itself_with_the_last_late_one(door: Endpoint) -> None:
    """While one is late the case is open and tells of what is left; then it is over, and so are its rows."""
    charges(3)
    lateness.look(after(16 * MINUTE))
    held = list(Delivery.objects.filter(route="journals.allocate").order_by("id"))
    Delivery.objects.filter(pk__in=[one.pk for one in held[:2]]).update(status="delivered")
    lateness.look(after(17 * MINUTE))
    case = ExceptionCase.objects.get()
    assert (case.status, case.amount, late()) == ("open", Decimal(2000), 1)
    outbox.drain()
    lateness.look(after(18 * MINUTE))
    case.refresh_from_db()
    assert (case.status, case.reason) == ("resolved", "The last one that was late came through.")
    assert Overdue.objects.filter(step=ALLOCATED, over_at__isnull=False).count() == 3
    assert ExceptionCase.objects.count() == 1


def test_an_erp_that_is_away_for_a_night_is_one_case(ledger: Endpoint) -> None:
    """Forty journals that wait have one cause, one case, and forty members with the message that each comes from."""
    charges(40)
    outbox.drain()
    lateness.look(after(5 * HOUR))
    case = ExceptionCase.objects.get()
    assert (case.data["step"], case.data["late"], case.facility) == (POSTED, 40, "RIVER")
    assert case.amount == 40 * Decimal("850.25")
    assert Overdue.objects.filter(case=case, message_id__isnull=False).count() == 40


def test_what_is_in_time_leaves_no_row_and_what_was_watched_is_forgotten(door: Endpoint) -> None:
    """A shorter deadline elsewhere makes them watched; they come through in time, and nothing is kept of it."""
    Deadline.objects.create(step=ALLOCATED, facility="NORTH", minutes=1)
    charges(4)
    lateness.look(after(5 * MINUTE))
    assert (Overdue.objects.count(), late()) == (4, 0)
    outbox.drain()
    lateness.look(after(6 * MINUTE))
    assert (Overdue.objects.count(), ExceptionCase.objects.count()) == (0, 0)


def test_F_O2_what_is_committed_late_is_found_all_the_same(door: Endpoint) -> None:
    """A delivery that appears after a look, with an id older than all that the look saw, is late like any other."""
    charges(2)
    lateness.look(after(20 * MINUTE))
    assert late() == 2
    old = Delivery.objects.order_by("id")[0]
    bulk.run(
        'INSERT INTO hub_delivery (id, fact_id, route, key, lane, "group", weight, status, attempts, problem_code,'
        " problem) SELECT %s, fact_id, route, key, lane, \"group\", weight, 'pending', 0, '', '' FROM hub_delivery"
        " WHERE id = %s",
        [type(old.pk)(int=old.pk.int - (1 << 80)), old.pk],
    )
    lateness.look(after(21 * MINUTE))
    assert late() == 3
    assert ExceptionCase.objects.count() == 1


def test_the_most_specific_deadline_counts(door: Endpoint) -> None:
    """A department's before its facility's before the journey's own; what has its own deadline has its own case."""
    Deadline.objects.create(step=ALLOCATED, facility="RIVER", minutes=60)
    Deadline.objects.create(step=ALLOCATED, facility="RIVER", department="R140", minutes=5)
    Deadline.objects.create(step=ALLOCATED, minutes=1, active=False)
    charges(2)
    charges(3, "OR")
    lateness.look(after(10 * MINUTE))
    assert late() == 3
    assert ExceptionCase.objects.get().title == "Late: Charge to cost: Cost allocated at RIVER R140"
    lateness.look(after(61 * MINUTE))
    assert late() == 5
    assert sorted(ExceptionCase.objects.values_list("amount", flat=True)) == [Decimal(4000), Decimal(6000)]


def test_a_deadline_in_business_hours_waits_for_monday(door: Endpoint) -> None:
    """Nobody works these days: nothing is late, whatever the clock says; then the calendar is taken off."""
    today = timezone.localdate()
    holidays = "\n".join(str(today + timedelta(days=days)) for days in range(-2, 4))
    office = BusinessCalendar.objects.create(name="Office", hours="mon-sun 00:00-24:00", holidays=holidays)
    Deadline.objects.create(step=ALLOCATED, minutes=10, calendar=office)
    charges(1)
    lateness.look(after(20 * HOUR))
    assert late() == 0
    Deadline.objects.update(calendar=None)
    lateness.look(after(20 * HOUR))
    assert late() == 1


def test_a_deadline_that_is_made_longer_takes_its_rows_back(door: Endpoint) -> None:
    """They are late no more, and the case is over; with the shorter one again they are."""
    deadline = Deadline.objects.create(step=ALLOCATED, facility="RIVER", minutes=5)
    charges(2)
    lateness.look(after(10 * MINUTE))
    assert late() == 2
    Deadline.objects.filter(pk=deadline.pk).update(minutes=500)
    lateness.look(after(11 * MINUTE))
    assert late() == 0
    assert ExceptionCase.objects.get().status == "resolved"
    Deadline.objects.filter(pk=deadline.pk).update(minutes=5)
    lateness.look(after(12 * MINUTE))
    assert (late(), ExceptionCase.objects.filter(status="open").count()) == (2, 1)


def test_a_waived_case_keeps_quiet_about_its_members_and_no_others(door: Endpoint) -> None:
    """What a person let be stays so; what is late afterwards is another case."""
    charges(2)
    lateness.look(after(20 * MINUTE))
    case = ExceptionCase.objects.get()
    cases.waive(case, reason="The ledger is being moved.", by=access.SYSTEM)
    lateness.look(after(21 * MINUTE))
    assert ExceptionCase.objects.count() == 1
    charges(1)
    lateness.look(after(40 * MINUTE))
    fresh = ExceptionCase.objects.get(status="open")
    assert Overdue.objects.filter(case=fresh).count() == 1
    assert Overdue.objects.filter(case=case).count() == 2


def test_a_case_that_is_resolved_too_early_comes_back(door: Endpoint) -> None:
    """Nobody owns what is still late otherwise."""
    charges(2)
    lateness.look(after(20 * MINUTE))
    cases.resolve(ExceptionCase.objects.get(), reason="It will be done.", by=access.SYSTEM)
    lateness.look(after(21 * MINUTE))
    fresh = ExceptionCase.objects.get(status="open")
    assert Overdue.objects.filter(case=fresh).count() == 2


def test_a_backlog_larger_than_a_batch_is_filed_whole(door: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batch by batch in one look; what a look does not manage is left to the next."""
    monkeypatch.setattr(journeys, "BATCH", 2)
    monkeypatch.setattr(journeys, "MOST_BATCHES", 2)
    charges(7)
    lateness.look(after(20 * MINUTE))
    assert late() == 4
    lateness.look(after(21 * MINUTE))
    assert (late(), ExceptionCase.objects.get().data["late"]) == (7, 7)


def test_what_is_in_time_is_not_even_read(door: Endpoint) -> None:
    """The look for new late ones goes by the partial indexes of what is unsettled, and by no whole table."""
    charges(3)
    outbox.drain()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        params: dict[str, Any] = {"route": "journals.allocate", "before": Delivery.objects.latest("id").pk}
        cursor.execute(f"EXPLAIN {journeys.NEW}", {**params, "step": ALLOCATED, "most": 5000})
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "Seq Scan on hub_delivery" not in plan
    scans = [line for line in plan.splitlines() if "hub_delivery" in line and "Scan" in line]
    assert scans
    assert not [line for line in scans if "pkey" in line]


def test_every_step_is_heard_by_a_route_and_no_fact_is_invented() -> None:
    """A milestone whose fact does not exist is not registered."""
    assert [journey.name for journey in registry.of(Journey)] == ["charge_to_cost"]
    for step in promises.steps():
        assert registry.heard_by(step.milestone.by), step.name


# --- what staff enter ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"time_zone": "Mars/Olympus"}, "no time zone"),
        ({"hours": "whenever"}, "names no hours"),
        ({"holidays": "Easter"}, "does not begin with a day"),
    ],
)
def test_a_calendar_that_cannot_be_read_is_refused_beside_its_field(changes: dict[str, str], said: str) -> None:
    """And nothing is saved."""
    with pytest.raises(ValidationError, match=said) as refused:
        BusinessCalendar(**{"name": "Office", **changes}).full_clean()
    assert list(refused.value.message_dict) == list(changes)


def test_the_database_refuses_a_deadline_that_makes_no_sense() -> None:
    """No time at all, a department of nowhere, two for one place."""
    for wrong in ({"minutes": 0}, {"minutes": 5, "department": "R110"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Deadline.objects.create(step=ALLOCATED, **wrong)
    Deadline.objects.create(step=ALLOCATED, facility="RIVER", minutes=5)
    with pytest.raises(IntegrityError), transaction.atomic():
        Deadline.objects.create(step=ALLOCATED, facility="RIVER", minutes=6)


def test_a_late_row_is_one_and_is_over_only_when_it_was_late() -> None:
    """The constraints hold against whoever writes round the look."""
    row: dict[str, Any] = {"step": ALLOCATED, "subject_id": ids.uuid7(), "since": timezone.now()}
    with pytest.raises(IntegrityError), transaction.atomic():
        Overdue.objects.create(**row, over_at=timezone.now())
    Overdue.objects.create(**row)
    with pytest.raises(IntegrityError), transaction.atomic():
        Overdue.objects.create(**row)
