"""Deliveries, dispatches and lineage over the API."""

import pytest

from hub import ids
from hub.api import deliveries
from hub.models import AuditEntry, Delivery
from tests.hub.api import rows

pytestmark = pytest.mark.django_db
SEE = ("hub.view_message", "hub.view_fact", "hub.view_delivery", "hub.view_dispatch")


def test_deliveries_are_found_by_status_fact_and_call() -> None:
    """Each filter shows its own; one to our own apps has no endpoint."""
    stopped = rows.delivery(status="stopped", dispatch_id=ids.uuid7())
    inside = rows.delivery(status="delivered", endpoint=None, route="erp.allocate")
    looker = rows.Caller(rows.user("hub.view_delivery"))
    for query, expected in (
        ({"status": "stopped"}, stopped),
        ({"fact": str(inside.fact_id)}, inside),
        ({"dispatch": str(stopped.dispatch_id)}, stopped),
        ({"route": "erp.allocate"}, inside),
        ({"endpoint": "out-all"}, stopped),
    ):
        (row,) = looker.get("/deliveries", **query).json()["results"]
        assert row["id"] == str(expected.pk)
    assert looker.get(f"/deliveries/{inside.pk}").json()["endpoint"] is None
    assert looker.get("/deliveries", fact="not-an-id").status_code == 400


def test_deliveries_of_no_facility_are_for_those_who_see_all() -> None:
    """A fact's route tells no facility, so nobody with one facility sees it; a facility's own ERP they do."""
    rows.delivery("")
    rows.delivery("", endpoint=None)
    own = rows.delivery("RIVER")
    seen = rows.Caller(rows.user("hub.view_delivery", facility="RIVER")).get("/deliveries").json()["results"]
    assert [row["id"] for row in seen] == [str(own.pk)]


def test_a_stopped_delivery_is_retried_or_waived() -> None:
    """Both through the same functions as the admin's buttons, both audited."""
    one, two = rows.delivery(), rows.delivery()
    account = rows.user("hub.view_delivery", "hub.retry_delivery", "hub.waive_delivery")
    caller = rows.Caller(account, "deliveries.*")
    assert caller.post(f"/deliveries/{one.pk}/retry").json()["status"] == "pending"
    assert caller.post(f"/deliveries/{two.pk}/waive", {"reason": "posted by hand"}).json()["status"] == "waived"
    assert set(AuditEntry.objects.values_list("verb", flat=True)) >= {"deliveries.retry", "deliveries.waive"}
    again = caller.post(f"/deliveries/{two.pk}/retry")
    assert (again.status_code, Delivery.objects.get(pk=two.pk).status) == (409, "waived")


def test_resolving_a_dispatch_hands_its_findings_to_the_verb(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outcome, reference and reason arrive as they were given, with the caller as the actor."""
    calls = []
    monkeypatch.setattr(
        deliveries.interventions, "resolve_dispatch", lambda dispatch, **said: calls.append((dispatch.pk, said))
    )
    made = rows.dispatch()
    caller = rows.Caller(rows.user("hub.view_dispatch", "hub.resolve_dispatch"), "dispatches.resolve")
    found = {"outcome": "delivered", "reference": "GL-7", "reason": "seen in the ledger"}
    assert caller.post(f"/dispatches/{made.pk}/resolve", found).status_code == 200
    ((pk, said),) = calls
    by = said.pop("by")
    assert (pk, said, by.user) == (made.pk, found, caller.user)


@pytest.mark.parametrize("body", [{}, {"outcome": "lost"}, {"outcome": "delivered", "found": "GL-7"}])
def test_a_finding_that_is_none_is_refused(body: dict[str, str]) -> None:
    """400 names the field; the dispatch stays in doubt."""
    made = rows.dispatch()
    caller = rows.Caller(rows.user("hub.view_dispatch", "hub.resolve_dispatch"))
    assert caller.post(f"/dispatches/{made.pk}/resolve", body).status_code == 400
    assert caller.get(f"/dispatches/{made.pk}").json()["status"] == "in_doubt"


def test_a_dispatch_that_is_not_in_doubt_is_not_resolved() -> None:
    """409: nothing is in doubt any more."""
    made = rows.dispatch(status="delivered")
    caller = rows.Caller(rows.user("hub.view_dispatch", "hub.resolve_dispatch"))
    answer = caller.post(f"/dispatches/{made.pk}/resolve", {"outcome": "delivered", "reference": ""})
    assert answer.status_code == 409


def test_lineage_tells_the_chain_from_the_message_to_the_call() -> None:
    """One correlation id, one answer: message, fact, delivery, dispatch."""
    message = rows.message("RIVER", "applied")
    fact = rows.fact(message)
    call = rows.dispatch(status="delivered", reference="GL-7")
    sent = rows.delivery(fact_id=fact.pk, dispatch_id=call.pk, status="delivered")
    rows.message("RIVER")
    body = rows.Caller(rows.user(*SEE)).get(f"/lineage/{message.correlation_id}").json()
    chain = {name: [row["id"] for row in body[name]] for name in ("messages", "facts", "deliveries", "dispatches")}
    assert chain == {
        "messages": [str(message.pk)], "facts": [str(fact.pk)], "deliveries": [str(sent.pk)],
        "dispatches": [str(call.pk)],
    }  # fmt: skip
    assert (body["complete"], body["dispatches"][0]["reference"]) == (True, "GL-7")


def test_lineage_of_another_facility_is_not_there() -> None:
    """Nor is one that was never given."""
    message = rows.message("NORTH", "applied")
    rows.fact(message)
    looker = rows.Caller(rows.user(*SEE, facility="RIVER"))
    assert looker.get(f"/lineage/{message.correlation_id}").status_code == 404
    assert looker.get(f"/lineage/{ids.uuid7()}").status_code == 404


def test_a_calls_id_leads_back_to_the_messages_behind_it_and_a_messages_to_what_its_call_made_known() -> None:
    """Two messages, one call, one fact that has both as its causes: from either end the same things are found."""
    messages = [rows.message("RIVER", "applied") for _ in range(2)]
    call = rows.dispatch(status="delivered", reference="GL-7")
    facts = [rows.fact(message) for message in messages]
    caused = [
        rows.fact(name="cost.allocated/1", correlation_id=fact.correlation_id, cause_id=fact.pk) for fact in facts
    ]
    for fact in caused:
        rows.delivery(fact_id=fact.pk, dispatch_id=call.pk, status="delivered")
    posted = rows.fact(name="journal.posted/1", correlation_id=call.pk)
    heard = rows.delivery(fact_id=posted.pk, route="charges.posted", endpoint=None, status="delivered")
    looker = rows.Caller(rows.user(*SEE))
    back = looker.get(f"/lineage/{call.pk}").json()
    assert [row["id"] for row in back["messages"]] == [str(message.pk) for message in messages]
    there = looker.get(f"/lineage/{messages[0].correlation_id}").json()
    assert [row["id"] for row in there["messages"]] == [str(messages[0].pk)]
    assert [row["id"] for row in there["facts"]] == [str(one.pk) for one in (facts[0], caused[0], posted)]
    assert str(heard.pk) in [row["id"] for row in there["deliveries"]]
    north = rows.Caller(rows.user(*SEE, facility="NORTH"))
    assert north.get(f"/lineage/{call.pk}").status_code == 404
