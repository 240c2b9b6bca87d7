"""Two people make a mapping: propose, approve, reject, retire, and what is released."""

import threading
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from hub import cases, ids
from hub.access import SYSTEM, Actor
from hub.errors import HubError, NotAllowed, Refused
from hub.models import AuditEntry, Endpoint, Message, Partner, Waiting
from mappings import crosswalk
from mappings.flows import mappings
from mappings.models import Department, Mapping
from tests.mappings import network
from tests.mappings.conftest import make

DAY = date(2026, 11, 20)


def propose(by: Actor, **changes: Any) -> Mapping:
    """CATHLAB2 of RIVER is R110, with some changes."""
    said = {
        "partner": "carebill", "domain": "department", "facility": "RIVER", "source_code": "CATHLAB2",
        "target_code": "R110", "reason": "The second laboratory",
    }  # fmt: skip
    return mappings.propose(**{**said, **changes}, by=by)


def held(partner: Partner, code: str = "CATHLAB2", facility: str = "RIVER", domain: str = "department") -> Message:
    """A held message whose two lines wait for this code, 150 dollars each."""
    endpoint, _ = Endpoint.objects.get_or_create(
        code="door", defaults={"partner": partner, "direction": "in", "format": "hl7v2", "transport": "mllp"}
    )
    message = Message.objects.create(
        endpoint=endpoint, received_at=timezone.now(), control_id=str(ids.uuid7()), kind="DFT^P03", key="A1", lane=1,
        status="held", attempts=1, correlation_id=ids.uuid7(), sha256=b"", raw=b"", parts=2,
    )  # fmt: skip
    subject = f"mapping:{partner.code}:{domain}:{facility}:{code}"
    new = cases.NewCase(
        code="MAP_MISSING", subject=subject, title=code, text="", owner="finance", partner=partner.code,
        data={"partner": partner.code, "domain": domain, "facility": facility, "code": code},
    )  # fmt: skip
    case = cases.open_many([new], by=SYSTEM)["MAP_MISSING", subject]
    Waiting.objects.bulk_create(
        Waiting(case_id=case, message_id=message.pk, part=part, key="A1", label="x", amount=150, currency="USD",
                since=timezone.now())
        for part in (0, 1)
    )  # fmt: skip
    return message


def status(message: Message) -> str:
    """What is stored of a message."""
    return Message.objects.get(pk=message.pk).status


def test_approval_by_somebody_else_puts_it_in_force_and_releases_what_waited(
    carebill: Partner, author: Actor, approver: Actor
) -> None:
    """After propose and approve the code means something, the held message is back in the queue, all in the audit."""
    message, other = held(carebill), held(carebill, "EPLAB")
    mapping = propose(author)
    assert (mapping.status, status(message)) == ("proposed", "held")
    assert mappings.impact(mapping) == mappings.Impact(1, 2, {"USD": Decimal(300)})
    approval = mappings.approve(mapping, by=approver)
    assert (approval.mapping.status, approval.released, len(approval.cases)) == ("approved", 1, 1)
    assert (status(message), status(other)) == ("received", "held")
    request = crosswalk.CodeRequest("carebill", "department", "CATHLAB2", DAY, "RIVER")
    assert crosswalk.translate([request]) == [crosswalk.Meaning("R110")]
    verbs = AuditEntry.objects.exclude(verb="cases.open").values_list("verb", "actor")
    assert sorted(verbs) == [
        ("cases.release", "abe.approver"),
        ("mappings.approve", "abe.approver"),
        ("mappings.propose", "fay.finance"),
    ]
    assert [row.status for row in mapping.history.order_by("history_id")] == ["proposed", "approved"]


@pytest.mark.parametrize(
    ("code", "facility", "mapped", "limited_to", "back"),
    [
        ("CATHLAB2", "RIVER", "CATHLAB2", "", "received"),  # a general mapping covers a facility's case
        ("CATHLAB2", "", "CATHLAB2", "RIVER", "received"),  # and a facility's one a case that names none
        ("CATHLAB2", "NORTH", "CATHLAB2", "RIVER", "held"),
        ("CATHLAB2", "RIVER", "*", "RIVER", "received"),  # the default row covers every code
        ("CATHLAB2", "NORTH", "*", "RIVER", "held"),
    ],
)
def test_what_a_mapping_covers(
    carebill: Partner, author: Actor, approver: Actor, code: str, facility: str, mapped: str, limited_to: str, back: str
) -> None:
    """A mapping releases the cases that it answers, and no others."""
    message = held(carebill, code, facility)
    mappings.approve(propose(author, source_code=mapped, facility=limited_to), by=approver)
    assert status(message) == back


def test_the_same_proposal_is_the_same_row(author: Actor, approver: Actor) -> None:
    """Proposing twice makes one row, also after it was approved."""
    first = propose(author)
    assert propose(author).pk == first.pk
    mappings.approve(first, by=approver)
    assert propose(author).pk == first.pk
    assert Mapping.objects.filter(source_code="CATHLAB2").count() == 1


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"target_code": "R999"}, "MAP_TARGET", "There is no department 'R999' at RIVER"),
    ({"target_code": "N110"}, "MAP_TARGET", "There is no department 'N110' at RIVER"),
    ({"partner": "nobody"}, "MAP_PARTNER", "nobody"),
    ({"domain": "colour"}, "MAP_DOMAIN", "colour"),
    ({"source_code": " "}, "MAP_SOURCE", "map the default code"),
    ({"source_code": "x" * 121}, "MAP_LENGTH", "120 characters"),
    ({"source_code": "a\rb"}, "MAP_CHARACTERS", "control character"),
    ({"valid_from": DAY, "valid_to": date(2026, 11, 19)}, "MAP_DATES", "before it begins"),
    ({"source_code": "CATHLAB"}, "", ""),  # in force already: the same row
    ({"source_code": "CATHLAB", "valid_from": DAY}, "MAP_OVERLAP", "in force from 2000-01-01 with no end"),
    ({"domain": "uom", "target_code": "PACKET"}, "MAP_TARGET", "no unit of measure"),
]


@pytest.mark.parametrize(("changes", "code", "text"), REFUSED)
def test_a_proposal_that_cannot_be_is_refused(author: Actor, changes: dict[str, Any], code: str, text: str) -> None:
    """Wrong targets, dates, overlaps and domains are refused with a sentence, and no row is made."""
    before = Mapping.objects.count()
    if code:
        with pytest.raises(Refused) as refusal:
            propose(author, **changes)
        assert refusal.value.code == code
        assert text in refusal.value.text
    else:
        assert propose(author, **changes).status == "approved"
    assert Mapping.objects.count() == before


def test_a_target_that_was_retired_in_between_is_refused_at_approval(author: Actor, approver: Actor) -> None:
    """What was good when it was proposed is looked at again when it is approved."""
    mapping = propose(author)
    Department.objects.filter(code="R110").update(active=False)
    with pytest.raises(Refused, match="is inactive"):
        mappings.approve(mapping, by=approver)
    mapping.refresh_from_db()
    assert mapping.status == "proposed"


def test_nobody_approves_their_own_proposal_not_even_a_superuser(carebill: Partner) -> None:
    """The proposer is refused by the verb, whatever rights they have, and so is the system."""
    root = make("root", "finance", "*", is_superuser=True)
    mapping = propose(root)
    for by in (root, SYSTEM):
        with pytest.raises(NotAllowed, match="somebody else"):
            mappings.approve(mapping, by=by)
    mapping.refresh_from_db()
    assert mapping.status == "proposed"


def test_the_database_refuses_an_approval_by_the_proposer(author: Actor) -> None:
    """An UPDATE that goes round the verb is stopped by a constraint."""
    mapping = propose(author)
    with pytest.raises(IntegrityError, match="mapping_approver_is_not_proposer"), transaction.atomic():
        Mapping.objects.filter(pk=mapping.pk).update(
            status="approved", approved_by=mapping.proposed_by, approved_at=timezone.now()
        )
    with pytest.raises(IntegrityError, match="mapping_in_force_has_an_approver"), transaction.atomic():
        Mapping.objects.filter(pk=mapping.pk).update(status="approved")


def test_each_verb_needs_its_permission(carebill: Partner, author: Actor) -> None:
    """An auditor may do none of it, the system proposes nothing."""
    mapping = propose(author)
    auditor = make("ada.auditor", "auditor", "*")
    attempts: list[Callable[[], Any]] = [
        lambda: propose(auditor),
        lambda: propose(SYSTEM),
        lambda: mappings.approve(mapping, by=auditor),
        lambda: mappings.reject(mapping, reason="no", by=auditor),
        lambda: mappings.retire(mapping, on=DAY, reason="no", by=auditor),
    ]
    for attempt in attempts:
        with pytest.raises(NotAllowed):
            attempt()
    mapping.refresh_from_db()
    assert mapping.status == "proposed"


def test_who_sees_one_facility_maps_for_that_one_only(carebill: Partner) -> None:
    """Somebody of NORTH maps nothing of RIVER, and nothing for the whole network."""
    north = make("ned.north", "finance", "NORTH")
    for changes in ({}, {"facility": ""}):
        with pytest.raises(NotAllowed) as refusal:
            propose(north, **changes)
        assert refusal.value.code == "ACCESS_FACILITY"
    assert propose(north, facility="NORTH", target_code="N110").status == "proposed"


def test_a_rejected_proposal_releases_nothing_and_keeps_the_reason(
    carebill: Partner, author: Actor, approver: Actor
) -> None:
    """Turning a proposal down needs a reason, and moves nothing else."""
    message, mapping = held(carebill), propose(author)
    with pytest.raises(Refused, match="reason"):
        mappings.reject(mapping, reason=" ", by=approver)
    assert mappings.reject(mapping, reason="Wrong room", by=approver).reason == "Wrong room"
    assert (mapping.status, status(message)) == ("rejected", "held")
    with pytest.raises(Refused, match="rejected"):
        mappings.approve(mapping, by=approver)


def test_a_retired_mapping_still_explains_the_days_before(author: Actor, approver: Actor) -> None:
    """From the day of its retirement a code has no meaning any more; before that day it keeps it."""
    mapping = mappings.approve(propose(author), by=approver).mapping
    mappings.retire(mapping, on=DAY, reason="Closed", by=author)
    days = (date(2026, 11, 19), DAY)
    found = crosswalk.translate([crosswalk.CodeRequest("carebill", "department", "CATHLAB2", d, "RIVER") for d in days])
    assert [isinstance(answer, crosswalk.Meaning) for answer in found] == [True, False]


def test_a_mapping_that_was_wrong_from_the_start_is_withdrawn(author: Actor, approver: Actor) -> None:
    """Retired from its first day on it speaks for no day, and another one can take its place."""
    mapping = mappings.approve(propose(author, valid_from=DAY), by=approver).mapping
    mappings.retire(mapping, on=DAY, reason="Wrong", by=author)
    (found,) = crosswalk.translate([crosswalk.CodeRequest("carebill", "department", "CATHLAB2", DAY, "RIVER")])
    assert not isinstance(found, crosswalk.Meaning)
    assert mappings.approve(propose(author), by=approver).mapping.status == "approved"


def test_what_ends_by_itself_is_not_retired_later(author: Actor, approver: Actor) -> None:
    """A day after the mapping's own end is refused."""
    mapping = mappings.approve(propose(author, valid_to=DAY), by=approver).mapping
    with pytest.raises(Refused, match="ends by itself"):
        mappings.retire(mapping, on=date(2026, 12, 1), reason="x", by=author)


def race(*attempts: Callable[[], Any]) -> list[Any]:
    """All of them at the same moment, each on its own connection; results or errors."""
    start = threading.Barrier(len(attempts))
    results: list[Any] = [None] * len(attempts)

    def run(number: int) -> None:
        try:
            start.wait(10)
            results[number] = attempts[number]()
        except HubError as error:
            results[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(attempts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


@pytest.fixture
def people(transactional_db: None) -> tuple[Actor, Actor, Actor]:
    """An author and two approvers, committed, so that threads see them."""
    network.build()
    return (
        make("fay.finance", "finance", "*"),
        make("abe.approver", "approver", "*"),
        make("amy.approver", "approver", "*"),
    )


def test_two_approvers_at_once_approve_once(people: tuple[Actor, Actor, Actor]) -> None:
    """One of them wins, the other one reads that it moved; what waited was released once."""
    author, *approvers = people
    message = held(Partner.objects.get())
    mapping = propose(author)
    results = race(*(lambda by=by: mappings.approve(Mapping.objects.get(pk=mapping.pk), by=by) for by in approvers))
    assert sorted(type(result).__name__ for result in results) == ["Approval", "Refused"]
    assert status(message) == "received"
    assert AuditEntry.objects.filter(verb="mappings.approve").count() == 1


def test_two_meanings_approved_at_once_leave_one(people: tuple[Actor, Actor, Actor]) -> None:
    """Two proposals of one code cannot both come in force: the second approval names the first."""
    author, *approvers = people
    Department.objects.create(
        code="R120", name="EP", facility=Department.objects.get(code="R110").facility,
        cost_center=Department.objects.get(code="R110").cost_center,
    )  # fmt: skip
    both = [propose(author, target_code=code) for code in ("R110", "R120")]
    results = race(
        *(lambda row=row, by=by: mappings.approve(row, by=by) for row, by in zip(both, approvers, strict=True))
    )
    (refused,) = [result for result in results if isinstance(result, Refused)]
    assert refused.code == "MAP_OVERLAP"
    assert Mapping.objects.filter(source_code="CATHLAB2", status="approved").count() == 1


def test_the_same_proposal_by_two_people_at_once_is_one_row(people: tuple[Actor, Actor, Actor]) -> None:
    """Two who press at the same moment find themselves on one row."""
    author = people[0]
    first, second = race(lambda: propose(author), lambda: propose(author))
    assert first.pk == second.pk


def test_an_approval_that_waits_behind_another_one_reads_why_it_lost(people: tuple[Actor, Actor, Actor]) -> None:
    """The second approver passes every look before the first one has committed: the database still lets one through."""
    author, first, second = people
    one, other = propose(author, valid_from=DAY), propose(author)
    approved, result = threading.Event(), []

    def behind() -> None:
        approved.wait(10)
        try:
            mappings.approve(other, by=second)
        except Refused as refusal:
            result.append(refusal.code)
        finally:
            connection.close()

    thread = threading.Thread(target=behind)
    thread.start()
    with transaction.atomic():
        mappings.approve(one, by=first)
        approved.set()
        for _ in range(1000):  # until the other approval stands behind this one's lock
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(0.01), count(*) FROM pg_locks WHERE NOT granted")
                if cursor.fetchone()[1]:
                    break
    thread.join(30)
    assert result == ["MAP_OVERLAP"]
    assert Mapping.objects.get(pk=other.pk).status == "proposed"
