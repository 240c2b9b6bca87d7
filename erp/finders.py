"""What the ledger finds messages by: the journal that their charges went into."""

from hub import finders
from hub.finders import Indexed, as_id

JOURNAL = """
SELECT DISTINCT f.message_id FROM erp_allocation a JOIN hub_fact f ON f.id = a.fact_id
WHERE a.journal_id = %(value)s AND f.message_id < %(before)s ORDER BY f.message_id DESC LIMIT %(limit)s
"""

finders.register((Indexed("journal", "Journal", JOURNAL, as_id),))
