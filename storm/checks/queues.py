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
MESSAGES = {
    "is still waiting for a worker": "SELECT m.id FROM hub_message m WHERE m.status = 'received'",
    "is stopped without exactly one open case": f"""
        SELECT m.id FROM hub_message m WHERE m.status = 'stopped' AND (SELECT count(*) FROM hub_exceptioncase c
            WHERE c.subject = 'message:' || m.id AND {OPEN}) <> 1""",
    "is stopped, and its key is not": """
        SELECT m.id FROM hub_message m JOIN hub_endpoint e ON e.id = m.endpoint_id WHERE m.status = 'stopped'
        AND NOT EXISTS (SELECT FROM hub_stop s WHERE s.queue = 'in:' || e.code AND s.key = m.key)""",
    "is blocked behind nothing": """
        SELECT m.id FROM hub_message m JOIN hub_endpoint e ON e.id = m.endpoint_id WHERE m.status = 'blocked'
        AND NOT EXISTS (SELECT FROM hub_stop s JOIN hub_message b ON b.id = s.subject_id
            WHERE s.queue = 'in:' || e.code AND s.key = m.key AND b.status = 'stopped')""",
    "is held and waits for no open case": f"""
        SELECT m.id FROM hub_message m WHERE m.status = 'held' AND NOT EXISTS (SELECT FROM hub_waiting w
            JOIN hub_exceptioncase c ON c.id = w.case_id WHERE w.message_id = m.id AND {OPEN})""",
    "waits for a case and is not held": """
        SELECT m.id FROM hub_message m WHERE m.status <> 'held'
        AND EXISTS (SELECT FROM hub_waiting w WHERE w.message_id = m.id)""",
    "has a held charge that waits for nothing": """
        SELECT b.message_id FROM billing_charge b WHERE b.status = 'held'
        AND NOT EXISTS (SELECT FROM hub_waiting w WHERE w.message_id = b.message_id AND w.part = b.part)""",
    "is done and does not say when": "SELECT m.id FROM hub_message m WHERE (m.status IN ('applied', 'skipped', 'refused')) <> (m.settled_at IS NOT NULL)",
}
CASES = {
    "is open twice": f"SELECT c.code || ' ' || c.subject FROM hub_exceptioncase c WHERE {OPEN} GROUP BY c.code, c.subject HAVING count(*) > 1",
    "is open, and its message is not stopped": f"""
        SELECT c.id FROM hub_exceptioncase c WHERE {OPEN} AND c.subject LIKE 'message:%' AND NOT EXISTS (
            SELECT FROM hub_message m WHERE 'message:' || m.id = c.subject AND m.status = 'stopped')""",
    "is open, and its delivery is not stopped": f"""
        SELECT c.id FROM hub_exceptioncase c WHERE {OPEN} AND c.subject LIKE 'delivery:%' AND NOT EXISTS (
            SELECT FROM hub_delivery d WHERE 'delivery:' || d.id = c.subject AND d.status = 'stopped')""",
    "is open, and nothing is in doubt": f"SELECT c.id FROM hub_exceptioncase c WHERE {OPEN} AND c.code = 'ERP_AMBIGUOUS'",
    "is open, and the partner answers": f"SELECT c.id FROM hub_exceptioncase c WHERE {OPEN} AND c.code = 'ERP_UNREACHABLE'",
    "is open for codes that nothing waits for": f"""
        SELECT c.id FROM hub_exceptioncase c WHERE {OPEN} AND c.subject LIKE 'mapping:%'
        AND NOT EXISTS (SELECT FROM hub_waiting w WHERE w.case_id = c.id)""",
    "is closed, and something waits for it": "SELECT c.id FROM hub_exceptioncase c JOIN hub_waiting w ON w.case_id = c.id WHERE c.closed_at IS NOT NULL",
    "says a defect of ours": f"SELECT c.code || ' ' || c.subject || ': ' || c.text FROM hub_exceptioncase c WHERE {OPEN} AND c.code IN ('BUG', 'POISON')",
}
DELIVERIES = {
    "is neither delivered nor stopped": "SELECT d.id FROM hub_delivery d WHERE d.status IN ('pending', 'sending')",
    "is stopped without exactly one open case": f"""
        SELECT d.id FROM hub_delivery d WHERE d.status = 'stopped' AND (SELECT count(*) FROM hub_exceptioncase c
            WHERE c.subject = 'delivery:' || d.id AND {OPEN}) <> 1""",
    "is blocked behind nothing": """
        SELECT d.id FROM hub_delivery d LEFT JOIN hub_endpoint e ON e.id = d.endpoint_id WHERE d.status = 'blocked'
        AND NOT EXISTS (SELECT FROM hub_stop s JOIN hub_delivery b ON b.id = s.subject_id WHERE b.status = 'stopped'
            AND s.key = d.key AND s.queue = d.route || coalesce('@' || e.code, ''))""",
    "is a call that is not settled": "SELECT o.id FROM hub_dispatch o WHERE o.status IN ('sending', 'waiting', 'in_doubt')",
    "is delivered by a call that was not": """
        SELECT d.id FROM hub_delivery d JOIN hub_dispatch o ON o.id = d.dispatch_id
        WHERE d.status = 'delivered' AND o.status <> 'delivered'""",
    "is delivered and does not say when": "SELECT d.id FROM hub_delivery d WHERE (d.status = 'delivered') <> (d.settled_at IS NOT NULL)",
}
LINEAGE = {
    "is a charge without its message": "SELECT b.id FROM billing_charge b WHERE NOT EXISTS (SELECT FROM hub_message m WHERE m.id = b.message_id)",
    "is a delivery without its fact": "SELECT d.id FROM hub_delivery d WHERE NOT EXISTS (SELECT FROM hub_fact f WHERE f.id = d.fact_id)",
    "is a fact without its message": "SELECT f.id FROM hub_fact f WHERE f.message_id IS NOT NULL AND NOT EXISTS (SELECT FROM hub_message m WHERE m.id = f.message_id)",
    "is an allocation without its fact": "SELECT a.id FROM erp_allocation a WHERE NOT EXISTS (SELECT FROM hub_fact f WHERE f.id = a.fact_id)",
    "is an allocation in a journal that is none": "SELECT a.id FROM erp_allocation a WHERE a.journal_id IS NOT NULL AND NOT EXISTS (SELECT FROM erp_journal j WHERE j.id = a.journal_id)",
    "is a leg without its charge": "SELECT l.charge_id FROM erp_journalline l WHERE NOT EXISTS (SELECT FROM billing_charge b WHERE b.id = l.charge_id)",
    "is a leg without its allocation": "SELECT l.charge_id FROM erp_journalline l WHERE NOT EXISTS (SELECT FROM erp_allocation a WHERE a.id = l.allocation_id)",
    "is a journal without its call": "SELECT j.id FROM erp_journal j WHERE NOT EXISTS (SELECT FROM hub_dispatch o WHERE o.id = j.id)",
}


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
    return _ask(evidence, "row", LINEAGE)


def _ask(evidence: Evidence, what: str, questions: dict[str, str]) -> list[str]:
    return [
        f"{what} {id_} {told}"
        for told, statement in questions.items()
        for (id_,) in evidence.rows(statement)
    ]


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
