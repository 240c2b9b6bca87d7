"""Cases over the API: what waits and what it is worth; assign, resolve, retry and waive."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from hub.models import AuditEntry, ExceptionCase, Message
from tests.hub.api import rows

pytestmark = pytest.mark.django_db
VIEW = "hub.view_exceptioncase"


def caller(*verbs: str, facility: str = "*") -> rows.Caller:
    """Somebody who may look at cases and use these verbs on them."""
    return rows.Caller(rows.user(VIEW, *(f"hub.{verb}_exceptioncase" for verb in verbs), facility=facility))


def test_a_case_tells_what_waits_for_it_and_what_that_is_worth() -> None:
    """Documents, messages and money by currency, to the cent and beyond."""
    case = rows.case(waiting=3, data={"domain": "department", "code": "CATH"})
    body = caller().get(f"/cases/{case.pk}").json()
    assert body["waiting"] == {
        "documents": 3, "messages": 2, "amounts": [{"currency": "USD", "amount": "31.5000"}],
    }  # fmt: skip
    assert (body["data"]["code"], body["status"], body["assignee"]) == ("CATH", "open", None)


def test_a_list_of_cases_asks_no_more_queries_for_more_cases() -> None:
    """What waits is summed for the whole page at once."""
    looker, counts = caller(), []
    for _ in range(2):
        rows.case(waiting=2)
        with CaptureQueriesContext(connection) as queries:
            answer = looker.get("/cases")
        counts.append(len(queries))
        assert {row["waiting"]["documents"] for row in answer.json()["results"]} == {2}
    assert counts[0] == counts[1]


def test_filters_by_status_owner_code_and_facility() -> None:
    """Each shows its own."""
    river = rows.case("RIVER", owner="finance", code="MAP_MISSING")
    north = rows.case("NORTH", owner="integration", code="IF_PARSE")
    looker = caller()
    for query, expected in (
        ({"owner": "finance"}, [river.pk]),
        ({"code": "IF_PARSE"}, [north.pk]),
        ({"facility": "NORTH"}, [north.pk]),
        ({"status": "open"}, [north.pk, river.pk]),
        ({"status": "waived"}, []),
        ({"since": "2000-01-01T00:00:00Z"}, [north.pk, river.pk]),
        ({"until": "2000-01-01T00:00:00Z"}, []),
    ):
        assert [row["id"] for row in looker.get("/cases", **query).json()["results"]] == expected
    assert looker.get("/cases", owner="nobody").status_code == 400


def test_a_case_is_assigned_to_a_user_who_sees_its_facility() -> None:
    """Others are refused, unknown ones named as a wrong field, and nothing moves."""
    case = rows.case("RIVER")
    ann, far = rows.user(facility="RIVER", name="ann"), rows.user(facility="NORTH", name="far")
    lead = caller("assign")
    assert lead.post(f"/cases/{case.pk}/assign", {"to": "nobody"}).json()["errors"][0]["field"] == "to"
    refused = lead.post(f"/cases/{case.pk}/assign", {"to": far.username})
    assert (refused.status_code, refused.json()["code"]) == (409, "CASE_ASSIGNEE")
    assert ExceptionCase.objects.get().status == "open"
    answer = lead.post(f"/cases/{case.pk}/assign", {"to": ann.username})
    assert (answer.json()["status"], answer.json()["assignee"]) == ("assigned", "ann")


def test_a_case_for_which_something_waits_is_not_resolved() -> None:
    """409 says how many wait and what to press."""
    case = rows.case(waiting=2)
    answer = caller("resolve").post(f"/cases/{case.pk}/resolve", {"reason": "done"})
    assert (answer.status_code, answer.json()["code"]) == (409, "CASE_WAITING")
    assert answer.json()["detail"].startswith("2 documents still wait")
    assert ExceptionCase.objects.get().status == "open"


def test_retry_puts_what_waits_back_into_the_queue() -> None:
    """Held messages wait for a worker again; the case stays open until they went through."""
    case = rows.case(waiting=4)
    answer = caller("retry").post(f"/cases/{case.pk}/retry")
    assert (answer.status_code, answer.json()["status"]) == (200, "open")
    assert Message.objects.filter(status="received").count() == 2
    assert AuditEntry.objects.get(verb="cases.release").detail == {"messages": 2}


def test_a_closed_case_is_not_waived_again() -> None:
    """The second person reads that somebody was faster."""
    case = rows.case()
    waiver = caller("waive")
    assert waiver.post(f"/cases/{case.pk}/waive", {"reason": "known"}).json()["status"] == "waived"
    again = waiver.post(f"/cases/{case.pk}/waive", {"reason": "known"})
    assert (again.status_code, again.json()["code"]) == (409, "STATE_MOVE")


def test_a_key_may_be_narrower_than_its_account() -> None:
    """The account may waive, the key may only read."""
    case = rows.case()
    account = rows.user(VIEW, "hub.waive_exceptioncase")
    machine = rows.Caller(account, "cases.read")
    assert machine.get(f"/cases/{case.pk}").status_code == 200
    assert machine.post(f"/cases/{case.pk}/waive", {"reason": "x"}).status_code == 403
    assert ExceptionCase.objects.get().status == "open"
