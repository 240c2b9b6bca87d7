"""The crosswalk: what a partner's code means here on a day. One query for a whole batch, whatever kinds it mixes.

Which row answers, first to last: the code limited to the sender's facility; the code for all facilities; the code
itself, where the partner shares our codes in that domain; the default row "*", the facility's before the general one.
An answer by default says so (`Meaning.by_default`): it is allowed, and counted on the dashboard. Among rows of the same
rank one in force beats one that was retired later; a retired row still speaks for the days up to its last one
(`valid_to`), and one without a last day was withdrawn altogether (`mappings.flows.mappings.retire`).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from django.db import connection

from hub.routing import MissingCode

DEFAULT = "*"
# Who maps which kind of code, and the case that a missing one opens (domain catalogue, mapping exceptions).
OWNERS = {
    "facility": ("MAP_MISSING", "integration"),
    "department": ("MAP_MISSING", "finance"),
    "location": ("MAP_MISSING", "finance"),
    "service_line": ("MAP_MISSING", "finance"),
    "vendor": ("MAP_MISSING", "finance"),
    "payer_class": ("MAP_MISSING", "revenue_cycle"),
    "charge_code": ("CHG_CODE_UNKNOWN", "revenue_cycle"),
    "item": ("ITEM_UNKNOWN", "supply_chain"),
    "uom": ("UOM_UNKNOWN", "supply_chain"),
}
_ROWS = """
    WITH asked AS (SELECT * FROM unnest(%s::text[], %s::text[], %s::text[]) AS a(partner, domain, code))
    SELECT a.partner, a.domain, a.code, m.facility, m.target_code, m.valid_from, m.valid_to, m.status = 'retired'
      FROM asked a
      JOIN hub_partner p ON p.code = a.partner
      JOIN mappings_mapping m ON m.partner_id = p.id AND m.domain = a.domain AND m.source_code = a.code
     WHERE m.status = 'approved' OR (m.status = 'retired' AND m.valid_to IS NOT NULL)
    UNION ALL
    SELECT a.partner, a.domain, NULL, '', '', NULL, NULL, false
      FROM (SELECT DISTINCT partner, domain FROM asked) a
      JOIN hub_partner p ON p.code = a.partner
      JOIN mappings_sharedcodes s ON s.partner_id = p.id AND s.domain = a.domain
"""


class CodeRequest(NamedTuple):
    """One code to translate. `facility` is the partner's own facility code; `on` the day on which the code was used."""

    partner: str
    domain: str
    code: str
    on: date
    facility: str = ""
    text: str = ""


class Row(NamedTuple):
    """One line of the crosswalk."""

    facility: str
    target: str
    valid_from: date
    valid_to: date | None
    retired: bool = False


@dataclass(frozen=True, slots=True)
class Meaning:
    """Our code. A `shared` one was mapped by nobody: if we do not know it, `otherwise` is the default row's target."""

    code: str
    by_default: bool = False
    shared: bool = False
    otherwise: str = ""


def choose(rows: Sequence[Row], facility: str, on: date) -> Row | str:
    """The row that speaks for this facility and day, or the reason why none does. Pure.

    Reasons: "unknown", "expired", "not_yet_valid", and "ambiguous" where two rows of the same rank disagree.
    """
    reason = "unknown"
    for scope in (facility, "") if facility else ("",):
        own = [row for row in rows if row.facility == scope]
        valid = [row for row in own if row.valid_from <= on and (row.valid_to is None or on <= row.valid_to)]
        best = [row for row in valid if not row.retired] or valid
        if best:
            return best[0] if len({row.target for row in best}) == 1 else "ambiguous"
        if own and reason == "unknown":
            reason = "expired" if any(row.valid_from <= on for row in own) else "not_yet_valid"
    return reason


class Crosswalk:
    """The rows that matter for one batch. Asked often, so every answer is kept."""

    def __init__(self, rows: dict[tuple[str, str, str], list[Row]], shared: frozenset[tuple[str, str]]) -> None:
        self._rows = rows
        self._shared = shared
        self._defaults = {(partner, domain) for partner, domain, code in rows if code == DEFAULT}
        self._known: dict[tuple[str, str, str, str, date], Meaning | str] = {}

    def meaning(self, partner: str, domain: str, facility: str, code: str, on: date) -> Meaning | str:
        """What the code means on that day, or the reason why it means nothing (see `choose`)."""
        if (partner, domain, code) not in self._rows and (partner, domain) not in self._defaults:
            facility, on = "", date.min  # no row at all: the same answer everywhere and on every day
        key = (partner, domain, facility, code, on)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._find(*key)
        return found

    def _find(self, partner: str, domain: str, facility: str, code: str, on: date) -> Meaning | str:
        own = self._rows.get((partner, domain, code), ())
        # A code that nobody sent ("") or that is the default's own name can only be answered by the default row.
        row = choose(own, facility, on) if code not in {"", DEFAULT} else "unknown"
        if isinstance(row, Row):
            return Meaning(row.target)
        if row == "ambiguous":
            return row  # two people said two things: a default would hide that
        default = choose(self._rows.get((partner, domain, DEFAULT), ()), facility, on)
        spare = default.target if isinstance(default, Row) else ""
        if row == "unknown" and code not in {"", DEFAULT} and (partner, domain) in self._shared:
            return Meaning(code, shared=True, otherwise=spare)
        return Meaning(spare, by_default=True) if spare else row


def load(codes: Iterable[tuple[str, str, str]]) -> Crosswalk:
    """The crosswalk for these (partner, domain, code): one query, however many they are."""
    wanted = set(codes)
    wanted |= {(partner, domain, DEFAULT) for partner, domain, _ in wanted}
    rows: dict[tuple[str, str, str], list[Row]] = {}
    shared: set[tuple[str, str]] = set()
    for partner, domain, code, *row in _fetch(wanted):
        if code is None:
            shared.add((partner, domain))
        else:
            rows.setdefault((partner, domain, code), []).append(Row(*row))
    return Crosswalk(rows, frozenset(shared))


def _fetch(wanted: set[tuple[str, str, str]]) -> Iterator[tuple[Any, ...]]:
    if not wanted:
        return
    columns = [list(column) for column in zip(*sorted(wanted), strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(_ROWS, columns)
        yield from cursor.fetchall()


def translate(requests: Sequence[CodeRequest]) -> list[Meaning | MissingCode]:
    """What each code means, in the order asked; all the missing ones at once. One query for all of them."""
    crosswalk = load((request.partner, request.domain, request.code) for request in requests)
    answers: list[Meaning | MissingCode] = []
    for request in requests:
        found = crosswalk.meaning(request.partner, request.domain, request.facility, request.code, request.on)
        answers.append(
            missing(request.domain, request.code, found, facility=request.facility, text=request.text, on=request.on)
            if isinstance(found, str)
            else found
        )
    return answers


def missing(domain: str, code: str, reason: str, *, facility: str = "", text: str = "", on: date) -> MissingCode:
    """A missing code of this domain, with the role that maps it and the case that it opens."""
    case, owner = OWNERS[domain]
    return MissingCode(domain, code, facility, reason, text, on, owner, case)
