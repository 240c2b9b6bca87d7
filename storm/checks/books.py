"""The hub's journals against the ERP's own ledger. Amounts there are whole ten-thousandths."""

from collections import Counter, defaultdict
from decimal import Decimal

from storm.evidence import Evidence

TEN_THOUSANDTHS = Decimal(10_000)
JOURNALS = "SELECT id::text, status, erp_reference, total, lines FROM erp_journal"
LEGS = """
SELECT a.journal_id::text, l.charge_id::text || ':' || l.leg, l.debit, l.credit, a.id, a.total
FROM erp_allocation a JOIN erp_journalline l ON l.allocation_id = a.id
"""
BOOKED = "SELECT external_key, id, total_debit, total_credit, first_line, last_line FROM journals"
LINES = "SELECT id, line_key, debit, credit, reference FROM lines ORDER BY id"


def posted_once(evidence: Evidence) -> list[str]:
    """No external key twice, no line key twice."""
    keys = Counter(key for key, *_ in evidence.books(BOOKED))
    lines = Counter(line_key for _, line_key, *_ in evidence.books(LINES))
    return [f"the ERP has {key} {count} times" for key, count in (keys + lines).items() if count > 1]


def balanced(evidence: Evidence) -> list[str]:
    """Debits are credits, in every allocation, in every journal here and in every journal there."""
    sums: dict[str, list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    totals: dict[str, Decimal] = {}
    for journal_id, _, debit, credit, allocation_id, total in evidence.rows(LEGS):
        totals[f"allocation {allocation_id}"] = total
        for name in (f"allocation {allocation_id}", *([f"journal {journal_id}"] if journal_id else [])):
            sums[name][0] += debit
            sums[name][1] += credit
    for journal_id, status, _, total, _ in evidence.rows(JOURNALS):
        if status != "rejected":  # its allocations went into others
            totals[f"journal {journal_id}"] = total
    lines = evidence.books(LINES)
    for key, _, total_debit, _, first, last in evidence.books(BOOKED):
        own = [row for row in lines if first <= row[0] <= last] if len(lines) < 1000 else lines[first - 1 : last]
        sums[f"ERP {key}"] = [sum(Decimal(row[2]) for row in own), sum(Decimal(row[3]) for row in own)]  # type: ignore[list-item]
        totals[f"ERP {key}"] = Decimal(total_debit)
    return [
        f"{name}: debit {sums[name][0]}, credit {sums[name][1]}, total {total}"
        for name, total in totals.items()
        if not sums[name][0] == sums[name][1] == total
    ]


def agree(evidence: Evidence) -> list[str]:
    """Every posted journal is the ERP's, line by line, under the reference that we noted; and it has no other."""
    ours = {row[0]: row for row in evidence.rows(JOURNALS)}
    theirs = {row[0]: row for row in evidence.books(BOOKED)}
    findings = [
        f"journal {key} is {ours[key][1]} here and the ERP does not have it"
        for key in ours
        if ours[key][1] == "posted" and key not in theirs
    ]
    for key, (_, reference, *_rest) in theirs.items():
        if key not in ours:
            findings.append(f"the ERP has journal {key}, which was never made here")
        elif ours[key][1] != "posted" or ours[key][2] != reference:
            findings.append(f"the ERP has journal {key} as {reference}; here it is {ours[key][1]} {ours[key][2]}")
    posted = {key for key, row in ours.items() if row[1] == "posted"}
    here = {
        line_key: (debit * TEN_THOUSANDTHS, credit * TEN_THOUSANDTHS)
        for journal_id, line_key, debit, credit, _, _ in evidence.rows(LEGS)
        if journal_id in posted
    }
    there = {line_key: (Decimal(debit), Decimal(credit)) for _, line_key, debit, credit, _ in evidence.books(LINES)}
    differing = [key for key in here.keys() | there.keys() if here.get(key) != there.get(key)]
    findings += [f"line {key}: here {here.get(key)}, there {there.get(key)}" for key in differing]
    return findings


# Where a charge's way ended: the delivery of its own fact, and of the allocation that has its legs.
UNDER_WAY = """
SELECT b.id::text, b.status, EXISTS (SELECT FROM erp_journalline l WHERE l.charge_id = b.id),
       b.status = 'captured' AND EXISTS (
           SELECT FROM hub_fact f JOIN hub_delivery d ON d.fact_id = f.id
           WHERE d.status IN ('stopped', 'blocked') AND (
               f.message_id = b.message_id
               OR f.name = 'cost.allocated/1'
               AND f.cause_id IN (SELECT c.id FROM hub_fact c WHERE c.message_id = b.message_id)))
FROM billing_charge b
"""


def charges(evidence: Evidence) -> list[str]:
    """A charge is posted when the ERP has its lines or it costs nothing; in flight only behind a stop."""
    there = {reference for *_, reference in evidence.books(LINES)}
    findings = []
    for charge_id, status, costed, waits in evidence.rows(UNDER_WAY):
        if status == "posted" and costed and charge_id not in there:
            findings.append(f"charge {charge_id} is posted and the ERP has none of its lines")
        elif status == "captured" and charge_id in there:
            findings.append(f"charge {charge_id} is in the ERP and not posted here")
        elif status not in {"posted", "captured"} and costed:
            findings.append(f"charge {charge_id} is {status} and was costed")
        elif status == "captured" and not waits:
            findings.append(f"charge {charge_id} is in flight, and nothing of it waits")
    return findings
