"""Billing's invariants (docs/operating/verify.md): no line lost or doubled, money conserved to the cent."""

from typing import Any

from django.utils import timezone

from billing import reconciliation
from billing.models import Charge, Visit
from hub.invariants.states import declared
from hub.verification import Check, Found, Span, Violation, register, sql
from mappings.canonical import ChargeCaptured, ChargeReversed, JournalPosted

CHARGES = "SELECT count(*) FROM billing_charge WHERE id >= %(since_id)s"
DOUBLED_PARTS = """
SELECT 'charge:' || max(id::text), 'its message''s part ' || part || ' has ' || count(*) || ' lines', sum(amount)
FROM billing_charge WHERE id >= %(since_id)s GROUP BY message_id, part HAVING count(*) > 1
"""
DOUBLED_KEYS = """
SELECT 'charge:' || max(id::text), count(*) || ' lines of ' || partner || ' have its key', sum(amount)
FROM billing_charge WHERE id >= %(since_id)s GROUP BY partner, line_key HAVING count(*) > 1
"""
DOCUMENTS = """
SELECT 'message:' || m.id, 'it holds ' || m.parts || ' lines and ' || c.lines || ' are here', NULL::numeric
FROM hub_message m CROSS JOIN LATERAL (SELECT count(*) AS lines FROM billing_charge c WHERE c.message_id = m.id) c
WHERE m.id >= %(since_id)s AND m.kind = ANY(%(kinds)s) AND m.status IN ('applied', 'held') AND c.lines <> m.parts
"""
# What was told of a line when it entered the books never changes, nor may what its row says.
TOLD = f"""
WITH told AS MATERIALIZED (
    SELECT (l ->> 0)::uuid AS id, count(*) AS times, sum({reconciliation.TOLD}) AS amount
    FROM hub_fact f CROSS JOIN LATERAL jsonb_array_elements(f.payload -> 'lines') l
    WHERE f.id >= %(since_id)s AND f.name IN ('{ChargeCaptured.name}', '{ChargeReversed.name}') GROUP BY 1
)
SELECT 'charge:' || t.id, CASE
    WHEN c.id IS NULL THEN 'it was told to the ledger and is not here'
    WHEN c.status NOT IN ('captured', 'posted') THEN 'it was told to the ledger and is ' || c.status
    WHEN t.times > 1 THEN 'it was told to the ledger ' || t.times || ' times'
    ELSE 'it was told with ' || t.amount || ' and says ' || c.amount END, coalesce(c.amount, t.amount)
FROM told t LEFT JOIN billing_charge c ON c.id = t.id
WHERE c.id IS NULL OR c.status NOT IN ('captured', 'posted') OR t.times > 1 OR t.amount <> c.amount
UNION ALL
SELECT 'charge:' || c.id, 'it is ' || c.status || ' and nobody was told', c.amount
FROM billing_charge c WHERE c.id >= %(since_id)s AND c.status IN ('captured', 'posted')
AND NOT EXISTS (SELECT 1 FROM told t WHERE t.id = c.id)
"""  # noqa: S608  (names of our own)
# Between the ledger's yes and billing's hearing of it a charge is in flight, rightly.
POSTED = f"""
WITH said AS (
    SELECT DISTINCT ON (x.id) x.id::uuid AS id,
        EXISTS (SELECT 1 FROM hub_delivery d WHERE d.fact_id = f.id AND d.route = 'charges.posted'
                AND d.status = 'delivered') AS heard
    FROM hub_fact f CROSS JOIN LATERAL jsonb_array_elements_text(f.payload -> 'charge_ids') x(id)
    WHERE f.id >= %(since_id)s AND f.name = '{JournalPosted.name}' ORDER BY x.id, heard DESC
)
SELECT 'charge:' || c.id, CASE WHEN s.id IS NULL THEN 'it says posted and no ledger said so'
    ELSE 'the ledger has it and it says ' || c.status END, c.amount
FROM billing_charge c LEFT JOIN said s ON s.id = c.id
WHERE c.id >= %(since_id)s AND ((c.status = 'posted' AND s.id IS NULL)
    OR (c.status <> 'posted' AND s.heard))
"""  # noqa: S608
HELD = """
SELECT 'charge:' || c.id, 'it is held by ' || c.hold_code || ' and waits for no case', c.amount
FROM billing_charge c WHERE c.status = 'held' AND c.hold_code <> '' AND NOT EXISTS (
    SELECT 1 FROM hub_waiting w WHERE w.message_id = c.message_id AND w.part = c.part
)
"""
MESSAGES = """
SELECT 'charge:' || c.id, 'its message is not here', c.amount FROM billing_charge c
WHERE c.id >= %(since_id)s AND c.message_id >= %(kept_id)s
AND NOT EXISTS (SELECT 1 FROM hub_message m WHERE m.id = c.message_id)
"""
ORIGINALS = """
SELECT 'charge:' || c.id, 'what it takes back, or repeats, is not here', c.amount FROM billing_charge c
WHERE c.id >= %(since_id)s AND c.original_id IS NOT NULL
AND NOT EXISTS (SELECT 1 FROM billing_charge o WHERE o.id = c.original_id)
"""
# Other content under a known key is in the books only if a person accepted it as a charge of its own.
CONFLICTS = """
SELECT 'charge:' || c.id, 'its key came before with other content, and it is ' || c.status || ' without a decision',
       c.amount
FROM billing_charge c JOIN billing_chargekey k ON k.partner = c.partner AND k.line_key = c.line_key
JOIN billing_charge o ON o.id = c.original_id
JOIN billing_chargekey b ON b.partner = o.partner AND b.line_key = o.line_key
WHERE c.id >= %(since_id)s AND c.kind = 'charge' AND c.status IN ('captured', 'posted', 'held')
AND c.line_key LIKE left(o.line_key, 150) || '|%%' AND k.content <> b.content
AND NOT 'accepted:CHG_CONFLICT' = ANY(c.flags)
AND NOT (c.status = 'held' AND c.hold_code = 'CHG_CONFLICT' AND EXISTS (
    SELECT 1 FROM hub_exceptioncase x WHERE x.code = 'CHG_CONFLICT' AND x.subject = 'charge:' || c.id
    AND x.status IN ('open', 'assigned', 'waived')
))
"""
KEYS = """
SELECT 'charge:' || c.id, 'its key belongs to another line, or to none', c.amount
FROM billing_charge c WHERE c.id >= %(since_id)s AND NOT EXISTS (
    SELECT 1 FROM billing_chargekey k WHERE k.partner = c.partner AND k.line_key = c.line_key AND k.charge_id = c.id
)
"""


def _kinds() -> dict[str, Any]:
    return {"kinds": reconciliation.kinds()}


def totals(span: Span) -> Found:
    """INV-4 as the reconciliation page shows it: no interface, facility, day and currency with a difference."""
    zone = timezone.get_default_timezone()
    first = span.params()["since"].astimezone(zone).date()
    found = reconciliation.balances(first, timezone.localdate())
    wrong = [
        Violation(
            f"reconciliation:{one.day}:{one.endpoint_id}:{one.facility}",
            f"of {one.lines_in} lines {one.lines_missing} are not accounted for, of {one.money_in} {one.currency} "
            f"{one.difference}",
            one.difference,
        )
        for one in found
        if not one.balanced
    ]
    return Found(sum(one.lines_in for one in found), wrong)


HELD_NOW = "SELECT count(*) FROM billing_charge WHERE status = 'held' AND hold_code <> ''"
register(
    [
        Check("INV-2", "held charges", "A held charge waits for a case.", sql(HELD_NOW, HELD), "revenue_cycle"),
        Check("INV-3", "parts", "A message's line is captured once.", sql(CHARGES, DOUBLED_PARTS), "finance"),
        Check("INV-3", "line keys", "A sender's line is captured once.", sql(CHARGES, DOUBLED_KEYS), "finance"),
        Check(
            "INV-4", "documents", "Every line of every message that was applied is here.",
            sql("SELECT count(*) FROM hub_message WHERE id >= %(since_id)s AND kind = ANY(%(kinds)s)"
                " AND status IN ('applied', 'held')", DOCUMENTS, _kinds), "finance",
        ),
        Check("INV-4", "told", "Every line in the books was told to the ledger once, with its money.",
              sql(CHARGES, TOLD), "finance"),
        Check("INV-4", "posted", "What says posted, a ledger has; what a ledger has, says posted.",
              sql(CHARGES, POSTED), "finance"),
        Check("INV-4", "totals", "In = posted + reversed + in flight + held + rejected + duplicate + waived.",
              totals, "finance"),
        declared(Charge),
        declared(Visit, recent="updated_at >= %(since)s"),
        Check("INV-15", "charges", "The message of every line is here.", sql(CHARGES, MESSAGES)),
        Check("INV-15", "originals", "What a credit takes back is here.",
              sql(CHARGES + " AND original_id IS NOT NULL", ORIGINALS), "finance"),
        Check("INV-15", "line keys", "Every line owns its key.", sql(CHARGES, KEYS), "finance"),
        Check("INV-18", "conflicts", "Other content under a known key is booked by a person only.",
              sql(CHARGES + " AND kind = 'charge' AND original_id IS NOT NULL", CONFLICTS), "finance"),
    ]
)  # fmt: skip
