"""The invariants after the storm (reliability, section 7), each a function that says what it found broken.

Told by SQL of its own and by the partners' ledgers; each has a planted bug in tests/storm that it must find.
"""

from collections.abc import Callable

from storm.checks import books, inbox, queues
from storm.evidence import Evidence

Check = Callable[[Evidence], list[str]]
CHECKS: dict[str, Check] = {
    "INV-1 acknowledged is stored": inbox.lost,
    "INV-3 a message is stored once": inbox.stored_once,
    "INV-3 a charge is booked once": inbox.charged_once,
    "INV-4 money in is conserved": inbox.money_in,
    "INV-2 a message is settled or has its case": queues.messages,
    "INV-2 one open case per cause": queues.cases,
    "INV-16 a delivery is settled or has its case": queues.deliveries,
    "INV-16 every fact has its deliveries": queues.facts,
    "INV-17 no lane is leased": queues.lanes,
    "INV-15 nothing dangles": queues.lineage,
    "INV-3 the ERP has each journal and line once": books.posted_once,
    "INV-5 every journal balances": books.balanced,
    "INV-6 the hub's posted journals are the ERP's": books.agree,
    "INV-4 a charge is posted exactly when the ERP has it": books.charges,
}
# What the two words of the last line count.
LOST = ("INV-1 acknowledged is stored",)
DOUBLED = (
    "INV-3 a message is stored once", "INV-3 a charge is booked once", "INV-3 the ERP has each journal and line once",
)  # fmt: skip


def run(evidence: Evidence) -> dict[str, list[str]]:
    """Every check's findings; none where all is well."""
    return {name: check(evidence) for name, check in CHECKS.items()}
