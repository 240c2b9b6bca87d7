"""The ledger's invariants (docs/operating/verify.md): balanced, costed once, never more taken back than there was."""

from decimal import Decimal

from erp import connectors
from erp.models import Journal
from hub import bulk, verification
from hub.invariants.states import declared
from hub.models import Endpoint
from hub.verification import Check, Found, Span, Violation, register, sql
from mappings.canonical import CapturedLine, ChargeCaptured

ALLOCATIONS = "SELECT count(*) FROM erp_allocation WHERE id >= %(since_id)s"
JOURNALS = "SELECT count(*) FROM erp_journal WHERE id >= %(since_id)s AND status <> 'rejected'"
LEGS = """
SELECT count(*) FROM erp_allocation a JOIN erp_journalline l ON l.allocation_id = a.id WHERE a.id >= %(since_id)s
"""
CALLED = "SELECT count(*) FROM erp_journal WHERE id >= %(since_id)s"
UNBALANCED = """
SELECT 'allocation:' || a.id, 'its ' || l.legs || ' legs have ' || l.debit || ' debit and ' || l.credit || ' credit',
       l.debit - l.credit
FROM erp_allocation a CROSS JOIN LATERAL (
    SELECT count(*) AS legs, coalesce(sum(debit), 0) AS debit, coalesce(sum(credit), 0) AS credit
    FROM erp_journalline l WHERE l.allocation_id = a.id
) l WHERE a.id >= %(since_id)s AND (l.legs < 2 OR l.debit <> l.credit)
"""
ONE_SIDED = """
SELECT 'journal line:' || l.charge_id || ':' || l.leg,
       'it has ' || l.debit || ' debit and ' || l.credit || ' credit', l.debit - l.credit
FROM erp_allocation a JOIN erp_journalline l ON l.allocation_id = a.id
WHERE a.id >= %(since_id)s AND NOT ((l.debit > 0 AND l.credit = 0) OR (l.debit = 0 AND l.credit > 0))
"""
CROOKED = """
SELECT 'journal:' || j.id, 'it says ' || j.lines || ' lines and ' || j.total || ', and has ' || l.legs || ' with '
       || l.debit || ' debit and ' || l.credit || ' credit', j.total - l.debit
FROM erp_journal j CROSS JOIN LATERAL (
    SELECT count(*) AS legs, coalesce(sum(l.debit), 0) AS debit, coalesce(sum(l.credit), 0) AS credit
    FROM erp_allocation a JOIN erp_journalline l ON l.allocation_id = a.id WHERE a.journal_id = j.id
) l
WHERE j.id >= %(since_id)s AND j.status <> 'rejected'
AND (l.legs <> j.lines OR l.legs < 2 OR l.debit <> j.total OR l.credit <> j.total)
"""
STRANGERS = """
SELECT 'allocation:' || a.id, 'its facility, currency or date is not that of its journal ' || j.id, a.total
FROM erp_allocation a JOIN erp_journal j ON j.id = a.journal_id
WHERE a.id >= %(since_id)s
AND (a.facility, a.currency, a.posting_date) IS DISTINCT FROM (j.facility, j.currency, j.posting_date)
"""
COSTED_TWICE = """
SELECT 'charge:' || l.charge_id, 'its cost is in ' || count(DISTINCT l.allocation_id) || ' allocations',
       sum(l.debit)
FROM erp_allocation a JOIN erp_journalline l ON l.allocation_id = a.id
WHERE a.id >= %(since_id)s GROUP BY l.charge_id HAVING count(DISTINCT l.allocation_id) > 1
"""
ALLOCATED_TWICE = """
SELECT 'fact:' || fact_id, 'it was allocated ' || count(*) || ' times for ' || posting_date, sum(total)
FROM erp_allocation WHERE id >= %(since_id)s GROUP BY fact_id, posting_date HAVING count(*) > 1
"""
CALLS = """
SELECT 'journal:' || j.id, 'it is ' || j.status || ' under "' || j.erp_reference || '", its call '
       || coalesce(o.status || ' under "' || o.reference || '"', 'is not here'), j.total
FROM erp_journal j LEFT JOIN hub_dispatch o ON o.id = j.id
WHERE j.id >= %(since_id)s AND (o.id IS NULL
    OR j.status <> CASE WHEN o.status = 'delivered' THEN 'posted'
        WHEN o.status IN ('rejected', 'given_up') THEN 'rejected' ELSE 'posting' END
    OR (j.status = 'posted' AND j.erp_reference <> o.reference))
"""
REFERENCES = """
SELECT 'journal:' || max(id::text), count(*) || ' journals have the reference ' || erp_reference, sum(total)
FROM erp_journal WHERE id >= %(since_id)s AND status = 'posted'
GROUP BY endpoint_id, erp_reference HAVING count(*) > 1
"""
REVERSALS = """
SELECT count(*) FROM erp_allocation a JOIN erp_journalline l ON l.allocation_id = a.id
WHERE a.id >= %(since_id)s AND l.original_id IS NOT NULL
"""
# A reversal's leg is on the other side of its original's; what is taken back of a leg is at most the leg.
EXCEEDED = """
WITH touched AS (
    SELECT DISTINCT l.original_id FROM erp_allocation a JOIN erp_journalline l ON l.allocation_id = a.id
    WHERE a.id >= %(since_id)s AND l.original_id IS NOT NULL
), taken AS (
    SELECT r.original_id, r.original_leg, sum(r.debit) AS debit, sum(r.credit) AS credit
    FROM touched t JOIN erp_journalline r ON r.original_id = t.original_id GROUP BY 1, 2
)
SELECT 'charge:' || k.original_id, CASE WHEN o.charge_id IS NULL THEN 'what was taken back of it never was posted'
    ELSE 'of its leg ' || o.leg || ' more was taken back than there was' END,
    k.debit + k.credit - coalesce(o.debit + o.credit, 0)
FROM taken k LEFT JOIN erp_journalline o ON o.charge_id = k.original_id AND o.leg = k.original_leg
WHERE o.charge_id IS NULL OR k.debit > o.credit OR k.credit > o.debit
"""
# Statistical quantity: the original's legs carry what was charged, its reversals the negative of what went back.
LEFT_OVER = """
WITH touched AS (
    SELECT DISTINCT l.original_id FROM erp_allocation a JOIN erp_journalline l ON l.allocation_id = a.id
    WHERE a.id >= %(since_id)s AND l.original_id IS NOT NULL
), sums AS (
    SELECT t.original_id, l.account, l.cost_center, sum(l.debit - l.credit) AS rest, sum(l.quantity) AS quantity
    FROM touched t JOIN erp_journalline l ON l.charge_id = t.original_id OR l.original_id = t.original_id
    GROUP BY 1, 2, 3
)
SELECT 'charge:' || original_id, 'all of it was taken back, and ' || max(abs(rest)) || ' is left', max(abs(rest))
FROM sums GROUP BY original_id HAVING sum(quantity) = 0 AND max(abs(rest)) > 0
"""
TOTALS = """
SELECT 'allocation:' || a.id, 'it says ' || a.total || ' and its legs ' || coalesce(sum(l.debit), 0),
       a.total - coalesce(sum(l.debit), 0)
FROM erp_allocation a LEFT JOIN erp_journalline l ON l.allocation_id = a.id
WHERE a.id >= %(since_id)s GROUP BY a.id, a.total HAVING a.total <> coalesce(sum(l.debit), 0)
"""
COSTS = f"""
SELECT 'charge:' || x.id, 'it costs ' || x.cost || ' and ' || x.allocated || ' was allocated', x.cost - x.allocated
FROM (
    SELECT (c ->> 0) AS id, abs(round((c ->> {CapturedLine.__struct_fields__.index("unit_cost")})::numeric
               * (c ->> {CapturedLine.__struct_fields__.index("quantity")})::numeric, 2)) AS cost,
           (SELECT coalesce(sum(l.debit), 0) FROM erp_journalline l WHERE l.charge_id = (c ->> 0)::uuid) AS allocated
    FROM (SELECT DISTINCT fact_id FROM erp_allocation WHERE id >= %(since_id)s) a
    JOIN hub_fact f ON f.id = a.fact_id AND f.name = '{ChargeCaptured.name}'
    CROSS JOIN LATERAL jsonb_array_elements(f.payload -> 'lines') c
) x WHERE x.cost <> x.allocated
"""  # noqa: S608  (names of our own)
FACTS = """
SELECT 'allocation:' || a.id, 'the fact that it costs is not here', a.total FROM erp_allocation a
WHERE a.id >= %(since_id)s AND a.fact_id >= %(kept_id)s
AND NOT EXISTS (SELECT 1 FROM hub_fact f WHERE f.id = a.fact_id)
"""
IN_JOURNALS = """
SELECT 'allocation:' || a.id, 'its journal ' || a.journal_id || ' is not here', a.total FROM erp_allocation a
WHERE a.id >= %(since_id)s AND a.journal_id IS NOT NULL
AND NOT EXISTS (SELECT 1 FROM erp_journal j WHERE j.id = a.journal_id)
"""
ORPHANS = """
SELECT 'journal line:' || l.charge_id || ':' || l.leg, 'its allocation is not here', l.debit + l.credit
FROM erp_journalline l WHERE l.charge_id >= %(since_id)s
AND NOT EXISTS (SELECT 1 FROM erp_allocation a WHERE a.id = l.allocation_id)
"""
OURS = """
SELECT l.account, l.cost_center, sum(l.debit) FILTER (WHERE j.status = 'posted'), sum(l.debit),
       sum(l.credit) FILTER (WHERE j.status = 'posted'), sum(l.credit)
FROM erp_journal j JOIN erp_allocation a ON a.journal_id = j.id JOIN erp_journalline l ON l.allocation_id = a.id
WHERE j.endpoint_id = %s AND j.status <> 'rejected' AND to_char(j.posting_date, 'YYYY-MM') = %s GROUP BY 1, 2
"""
PERIODS = """
SELECT DISTINCT to_char(posting_date, 'YYYY-MM') FROM erp_journal
WHERE endpoint_id = %(endpoint)s AND id >= %(since_id)s AND status <> 'rejected' ORDER BY 1
"""
Place = tuple[str, str]  # account, cost centre
Sides = tuple[Decimal, Decimal]  # debit, credit
NOTHING: Sides = (Decimal(0), Decimal(0))


def partners(span: Span) -> Found:
    """INV-6: what each ERP has in the periods that were posted to, account by account, against what we posted.

    Journals on their way may be there already or not yet. What we posted is read before and after the ERP is asked:
    it has no less than the first, and no more than the second with all that is on its way.
    """
    checked, wrong = 0, []
    for endpoint in Endpoint.objects.filter(direction="out", active=True).order_by("pk"):
        if endpoint.format not in connectors.CONNECTORS or not connectors.of(endpoint).capabilities().balances:
            continue
        for period in _periods(endpoint, span):
            least, _ = _ours(endpoint, period)
            theirs = _theirs(endpoint, period)
            _, most = _ours(endpoint, period)
            for place in sorted(most.keys() | theirs.keys()):
                checked += 1
                low, has, high = (sides.get(place, NOTHING) for sides in (least, theirs, most))
                if not all(a <= b <= c for a, b, c in zip(low, has, high, strict=True)):
                    wrong.append(_differing(endpoint, period, place, low, has))
    return Found(checked, wrong)


def _periods(endpoint: Endpoint, span: Span) -> list[str]:
    with verification.looking():
        return [period for (period,) in bulk.ask(PERIODS, {**span.params(), "endpoint": endpoint.pk})]


def _ours(endpoint: Endpoint, period: str) -> tuple[dict[Place, Sides], dict[Place, Sides]]:
    """Debit and credit by place: of what is posted, and together with what is on its way."""
    posted, all_ = {}, {}
    with verification.looking():
        rows = bulk.ask(OURS, [endpoint.pk, period])
    for account, center, debit, most_debit, credit, most_credit in rows:
        posted[account, center] = (debit or Decimal(0), credit or Decimal(0))
        all_[account, center] = (most_debit, most_credit)
    return posted, all_


def _theirs(endpoint: Endpoint, period: str) -> dict[Place, Sides]:
    told = connectors.of(endpoint).balance("ledger", period)
    return {(row["account"], row["cost_center"]): (Decimal(row["debit"]), Decimal(row["credit"])) for row in told}


def _differing(endpoint: Endpoint, period: str, place: Place, ours: Sides, theirs: Sides) -> Violation:
    return Violation(
        f"balance:{endpoint.code}:{period}:{':'.join(place)}",
        f"we posted {ours[0]} debit and {ours[1]} credit, {endpoint.name} has {theirs[0]} and {theirs[1]}",
        (theirs[0] - theirs[1]) - (ours[0] - ours[1]),
    )


MONEY = "finance"
register(
    [
        Check("INV-3", "legs", "The cost of a charge is allocated once.", sql(LEGS, COSTED_TWICE), MONEY),
        Check("INV-3", "allocations", "A fact is allocated once for each posting date.",
              sql(ALLOCATIONS, ALLOCATED_TWICE), MONEY),
        Check("INV-5", "allocations", "Every allocation has two legs at least, and they balance.",
              sql(ALLOCATIONS, UNBALANCED), MONEY),
        Check("INV-5", "legs", "Every leg is a debit or a credit, above zero.", sql(LEGS, ONE_SIDED), MONEY),
        Check("INV-5", "journals", "Every journal has the lines and the total that it says, and balances.",
              sql(JOURNALS, CROOKED), MONEY),
        Check("INV-5", "one journal", "A journal holds one facility, currency and date.",
              sql(ALLOCATIONS + " AND journal_id IS NOT NULL", STRANGERS), MONEY),
        Check("INV-6", "calls", "A journal is posted exactly when its call was delivered, under one reference.",
              sql(CALLED, CALLS), MONEY),
        Check("INV-6", "references", "No two journals have one reference at the ERP.", sql(CALLED, REFERENCES), MONEY),
        Check("INV-6", "partners", "Each ERP's balances are what we posted.", partners, MONEY, outside=True),
        Check("INV-7", "taken back", "Never more is taken back than was posted.", sql(REVERSALS, EXCEEDED), MONEY),
        Check("INV-7", "nothing left", "What was taken back wholly adds up to zero.",
              sql(REVERSALS, LEFT_OVER), MONEY),
        Check("INV-8", "totals", "The legs of an allocation add up to its total.", sql(ALLOCATIONS, TOTALS), MONEY),
        Check("INV-8", "costs", "What was allocated of a charge is its cost, to the cent.",
              sql(ALLOCATIONS, COSTS), MONEY),
        declared(Journal, ends=("posted", "rejected")),
        Check("INV-15", "allocations", "The fact of every allocation is here.", sql(ALLOCATIONS, FACTS), MONEY),
        Check("INV-15", "journals", "The journal of every allocation is here.",
              sql(ALLOCATIONS + " AND journal_id IS NOT NULL", IN_JOURNALS), MONEY),
        Check("INV-15", "journal lines", "The allocation of every leg is here.",
              sql("SELECT count(*) FROM erp_journalline WHERE charge_id >= %(since_id)s", ORPHANS), MONEY),
    ]
)  # fmt: skip
