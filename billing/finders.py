"""What billing finds messages by: accounts and charges through its indexes, orders and items through the filters."""

from hub import finders
from hub.finders import Filtered, Indexed

ACCOUNT = """
SELECT DISTINCT message_id FROM billing_charge WHERE account = %(value)s AND message_id < %(before)s
ORDER BY message_id DESC LIMIT %(limit)s
"""
# The sender's transaction id, or the line key that we made of the line.
CHARGE = """
SELECT DISTINCT c.message_id FROM hub_partner p
JOIN billing_chargekey k ON k.partner = p.code AND k.line_key = %(value)s
JOIN billing_charge c ON c.id = k.charge_id
WHERE c.message_id < %(before)s ORDER BY c.message_id DESC LIMIT %(limit)s
"""
WITHIN = """
SELECT DISTINCT message_id FROM billing_charge
WHERE message_id >= %(low)s AND message_id < %(before)s AND {column} = %(value)s
"""

finders.register(
    (
        Indexed("account", "Account with charges", ACCOUNT),
        Indexed("charge", "Transaction id of a charge", CHARGE),
        Filtered("order", "Order number", WITHIN.format(column="filler_order"), finders.words),
        Filtered("item", "Item or charge code as its sender writes it", WITHIN.format(column="source_code"),
                 finders.words),
    )
)  # fmt: skip
