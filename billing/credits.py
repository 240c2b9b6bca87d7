"""Credits: which charge they take back, and how much of it is still there to be taken back (domain 5.1 rule 9)."""

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

from billing import linekeys
from billing.lines import Line, Original
from hub import bulk

FIELDS = (
    "c.id, c.status, c.account, c.quantity, c.amount, c.facility, c.department, c.cost_center, c.charge_code,"
    " c.revenue_code, c.service_line, c.unit_cost, c.cost_basis, c.service_date"
)
TAKEN_BACK = (
    "c.quantity + coalesce((SELECT sum(k.quantity) FROM billing_charge k WHERE k.original_id = c.id"
    " AND k.kind = 'credit' AND k.status IN ('captured', 'posted', 'held')"
    " AND NOT k.id = ANY(%s::uuid[])), 0)"  # those that ask take nothing from themselves
)
BY_KEY = f"""
SELECT w.n, {FIELDS}, {TAKEN_BACK} FROM unnest(%s::int[], %s::text[], %s::text[]) w(n, partner, line_key)
JOIN billing_chargekey x ON x.partner = w.partner AND x.line_key = w.line_key
JOIN billing_charge c ON c.id = x.charge_id
WHERE c.kind = 'charge' AND c.status IN ('held', 'captured', 'posted')
ORDER BY c.id
FOR UPDATE OF c
"""  # noqa: S608  (our own column names)
BY_LIKENESS = f"""
SELECT w.n, {FIELDS}, {TAKEN_BACK} FROM unnest(%s::int[], %s::text[], %s::text[], %s::text[], %s::date[])
    w(n, partner, account, code, day)
JOIN billing_charge c ON c.account = w.account AND c.partner = w.partner AND c.source_code = w.code
    AND c.service_date = w.day
WHERE c.kind = 'charge' AND c.status IN ('held', 'captured', 'posted')
ORDER BY c.id
FOR UPDATE OF c
"""  # noqa: S608  (our own column names)


def find_originals(lines: Sequence[Line], batch: Sequence[Line]) -> None:
    """Set `original` of each credit, or hold it. `batch` are lines captured in the same batch, not yet in the table.

    By the transaction it names, else by its own transaction id, else by account, charge code and service date with
    enough left. Never more is taken back than was charged.
    """
    if not lines:
        return
    own = {(line.part.source.partner, line.key): line for line in batch if _can_be_taken_back(line)}
    left: dict[UUID, Decimal] = {}
    by_key = _fetch_by_key(lines)
    by_likeness = _fetch_by_likeness([line for n, line in enumerate(lines) if n not in by_key], own)
    for n, line in enumerate(lines):
        key = (line.part.source.partner, linekeys.original_key(line.charge, line.part.source.settings))
        candidates = [_from_line(own[key])] if key in own else by_key.get(n, [])
        candidates = candidates or by_likeness.get(id(line), [])
        _choose(line, candidates, left)


def _can_be_taken_back(line: Line) -> bool:
    return line.charge.kind == "charge" and line.status in {"captured", "held"}


def _choose(line: Line, candidates: Sequence[Original], left: dict[UUID, Decimal]) -> None:
    wanted = -line.charge.quantity
    for original in candidates:
        open_quantity = left.get(original.id, original.open_quantity)
        if original.account == line.account and open_quantity >= wanted:
            left[original.id] = open_quantity - wanted
            line.original = original
            if original.status == "held":
                line.hold(
                    "CREDIT_ORIGINAL_HELD",
                    "What it takes back is held itself; this goes on when that does.",
                    reason="its charge is held",
                )
            return
    if candidates:
        line.hold(
            "CREDIT_NO_ORIGINAL",
            "It takes back more than is left of the charge that it names.",
            reason="too much is taken back",
        )
    else:
        line.hold(
            "CREDIT_NO_ORIGINAL",
            "No charge on this account matches it. It goes on by itself if one arrives.",
            reason="no original",
        )


def _fetch_by_key(lines: Sequence[Line]) -> dict[int, list[Original]]:
    asked = [
        (n, line.part.source.partner, key)
        for n, line in enumerate(lines)
        if (key := linekeys.original_key(line.charge, line.part.source.settings))
    ]
    found: dict[int, list[Original]] = defaultdict(list)
    if asked:
        for n, *fields in bulk.fetch(BY_KEY, [_ids(lines), *(list(column) for column in zip(*asked, strict=True))]):
            found[n].append(Original(*fields))
    return found


def _fetch_by_likeness(lines: Sequence[Line], own: dict[tuple[str, str], Line]) -> dict[int, list[Original]]:
    found: dict[int, list[Original]] = defaultdict(list)
    if lines:
        columns = [
            _ids(lines),
            list(range(len(lines))),
            [line.part.source.partner for line in lines],
            [line.account for line in lines],
            [line.charge.charge_code for line in lines],
            [line.charge.service_date for line in lines],
        ]
        for n, *fields in bulk.fetch(BY_LIKENESS, columns):
            found[id(lines[n])].append(Original(*fields))
    for line in lines:
        for (partner, _), other in own.items():
            same = partner == line.part.source.partner and other.account == line.account
            same = same and other.charge.charge_code == line.charge.charge_code
            if same and other.charge.service_date == line.charge.service_date and other.words is not None:
                found[id(line)].append(_from_line(other))
    return found


def _ids(lines: Sequence[Line]) -> list[UUID]:
    return [line.id for line in lines]


def _from_line(line: Line) -> Original:
    words = line.words
    return Original(
        id=line.id, status=line.status, account=line.account, quantity=line.charge.quantity, amount=line.amount,
        facility=words.facility if words else "", department=words.department if words else "",
        cost_center=words.cost_center if words else "", charge_code=words.charge_code if words else "",
        revenue_code=words.revenue_code if words else "", service_line=words.service_line if words else "",
        unit_cost=words.unit_cost if words else None, cost_basis=words.cost_basis if words else "",
        service_date=line.charge.service_date, open_quantity=line.charge.quantity,
    )  # fmt: skip
