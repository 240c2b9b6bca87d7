"""Each invariant can fail: a bug is planted in what a good storm left, and exactly its own check finds it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from storm import checks
from storm.evidence import Evidence
from storm.run import Outcome

pytestmark = pytest.mark.crash
Plant = Callable[[Evidence], None]


def sql(*statements: str) -> Plant:
    """A bug that is a few statements in the hub's database; each must change something."""

    def plant(evidence: Evidence) -> None:
        for statement in statements:
            assert evidence.db.execute(statement).rowcount != 0, statement

    return plant


def erp(*statements: str) -> Plant:
    """A bug in the ERP's ledger, whose own constraints are taken away first: it would refuse most of them."""

    def plant(evidence: Evidence) -> None:
        for table in ("lines", "journals"):
            evidence.erp.execute(f"CREATE TABLE plain AS SELECT * FROM {table}")
            evidence.erp.execute(f"DROP TABLE {table}")
            evidence.erp.execute(f"ALTER TABLE plain RENAME TO {table}")
        for statement in statements:
            assert evidence.erp.execute(statement).rowcount != 0, statement

    return plant


def both(*plants: Plant) -> Plant:
    """One bug that shows in two places."""

    def plant(evidence: Evidence) -> None:
        for each in plants:
            each(evidence)

    return plant


def acknowledged_before_the_commit(evidence: Evidence) -> None:
    """The sender has an answer for something that never reached the disk."""
    one = next(one for one in evidence.sent if one.accepted)
    evidence.sent.append(replace(one, control_id="NEVER", sha256="0" * 64))


def unbalanced_on_both_sides(evidence: Evidence) -> None:
    """A leg that is a cent off here and was sent like that."""
    (charge_id,) = evidence.rows(
        "SELECT l.charge_id::text FROM erp_journalline l WHERE l.leg = 0 AND l.debit > 0"
        " AND EXISTS (SELECT FROM billing_charge c WHERE c.id = l.charge_id"
        " AND c.status = 'posted') ORDER BY 1 LIMIT 1"
    )[0]
    sql(
        "ALTER TABLE erp_journalline DISABLE TRIGGER USER",  # the table is append-only: the database refuses this bug
        f"UPDATE erp_journalline SET debit = debit + 0.01 WHERE charge_id = '{charge_id}' AND leg = 0",
    )(evidence)
    erp(f"UPDATE lines SET debit = debit + 100 WHERE line_key = '{charge_id}:0'")(evidence)


COPY_ID = "overlay(id::text placing 'ffffffffffff' from 25)::uuid"
A_MESSAGE = "(SELECT id FROM hub_message WHERE status = 'applied' ORDER BY id LIMIT 1)"
A_POSTED = """(SELECT charge_id FROM erp_journalline l JOIN billing_charge c ON c.id = l.charge_id
    WHERE c.status = 'posted' LIMIT 1)"""
A_CHARGE = "(SELECT min(id::text)::uuid FROM billing_charge)"
AN_ALLOCATION = "(SELECT min(id::text)::uuid FROM erp_allocation)"
AGAIN = """
INSERT INTO lines SELECT (SELECT max(id) FROM lines) + id - (SELECT min(first_line) FROM journals) + 1,
    'again:' || line_key, account, cost_center, debit, credit, reference, quantity, memo
FROM lines WHERE id BETWEEN (SELECT min(first_line) FROM journals) AND (SELECT min(last_line) FROM journals)
"""
AGAIN_HEAD = """
INSERT INTO journals SELECT number + 1000000, 'JE-AGAIN', 'again:' || external_key, entity, currency, posting_date,
    period, description, total_debit, total_credit,
    (SELECT min(id) FROM lines WHERE line_key LIKE 'again:%'), (SELECT max(id) FROM lines), posted_at
FROM journals WHERE first_line = 1
"""
PLANTED: dict[str, tuple[str, Plant]] = {
    "the listener acknowledges before it commits": ("INV-1 acknowledged is stored", acknowledged_before_the_commit),
    "bytes change on their way to the disk": (
        "INV-1 acknowledged is stored", sql(f"UPDATE hub_message SET raw = raw || 'x'::bytea WHERE id = {A_MESSAGE}"),
    ),
    "a resend is stored again": (
        "INV-3 a message is stored once",
        sql(
            f"CREATE TEMP TABLE copy ON COMMIT DROP AS SELECT * FROM hub_message WHERE id = {A_MESSAGE}",
            f"UPDATE copy SET id = {COPY_ID}, status = 'waived', settled_at = NULL",
            "INSERT INTO hub_message SELECT * FROM copy",
        ),
    ),
    "a repeated line is booked again": (
        "INV-3 a charge is booked once",
        sql("UPDATE billing_charge SET status = 'posted' WHERE id = (SELECT id FROM billing_charge"
            " WHERE status = 'duplicate' LIMIT 1)"),
    ),
    "two charges share a line key": (
        "INV-3 a charge is booked once",
        sql("UPDATE billing_charge SET line_key = (SELECT min(line_key) FROM billing_charge) WHERE line_key ="
            " (SELECT max(line_key) FROM billing_charge)"),
    ),
    "a cent is lost in the books": (
        "INV-4 money in is conserved",
        sql(f"UPDATE billing_charge SET amount = amount - 0.01 WHERE id = {A_CHARGE}"),
    ),
    "a stopped message's case is gone": (
        "INV-2 a message is settled or has its case",
        sql("UPDATE hub_exceptioncase SET status = 'resolved', closed_at = now() WHERE id = (SELECT min(id) FROM"
            " hub_exceptioncase WHERE subject LIKE 'message:%' AND status = 'open')"),
    ),
    "a stop was lifted and what it held was forgotten": (
        "INV-2 a message is settled or has its case", sql("DELETE FROM hub_stop WHERE queue LIKE 'in:%'"),
    ),
    "a cause has two cases": (
        "INV-2 one open case per cause",
        sql(
            "DROP INDEX case_open_is_one_per_subject",
            "CREATE TEMP TABLE copy ON COMMIT DROP AS SELECT * FROM hub_exceptioncase"
            " WHERE subject LIKE 'mapping:%' AND status = 'open' LIMIT 1",
            "UPDATE copy SET id = id + 1000000",
            "INSERT INTO hub_exceptioncase OVERRIDING SYSTEM VALUE SELECT * FROM copy",
        ),
    ),
    "a case outlives the outage that it tells of": (
        "INV-2 one open case per cause",
        sql(
            "CREATE TEMP TABLE copy ON COMMIT DROP AS SELECT * FROM hub_exceptioncase"
            " WHERE subject LIKE 'mapping:%' AND status = 'open' LIMIT 1",
            "UPDATE copy SET id = id + 1000000, code = 'ERP_UNREACHABLE', subject = 'endpoint:summit-ledger'",
            "INSERT INTO hub_exceptioncase OVERRIDING SYSTEM VALUE SELECT * FROM copy",
        ),
    ),
    "a delivery is claimed and forgotten": (
        "INV-16 a delivery is settled or has its case",
        sql("UPDATE hub_delivery SET status = 'sending', settled_at = NULL WHERE id = (SELECT min(id::text)::uuid FROM"
            " hub_delivery WHERE route = 'charges.posted' AND status = 'delivered')"),
    ),
    "a call stays in doubt": (
        "INV-16 a delivery is settled or has its case",
        sql("UPDATE hub_dispatch SET status = 'in_doubt', settled_at = NULL WHERE id = (SELECT min(id::text)::uuid FROM"
            " hub_dispatch WHERE status = 'delivered')"),
    ),
    "a fact leaves without its delivery": (
        "INV-16 every fact has its deliveries",
        sql("DELETE FROM hub_delivery WHERE id = (SELECT min(id::text)::uuid FROM hub_delivery"
            " WHERE route = 'charges.posted')"),
    ),
    "a lane is never given back": (
        "INV-17 no lane is leased",
        sql("UPDATE hub_lane SET token = gen_random_uuid(), leased_until = now() - interval '1 hour'"
            " WHERE queue = 'inbox' AND number = 3"),
    ),
    "an allocation comes out of nowhere": (
        "INV-15 nothing dangles",
        sql("UPDATE erp_allocation SET fact_id = gen_random_uuid() WHERE id ="
            " (SELECT min(id::text)::uuid FROM erp_allocation)"),
    ),
    "the ERP takes a line twice": (
        "INV-3 the ERP has each journal and line once",
        erp("INSERT INTO lines SELECT (SELECT max(id) FROM lines) + 1, line_key, account, cost_center, debit, credit,"
            " reference, quantity, memo FROM lines WHERE id = 1"),
    ),
    "the ERP takes a journal twice": (
        "INV-3 the ERP has each journal and line once",
        erp("INSERT INTO journals SELECT * FROM journals WHERE number = 1"),
    ),
    "an unbalanced leg is posted": ("INV-5 every journal balances", unbalanced_on_both_sides),
    "an allocation's total is a cent off": (
        "INV-5 every journal balances",
        sql(f"UPDATE erp_allocation SET total = total + 0.01 WHERE id = {AN_ALLOCATION}"),
    ),
    "a journal is noted under another reference": (
        "INV-6 the hub's posted journals are the ERP's",
        sql("UPDATE erp_journal SET erp_reference = 'JE-0' WHERE id = (SELECT min(id::text)::uuid FROM erp_journal"
            " WHERE status = 'posted')"),
    ),
    "a call in doubt was sent again under a new key": (
        "INV-6 the hub's posted journals are the ERP's", erp(AGAIN, AGAIN_HEAD),
    ),
    "a posted charge is still in flight": (
        "INV-4 a charge is posted exactly when the ERP has it",
        sql(f"UPDATE billing_charge SET status = 'captured' WHERE id = {A_POSTED}"),
    ),
}  # fmt: skip


@contextmanager
def untouched(evidence: Evidence) -> Iterator[Evidence]:
    """The same evidence, put back afterwards: the database is rolled back, the ledgers are copies."""
    ledger = type(evidence.erp)(":memory:")
    evidence.erp.backup(ledger)
    try:
        with evidence.db.transaction(force_rollback=True):
            yield Evidence(evidence.db, ledger, list(evidence.sent), evidence.keys)
    finally:
        ledger.close()
        evidence.db.rollback()


def failing(evidence: Evidence) -> set[str]:
    """The checks that find something."""
    return {name for name, findings in checks.run(evidence).items() if findings}


@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_bug_is_found_by_its_own_check_and_no_other(bug: str, storm: tuple[Outcome, Evidence]) -> None:
    """One row is broken; one check says so."""
    check, plant = PLANTED[bug]
    with untouched(storm[1]) as evidence:
        plant(evidence)
        assert failing(evidence) == {check}


def test_every_check_has_a_planted_bug(storm: tuple[Outcome, Evidence]) -> None:
    """No check that nobody has seen fail; and with nothing planted none of them does."""
    assert {check for check, _ in PLANTED.values()} == set(checks.CHECKS)
    with untouched(storm[1]) as evidence:
        assert failing(evidence) == set()
