"""How an account stands, as the rules for its charges see it."""

from datetime import date
from typing import NamedTuple


class Standing(NamedTuple):
    """How an account stands; of a merged one, how the account stands that took it over, at the end of the chain."""

    status: str
    merged_into: str = ""  # "" unless it was merged
    facility: str = ""  # ours
    final_billed_on: date | None = None
