"""Mappings over the API: two people, one meaning, and what waited for it; suggestions; the question about a code."""

from typing import Any

import pytest

from hub.models import AuditEntry, ExceptionCase, Message
from mappings.models import CostCenter, Mapping
from tests.hub.api import rows
from tests.mappings import network

pytestmark = pytest.mark.django_db
VIEW = ("mappings.view_mapping", "hub.view_exceptioncase")
MASTERS = tuple(
    f"mappings.view_{name}" for name in ("costcenter", "glaccount", "department", "item", "facility", "serviceline")
)
PROPOSAL = {
    "partner": "carebill", "domain": "department", "source_code": "CATH2", "target_code": "R110", "facility": "RIVER",
    "reason": "the new laboratory",
}  # fmt: skip


@pytest.fixture(autouse=True)
def hospitals() -> Any:
    """Two hospitals and a billing partner."""
    return network.build()


def person(*verbs: str, facility: str = "*") -> rows.Caller:
    """Somebody who may look at mappings and use these verbs on them."""
    return rows.Caller(rows.user(*VIEW, *(f"mappings.{verb}_mapping" for verb in verbs), facility=facility))


def held_case() -> ExceptionCase:
    """Two messages of RIVER wait because CATH2 means nothing yet."""
    data = {"partner": "carebill", "domain": "department", "facility": "RIVER", "code": "CATH2", "text": ""}
    return rows.case("RIVER", 4, subject="mapping:carebill:department:RIVER:CATH2", data=data, partner="carebill")


def test_one_proposes_another_approves_and_what_waited_goes_on() -> None:
    """201 with its place; approving it releases the held messages in the same call."""
    held_case()
    proposed = person("propose").post("/mappings/propose", PROPOSAL)
    assert proposed.status_code == 201, proposed.content
    body = proposed.json()
    assert proposed.headers["Location"] == f"/api/v1/mappings/{body['id']}"
    assert (body["status"], body["target_code"], body["approved_by"]) == ("proposed", "R110", None)
    approver = person("approve")
    impact = approver.get(f"/mappings/{body['id']}/impact").json()
    assert impact == {"messages": 2, "lines": 4, "amount": {"USD": "42.0000"}}
    approved = approver.post(f"/mappings/{body['id']}/approve")
    assert (approved.status_code, approved.json()["status"]) == (200, "approved")
    assert approved.json()["approved_by"] == approver.user.username
    assert Message.objects.filter(status="received").count() == 2


def test_nobody_approves_what_they_proposed() -> None:
    """Not in the browser and not with a key of the same account; nothing moved."""
    both = person("propose", "approve")
    made = both.post("/mappings/propose", PROPOSAL).json()["id"]
    machine = rows.Caller(both.user, "mappings.*")
    for caller in (both, machine):
        answer = caller.post(f"/mappings/{made}/approve")
        assert (answer.status_code, answer.json()["code"]) == (403, "MAP_FOUR_EYES")
    assert Mapping.objects.get(pk=made).status == "proposed"


@pytest.mark.parametrize(
    ("change", "status", "field_or_code"),
    [
        ({"target_code": "NO-SUCH"}, 409, "MAP_TARGET"),
        ({"partner": "nobody"}, 409, "MAP_PARTNER"),
        ({"domain": "colour"}, 400, "domain"),
        ({"source_code": ""}, 400, "source_code"),
        ({"valid_from": "1.1.2026"}, 400, "valid_from"),
        ({"status": "approved"}, 400, "status"),
        ({"approved_by": "me"}, 400, "approved_by"),
    ],
)
def test_a_proposal_that_cannot_be_is_refused(change: dict[str, str], status: int, field_or_code: str) -> None:
    """The body's mistakes are 400 by field, the rules' refusals 409 by code; no row is made."""
    before = Mapping.objects.count()
    answer = person("propose").post("/mappings/propose", PROPOSAL | change)
    assert answer.status_code == status
    told = answer.json()
    assert field_or_code in (told["code"], *(error["field"] for error in told.get("errors", ())))
    assert Mapping.objects.count() == before


def test_a_proposal_is_rejected_and_an_approved_mapping_retired() -> None:
    """Both with a reason, both audited."""
    made = person("propose").post("/mappings/propose", PROPOSAL).json()["id"]
    approver = person("approve", "retire")
    assert approver.post(f"/mappings/{made}/reject", {"reason": "wrong unit"}).json()["status"] == "rejected"
    known = Mapping.objects.get(source_code="EMER").pk
    retired = approver.post(f"/mappings/{known}/retire", {"on": "2026-11-01", "reason": "moved"}).json()
    assert (retired["status"], retired["valid_to"]) == ("retired", "2026-10-31")
    assert set(AuditEntry.objects.values_list("verb", flat=True)) >= {"mappings.reject", "mappings.retire"}


def test_mappings_are_found_by_code_domain_and_status() -> None:
    """Each filter shows its own."""
    looker = person()
    for query in ({"source_code": "EMER"}, {"target_code": "N110"}, {"facility": "NORTH", "domain": "department"}):
        assert [row["source_code"] for row in looker.get("/mappings", **query).json()["results"]] == ["EMER"]
    assert looker.get("/mappings", status="proposed").json()["results"] == []


def test_a_mapping_of_another_facility_is_not_there_and_one_for_all_is_everybodys_to_read() -> None:
    """The partner's own facility code counts as what an approved mapping says it means."""
    partner = Mapping.objects.get(source_code="EMER").partner
    for facility, source in (("", "ALL"), ("010", "OLD"), ("020", "FAR")):
        network.approved(partner, "department", source, "R110", facility=facility)
    network.approved(partner, "facility", "010", "RIVER")
    network.approved(partner, "facility", "020", "NORTH")
    seen = person(facility="RIVER").get("/mappings", domain="department").json()["results"]
    assert {row["source_code"] for row in seen} == {"CATHLAB", "ALL", "OLD"}
    far = Mapping.objects.get(source_code="FAR").pk
    assert person("retire", facility="RIVER").get(f"/mappings/{far}").status_code == 404


def test_suggestions_name_codes_of_ours_and_say_why() -> None:
    """The likeliest first, each with a reason in words."""
    query = {"partner": "carebill", "domain": "department", "code": "R110", "text": "Department R110"}
    answer = person().get("/mappings/suggestions", **query, facility="RIVER")
    assert answer.status_code == 200
    first = answer.json()[0]
    assert first["code"] == "R110"
    assert first["why"]
    missing = person().get("/mappings/suggestions", partner="carebill").json()
    assert {error["field"] for error in missing["errors"]} == {"domain", "code"}


def asker(facility: str = "*") -> rows.Caller:
    """A requisition system's key: it may ask about codes and nothing else."""
    return rows.Caller(rows.user(*MASTERS, facility=facility), "dimensions.read")


@pytest.mark.parametrize(
    ("path", "query", "valid", "reason"),
    [
        ("cost_center/CC-R110", {"on": "2026-11-22"}, True, ""),
        ("cost_center/CC-R110", {"on": "2023-12-31"}, False, "not_yet_valid"),
        ("cost_center/NONE", {}, False, "unknown"),
        ("gl_account/6210", {}, True, ""),
        ("department/R110", {"facility": "RIVER", "on": "2026-11-22"}, True, ""),
        ("department/R110", {"facility": "NORTH", "on": "2026-11-22"}, False, "unknown"),
        ("item/A%2FB 1", {}, False, "unknown"),
    ],
)
def test_is_this_code_valid_on_this_day(path: str, query: dict[str, str], valid: bool, reason: str) -> None:
    """Yes, or no with the reason in a word and in a sentence; both are a 200."""
    answer = asker().get(f"/dimensions/{path}", **query)
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert (body["valid"], body["reason"], bool(body["text"])) == (valid, reason, not valid)


def test_an_inactive_code_is_not_valid() -> None:
    """The ERP switched it off; nothing may be posted there."""
    CostCenter.objects.filter(code="CC-R110").update(active=False)
    body = asker().get("/dimensions/cost_center/CC-R110").json()
    assert (body["valid"], body["reason"]) == (False, "inactive")


def test_a_question_that_cannot_be_answered_is_refused() -> None:
    """Another kind or a facility of others is a 404, a day that is none a 400."""
    assert asker().get("/dimensions/colour/RED").status_code == 404
    assert asker("RIVER").get("/dimensions/department/N110", facility="NORTH").status_code == 404
    assert asker().get("/dimensions/cost_center/CC-R110", on="today").status_code == 400
    assert asker().get("/dimensions/cost_center/CC%00").status_code == 404
    assert asker().get("/dimensions/cost_center/CC-R110", day="2026-11-22").status_code == 400
