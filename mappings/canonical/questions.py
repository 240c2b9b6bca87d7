"""Questions that any domain or outside system may ask, and the shape of their answers."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True, kw_only=True)
class DimensionQuestion:
    """Is this code valid on this date? `kind`: cost_center, gl_account, department, item, facility, service_line."""

    kind: str
    code: str
    on: date
    facility: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DimensionVerdict:
    """`valid` with no reason, or the reason in a word and a sentence that says what to do."""

    valid: bool
    code: str
    name: str = ""
    reason: str = ""  # unknown | inactive | not_yet_valid | expired | not_postable
    text: str = ""
