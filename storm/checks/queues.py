"""Nothing waits without a reason that a person can see, and nobody holds what nobody works on."""

from storm.evidence import Evidence

# Who listens to which fact. A check of its own words: it reads no registry.
LISTENERS = {
    "charge.captured/1": {"journals.allocate"},
    "charge.reversed/1": {"journals.allocate"},
    "cost.allocated/1": {"journals.post"},
    "journal.posted/1": {"charges.posted"},
}
OPEN = "c.status IN ('open', 'assigned')"
CASE = f"SELECT c.id FROM hub_exceptioncase c WHERE {OPEN} AND"
MESSAGE = "SELECT m.id FROM hub_message m JOIN hub_endpoint e ON e.id = m.endpoint_id WHERE"
DELIVERY = "SELECT d.id FROM hub_delivery d LEFT JOIN hub_endpoint e ON e.id = d.endpoint_id WHERE"
MESSAGES = {
    "is still waiting for a worker": f"{MESSAGE} m.status = 'received'",
    "is stopped without exactly one open case": f"""{MESSAGE} m.status = 'stopped'
        AND (SELECT count(*) FROM hub_exceptioncase c WHERE c.subject = 'message:' || m.id AND {OPEN}) <> 1""",
    "is stopped, and its key is not": f"""{MESSAGE} m.status = 'stopped'
        AND NOT EXISTS (SELECT FROM hub_stop s WHERE s.queue = 'in:' || e.code AND s.key = m.key)""",
    "is blocked behind nothing": f"""{MESSAGE} m.status = 'blocked'
        AND NOT EXISTS (SELECT FROM hub_stop s JOIN hub_message b ON b.id = s.subject_id
            WHERE s.queue = 'in:' || e.code AND s.key = m.key AND b.status = 'stopped')""",
    "is held and waits for no open case": f"""{MESSAGE} m.status = 'held'
        AND NOT EXISTS (SELECT FROM hub_waiting w JOIN hub_exceptioncase c ON c.id = w.case_id
            WHERE w.message_id = m.id AND {OPEN})""",
    "waits for a case and is not held": f"""{MESSAGE} m.status <> 'held'
        AND EXISTS (SELECT FROM hub_waiting w WHERE w.message_id = m.id)""",
    "has a held charge that waits for nothing": """
        SELECT b.message_id FROM billing_charge b WHERE b.status = 'held'
        AND NOT EXISTS (SELECT FROM hub_waiting w WHERE w.message_id = b.message_id AND w.part = b.part)""",
    "is done and does not say when, or says when and is not": f"""{MESSAGE}
        (m.status IN ('applied', 'skipped', 'refused')) <> (m.settled_at IS NOT NULL)""",
}
CASES = {
    "is open twice": f"""
        SELECT c.code || ' ' || c.subject FROM hub_exceptioncase c WHERE {OPEN}
        GROUP BY c.code, c.subject HAVING count(*) > 1""",
    "is open, and its message is not stopped": f"""{CASE} c.subject LIKE 'message:%' AND NOT EXISTS (
        SELECT FROM hub_message m WHERE 'message:' || m.id = c.subject AND m.status = 'stopped')""",
    "is open, and its delivery is not stopped": f"""{CASE} c.subject LIKE 'delivery:%' AND NOT EXISTS (
        SELECT FROM hub_delivery d WHERE 'delivery:' || d.id = c.subject AND d.status = 'stopped')""",
    "is open, and nothing is in doubt": f"{CASE} c.code = 'ERP_AMBIGUOUS'",
    "is open, and the partner answers": f"{CASE} c.code = 'ERP_UNREACHABLE'",
    "is open for a code that nothing waits for": f"""{CASE} c.subject LIKE 'mapping:%'
        AND NOT EXISTS (SELECT FROM hub_waiting w WHERE w.case_id = c.id)""",
    "is closed, and something waits for it": """
        SELECT c.id FROM hub_exceptioncase c JOIN hub_waiting w ON w.case_id = c.id WHERE c.closed_at IS NOT NULL""",
    "tells of a defect of ours": f"""
        SELECT c.code || ' ' || c.subject || ' ' || c.text FROM hub_exceptioncase c
        WHERE {OPEN} AND c.code IN ('BUG', 'POISON')""",
}
DELIVERIES = {
    "is neither delivered nor stopped": f"{DELIVERY} d.status IN ('pending', 'sending')",
    "is stopped without exactly one open case": f"""{DELIVERY} d.status = 'stopped'
        AND (SELECT count(*) FROM hub_exceptioncase c WHERE c.subject = 'delivery:' || d.id AND {OPEN}) <> 1""",
    "is blocked behind nothing": f"""{DELIVERY} d.status = 'blocked'
        AND NOT EXISTS (SELECT FROM hub_stop s JOIN hub_delivery b ON b.id = s.subject_id
            WHERE b.status = 'stopped' AND s.key = d.key AND s.queue = d.route || coalesce('@' || e.code, ''))""",
    "is a call that is not settled": """
        SELECT o.id FROM hub_dispatch o WHERE o.status IN ('sending', 'waiting', 'in_doubt')""",
    "is delivered by a call that was not": """
        SELECT d.id FROM hub_delivery d JOIN hub_dispatch o ON o.id = d.dispatch_id
        WHERE d.status = 'delivered' AND o.status <> 'delivered'""",
    "is delivered and does not say when": f"{DELIVERY} (d.status = 'delivered') <> (d.settled_at IS NOT NULL)",
}
# A column, and the table whose id it names.
LINEAGE = {
    ("billing_charge", "message_id"): "hub_message",
    ("hub_delivery", "fact_id"): "hub_fact",
    ("hub_fact", "message_id"): "hub_message",
    ("hub_fact", "cause_id"): "hub_fact",
    ("hub_waiting", "message_id"): "hub_message",
    ("erp_allocation", "fact_id"): "hub_fact",
    ("erp_allocation", "journal_id"): "erp_journal",
    ("erp_journalline", "charge_id"): "billing_charge",
    ("erp_journalline", "allocation_id"): "erp_allocation",
    ("erp_journal", "id"): "hub_dispatch",
    ("hub_delivery", "dispatch_id"): "hub_dispatch",
}
DANGLING = """
SELECT c.{column} FROM {table} c WHERE c.{column} IS NOT NULL
AND NOT EXISTS (SELECT FROM {parent} p WHERE p.id = c.{column})
"""


def messages(evidence: Evidence) -> list[str]:
    """Terminal, or waiting with exactly one open case that says why."""
    return _ask(evidence, "message", MESSAGES)


def cases(evidence: Evidence) -> list[str]:
    """No cause has two open cases, and no case outlives its cause."""
    return _ask(evidence, "case", CASES)


def deliveries(evidence: Evidence) -> list[str]:
    """Delivered, or stopped with a case, or blocked behind one that is; and no call is open."""
    return _ask(evidence, "delivery", DELIVERIES)


def lineage(evidence: Evidence) -> list[str]:
    """Raw bytes to posting, every row leads to the one that it came from."""
    questions = {
        f"is named by {table}.{column} and not in {parent}": DANGLING.format(table=table, column=column, parent=parent)
        for (table, column), parent in LINEAGE.items()
    }
    return _ask(evidence, "row", questions)


def _ask(evidence: Evidence, what: str, questions: dict[str, str]) -> list[str]:
    return [f"{what} {id_} {told}" for told, statement in questions.items() for (id_,) in evidence.rows(statement)]


def facts(evidence: Evidence) -> list[str]:
    """Each fact has one delivery for each listener, no more and no less."""
    findings = []
    for fact_id, name, routes in evidence.rows(
        "SELECT f.id, f.name, coalesce(array_agg(d.route ORDER BY d.route) FILTER (WHERE d.id IS NOT NULL), '{}')"
        " FROM hub_fact f LEFT JOIN hub_delivery d ON d.fact_id = f.id GROUP BY f.id, f.name"
    ):
        if sorted(routes) != sorted(LISTENERS.get(name, {"?"})):
            findings.append(f"fact {fact_id} {name} is delivered to {routes}")
    return findings


def lanes(evidence: Evidence) -> list[str]:
    """After the drain nobody owns a lane: who died or slept gave nothing back, and somebody took it over."""
    return [
        f"lane {queue}/{number} is leased until {until}"
        for queue, number, until in evidence.rows(
            "SELECT queue, number, leased_until FROM hub_lane WHERE token IS NOT NULL"
        )
    ]
