"""Each invariant passes on a sound house having looked at something, and fails, by name, on one broken row."""

from datetime import timedelta
from typing import NamedTuple

import pytest
from django.db import connection

from hub import verification
from hub.verification import Verdict
from tests import world
from tests.invariants.conftest import run

EVERYTHING = verification.Span(verification.OLDEST, verification.OLDEST)


def verdicts(*, outside: bool = False) -> dict[tuple[str, str], Verdict]:
    """What every check says, by invariant and name."""
    found = verification.run(EVERYTHING, outside=outside)
    return {(one.check.invariant, one.check.name): one for one in found}


def test_a_sound_house_passes_and_every_check_looked_at_something(sound: world.Erp) -> None:
    """Green means checked: no check is empty here, so each of them can be broken below."""
    found = verdicts(outside=True)
    assert {key: (one.state, one.problem, one.violations) for key, one in found.items() if one.state != "ok"} == {}
    assert set(verification.known()) == {
        "INV-1", "INV-2", "INV-3", "INV-4", "INV-5", "INV-6", "INV-7", "INV-8", "INV-13", "INV-15", "INV-16",
        "INV-17", "INV-18", "INV-19",
    }  # fmt: skip
    assert len(found) == len(verification.checks)


class Plant(NamedTuple):
    """A bug: which check must find it, the SQL that makes it, and what finds the row that must be named."""

    invariant: str
    check: str
    sql: str
    subject: str  # SQL that gives the subject before the bug is made
    also: frozenset[str] = frozenset()  # invariants that the same row breaks by their own rule
    made: str = ""  # SQL that gives the subject after the bug was made
    old: bool = False  # everything that waits has waited for longer than it may


def message(control_id: str) -> str:
    """A message by its control id; of two, the one that was taken in."""
    return f"(SELECT id FROM hub_message WHERE control_id = '{control_id}' AND status <> 'refused')"


def charge(key: str) -> str:
    """A charge by its sender's transaction id."""
    return f"(SELECT id FROM billing_charge WHERE line_key = '{key}')"


def allocation(key: str) -> str:
    """The allocation that holds a charge's legs."""
    return f"(SELECT DISTINCT allocation_id FROM erp_journalline WHERE charge_id = {charge(key)})"


def named(kind: str, row: str) -> str:
    """A subject."""
    return f"SELECT '{kind}:' || {row}"


FACT = f"(SELECT id FROM hub_fact WHERE message_id = {message('M1')} AND name = 'charge.captured/1')"
LATER = f"(SELECT id FROM hub_fact WHERE message_id = {message('M8')} AND name = 'charge.reversed/1')"
ALLOCATED = f"(SELECT id FROM hub_fact WHERE cause_id = {LATER} AND name = 'cost.allocated/1')"
HEARD = f"(SELECT id FROM hub_delivery WHERE fact_id = {LATER})"
POSTED = f"(SELECT journal_id FROM erp_allocation WHERE id = {allocation('T1')})"
STOPPED = "(SELECT id FROM hub_delivery WHERE status = 'stopped')"
CASE = "(SELECT id FROM hub_exceptioncase WHERE code = '{}')"
PLANTS = (
    Plant("INV-1", "bytes", f"UPDATE hub_message SET raw = raw || 'x'::bytea WHERE id = {message('M1')}",
          named("message", message("M1"))),
    Plant("INV-1", "keys", f"DELETE FROM hub_messagekey WHERE message_id = {message('M2')}",
          named("message", message("M2"))),
    Plant("INV-1", "acknowledged", f"DELETE FROM hub_message WHERE id = {message('M14')}",
          named("message", message("M14"))),
    Plant("INV-2", "stopped messages",
          "UPDATE hub_exceptioncase SET status = 'resolved', closed_at = now()"
          f" WHERE message_id = {message('M4')}", named("message", message("M4"))),
    Plant("INV-2", "blocked messages",
          "DELETE FROM hub_stop WHERE queue = 'in:carebill-river'", named("message", message("M5"))),
    Plant("INV-2", "held messages",
          f"DELETE FROM hub_waiting WHERE message_id = {message('M11')}", named("message", message("M11"))),
    Plant("INV-2", "held charges",
          f"UPDATE hub_waiting SET part = 7 WHERE message_id = {message('M2')}", named("charge", charge("T3"))),
    Plant("INV-2", "waiting messages",
          "UPDATE hub_lane SET served_at = now() - interval '2 hours' WHERE queue = 'inbox'",
          named("message", message("M14")), old=True),
    Plant("INV-2", "waiting deliveries",
          "UPDATE hub_lane SET served_at = NULL WHERE queue = 'journals.allocate'",
          "SELECT 'delivery:' || id FROM hub_delivery WHERE status = 'pending' AND key = 'A8'", old=True),
    Plant("INV-2", "stopped deliveries",
          f"UPDATE hub_exceptioncase SET subject = 'delivery:nothing' WHERE subject = 'delivery:' || {STOPPED}",
          named("delivery", STOPPED)),
    Plant("INV-2", "blocked deliveries", "DELETE FROM hub_stop WHERE queue = 'journals.allocate'",
          named("delivery", "(SELECT id FROM hub_delivery WHERE status = 'blocked')")),
    Plant("INV-2", "deliveries under way",
          "UPDATE hub_delivery SET dispatch_id = gen_random_uuid() WHERE status = 'sending'",
          named("delivery", "(SELECT id FROM hub_delivery WHERE status = 'sending')"), frozenset({"INV-15"})),
    Plant("INV-2", "open calls",
          "UPDATE hub_dispatch SET due_at = now() - interval '2 hours' WHERE settled_at IS NULL;"
          " UPDATE hub_lane SET served_at = now() - interval '2 hours' WHERE queue = 'journals.post@summit'",
          named("dispatch", "(SELECT id FROM hub_dispatch WHERE settled_at IS NULL)")),
    Plant("INV-2", "open cases",
          "INSERT INTO hub_exceptioncase (code, subject, title, text, status, severity, owner, facility, partner,"
          " amount, currency, data, seen, opened_at, last_seen_at, reason) SELECT code, subject, title, text, 'open',"
          " 3, owner, '', '', 0, 'USD', '{}', 1, now(), now(), '' FROM hub_exceptioncase WHERE code = 'MAP_MISSING'",
          "", made="SELECT 'case:' || max(id) FROM hub_exceptioncase"),
    Plant("INV-2", "what waits",
          "UPDATE hub_exceptioncase SET status = 'resolved', closed_at = now() WHERE code = 'MAP_MISSING'",
          named("message", message("M2"))),
    Plant("INV-2", "stops", f"UPDATE hub_stop SET subject_id = {message('M1')} WHERE queue = 'in:carebill-river'",
          "SELECT 'stop:' || id FROM hub_stop WHERE queue = 'in:carebill-river'"),
    Plant("INV-3", "facts", f"UPDATE hub_fact SET message_id = NULL WHERE id = {FACT}", named("fact", FACT),
          frozenset({"INV-4"})),
    Plant("INV-3", "deliveries",
          "INSERT INTO hub_delivery (id, fact_id, route, endpoint_id, key, lane, \"group\", weight, status, attempts,"
          " problem_code, problem, settled_at) SELECT overlay(id::text placing 'ffffffffffff' from 25)::uuid, fact_id,"
          " route, endpoint_id, key, lane, \"group\", weight, status, attempts, '', '', settled_at FROM hub_delivery"
          f" WHERE id = {HEARD}",
          f"SELECT 'delivery:' || overlay({HEARD}::text placing 'ffffffffffff' from 25)"),
    Plant("INV-3", "parts", f"UPDATE billing_charge SET part = 0 WHERE id = {charge('T3')}", "",
          frozenset({"INV-2"}), made=f"SELECT 'charge:' || max(id::text) FROM billing_charge"
          f" WHERE message_id = {message('M2')}"),
    Plant("INV-3", "line keys",
          f"UPDATE billing_charge SET line_key = 'T4' WHERE id = {charge('T2')}", "",
          frozenset({"INV-15"}), made="SELECT 'charge:' || max(id::text) FROM billing_charge WHERE line_key = 'T4'"),
    Plant("INV-3", "legs",
          f"UPDATE erp_journalline SET allocation_id = {allocation('T2')} WHERE charge_id = {charge('T1')} AND leg = 1",
          named("charge", charge("T1")), frozenset({"INV-5", "INV-8"})),
    Plant("INV-3", "allocations",
          f"UPDATE erp_allocation SET fact_id = {FACT} WHERE id = {allocation('T2')}", named("fact", FACT)),
    Plant("INV-4", "documents", f"UPDATE hub_message SET parts = parts + 1 WHERE id = {message('M1')}",
          named("message", message("M1"))),
    Plant("INV-4", "told", f"UPDATE billing_charge SET amount = amount + 0.01 WHERE id = {charge('T2')}",
          named("charge", charge("T2"))),
    Plant("INV-4", "posted", f"UPDATE billing_charge SET status = 'captured' WHERE id = {charge('T2')}",
          named("charge", charge("T2"))),
    Plant("INV-4", "totals", f"UPDATE billing_charge SET amount = amount - 5 WHERE id = {charge('T11')}",
          "SELECT 'reconciliation:' || (received_at AT TIME ZONE 'UTC')::date || ':' || endpoint_id || ':RIVER'"
          f" FROM hub_message WHERE id = {message('M12')}"),
    Plant("INV-5", "allocations",
          "UPDATE erp_journalline SET credit = credit + 1 WHERE credit > 0"
          f" AND charge_id = {charge('T2')}", named("allocation", allocation("T2"))),
    Plant("INV-5", "legs",
          f"UPDATE erp_journalline SET credit = credit + 1, debit = debit + 1 WHERE charge_id = {charge('T2')}",
          f"SELECT 'journal line:' || {charge('T2')} || ':0'", frozenset({"INV-8"})),
    Plant("INV-5", "journals", f"UPDATE erp_journal SET total = total + 1 WHERE id = {POSTED}",
          named("journal", POSTED)),
    Plant("INV-5", "one journal",
          f"UPDATE erp_allocation SET currency = 'EUR' WHERE id = {allocation('T1')}",
          named("allocation", allocation("T1"))),
    Plant("INV-6", "calls", f"UPDATE hub_dispatch SET reference = 'J-0' WHERE id = {POSTED}", named("journal", POSTED)),
    Plant("INV-6", "references",
          "UPDATE erp_journal SET erp_reference = 'J-1' WHERE status = 'posted';"
          " UPDATE hub_dispatch SET reference = 'J-1' WHERE status = 'delivered'",
          "SELECT 'journal:' || max(id::text) FROM erp_journal WHERE status = 'posted'"),
    Plant("INV-6", "partners",
          f"UPDATE erp_journalline SET cost_center = 'CC-R115' WHERE charge_id = {charge('T2')}",
          "SELECT 'balance:summit:' || to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM') || ':6225:CC-R115'"),
    Plant("INV-7", "taken back",
          "UPDATE erp_journalline SET debit = debit * 4, credit = credit * 4"
          f" WHERE charge_id = {charge('T8|CD')}", named("charge", charge("T1")), frozenset({"INV-5", "INV-8"})),
    Plant("INV-7", "nothing left",
          f"UPDATE erp_journalline SET cost_center = 'CC-R115' WHERE charge_id = {charge('T8|CD')}",
          named("charge", charge("T1"))),
    Plant("INV-8", "totals", f"UPDATE erp_allocation SET total = total + 1 WHERE id = {allocation('T1')}",
          named("allocation", allocation("T1"))),
    Plant("INV-8", "costs",
          "UPDATE erp_journalline SET debit = debit * 2, credit = credit * 2"
          f" WHERE charge_id = {charge('T2')}", named("charge", charge("T2")), frozenset({"INV-5"})),
    Plant("INV-13", "messages", f"UPDATE hub_message SET settled_at = NULL WHERE id = {message('M1')}",
          named("message", message("M1"))),
    Plant("INV-13", "deliveries", f"UPDATE hub_delivery SET status = 'done' WHERE id = {HEARD}",
          named("delivery", HEARD)),
    Plant("INV-13", "dispatches", f"UPDATE hub_dispatch SET settled_at = NULL WHERE id = {POSTED}",
          named("dispatch", POSTED)),
    Plant("INV-13", "charges", f"UPDATE billing_charge SET status = 'lost' WHERE id = {charge('T4')}",
          named("charge", charge("T4")), frozenset({"INV-4"})),
    Plant("INV-13", "visits", "UPDATE billing_visit SET status = 'gone'", "SELECT 'visit:' || id FROM billing_visit"),
    Plant("INV-13", "journals", f"UPDATE erp_journal SET settled_at = NULL WHERE id = {POSTED}",
          named("journal", POSTED)),
    Plant("INV-15", "facts and messages",
          f"UPDATE hub_fact SET message_id = gen_random_uuid() WHERE id = {FACT}", named("fact", FACT),
          frozenset({"INV-4"})),
    Plant("INV-15", "facts and causes",
          f"UPDATE hub_fact SET cause_id = overlay({FACT}::text placing 'ffffffffffff' from 25)::uuid"
          f" WHERE id = {ALLOCATED}", named("fact", ALLOCATED)),
    Plant("INV-15", "deliveries",
          f"UPDATE hub_delivery SET fact_id = overlay(fact_id::text placing 'ffffffffffff' from 25)::uuid"
          f" WHERE id = {HEARD}", named("delivery", HEARD), frozenset({"INV-16"})),
    Plant("INV-15", "calls", f"UPDATE hub_dispatch SET deliveries = deliveries + 1 WHERE id = {POSTED}",
          named("dispatch", POSTED)),
    Plant("INV-15", "what waits",
          f"UPDATE hub_message SET status = 'waived', settled_at = now() WHERE id = {message('M2')}",
          named("message", message("M2"))),
    Plant("INV-15", "charges",
          f"UPDATE billing_charge SET message_id = overlay(message_id::text placing 'ffffffffffff' from 25)::uuid"
          f" WHERE id = {charge('T4')}", named("charge", charge("T4")), frozenset({"INV-4"})),
    Plant("INV-15", "originals",
          f"UPDATE billing_charge SET original_id = gen_random_uuid() WHERE id = {charge('T8|CD')}",
          named("charge", charge("T8|CD"))),
    Plant("INV-15", "line keys", "DELETE FROM billing_chargekey WHERE line_key = 'T1'", named("charge", charge("T1"))),
    Plant("INV-15", "allocations",
          f"UPDATE erp_allocation SET fact_id = overlay(fact_id::text placing 'ffffffffffff' from 25)::uuid"
          f" WHERE id = {allocation('T2')}", named("allocation", allocation("T2"))),
    Plant("INV-15", "journals",
          f"UPDATE erp_allocation SET journal_id = gen_random_uuid() WHERE id = {allocation('T11')}",
          named("allocation", allocation("T11")), frozenset({"INV-5"})),
    Plant("INV-15", "journal lines",
          f"UPDATE erp_journalline SET allocation_id = gen_random_uuid() WHERE charge_id = {charge('T2')}"
          " AND leg = 1", f"SELECT 'journal line:' || {charge('T2')} || ':1'", frozenset({"INV-5"})),
    Plant("INV-16", "reactions", f"DELETE FROM hub_delivery WHERE id = {HEARD}", named("fact", LATER)),
    Plant("INV-16", "sends", f"DELETE FROM hub_delivery WHERE fact_id = {ALLOCATED}", named("fact", ALLOCATED),
          frozenset({"INV-15"})),
    Plant("INV-17", "leases",
          "UPDATE hub_lane SET leased_until = now() - interval '1 hour' WHERE token IS NOT NULL",
          "SELECT 'lane:inbox/' || number FROM hub_lane WHERE token IS NOT NULL"),
    Plant("INV-18", "control ids", "UPDATE hub_message SET status = 'applied' WHERE status = 'refused';"
          " DELETE FROM hub_exceptioncase WHERE code = 'IF_CONFLICT'", "",
          made="SELECT 'message:' || max(id::text) FROM hub_message WHERE control_id = 'M1'"),
    Plant("INV-18", "conflicts",
          "UPDATE billing_charge SET status = 'captured', cost_center = 'CC-R110', posting_date = service_date"
          " WHERE hold_code = 'CHG_CONFLICT'",
          "SELECT 'charge:' || id FROM billing_charge WHERE hold_code = 'CHG_CONFLICT'", frozenset({"INV-4"})),
    Plant("INV-19", "answers",
          "INSERT INTO hub_savedanswer (actor, method, path, key, fingerprint, status, location, body, created_at)"
          " SELECT actor, method, path, key, sha256('other'), status, location, body, now() FROM hub_savedanswer", "",
          made="SELECT 'answer:' || max(id) FROM hub_savedanswer"),
    Plant("INV-19", "fingerprints", "UPDATE hub_savedanswer SET status = 500",
          "SELECT 'answer:' || id FROM hub_savedanswer"),
)  # fmt: skip


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: f"{plant.invariant} {plant.check}".replace(" ", "-"))
def test_a_planted_bug_is_found_by_its_check_which_names_the_row(
    broken: world.Erp, plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One row is broken by SQL: that check fails and names it, and no other invariant does unless the row breaks it."""
    if plant.old:
        monkeypatch.setattr(verification, "STALE", timedelta(0))
        run("UPDATE hub_lane SET served_at = now() + interval '1 hour'")
    subject = run(plant.subject)[0][0] if plant.subject else None
    with connection.cursor() as cursor:
        cursor.execute(plant.sql)
        assert cursor.rowcount > 0
    found = verdicts(outside=plant.check == "partners")
    caught = found[plant.invariant, plant.check]
    assert (caught.state, caught.problem) == ("violated", "")
    if plant.made:
        subject = run(plant.made)[0][0]
    assert subject is not None
    assert subject in {violation.subject for violation in caught.violations}
    failed = {one.check.invariant for one in found.values() if one.failed}
    assert plant.invariant in failed
    assert failed <= {plant.invariant} | plant.also


def test_every_check_has_a_planted_bug() -> None:
    """A check that no test can make fail is not a check."""
    planted = {(plant.invariant, plant.check) for plant in PLANTS}
    assert {(one.invariant, one.name) for one in verification.checks} - planted == set()
