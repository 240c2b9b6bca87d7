"""What a replay may be chosen by: a table of filters for messages and one for deliveries, each with its SQL.

A selection never reads a whole big table: it names a moment to begin with, a case, or a status that an index serves.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime

from hub import access, bulk, ids
from hub.access import Actor
from hub.errors import Refused
from hub.models import Delivery, Endpoint, Message

TEXT_MAX = 200


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition on row `r` (a message or delivery) or its endpoint `e`; `read` makes the SQL's parameter."""

    sql: str
    read: Callable[[str], Any]
    label: str
    narrow: frozenset[str] | None = None  # values that an index serves; None: every value, empty: none


def _text(value: str) -> str:
    if "\x00" in value or len(value) > TEXT_MAX:
        raise ValueError(f"at most {TEXT_MAX} characters, none of them NUL")
    return value


def _status(model: Any) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value not in model.STATUSES:
            raise ValueError(f"one of {', '.join(model.STATUSES)}")
        return value

    return read


def _endpoint(value: str) -> int:
    found = Endpoint.objects.filter(code=value).values_list("pk", flat=True).first()
    if found is None:
        raise ValueError("the code of an endpoint")
    return found


def _number(value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 19):
        raise ValueError("the number of a case")
    return int(value)


def _floor(value: str) -> Any:
    return ids.floor(moment(value))


def moment(value: str) -> datetime:
    """A moment with its offset; `ValueError` for anything else."""
    try:
        found = parse_datetime(value)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None or found.year < 2000:
        raise ValueError("a moment with Z or an offset, e.g. 2026-11-22T08:00:00Z")
    return found


SOME: frozenset[str] = frozenset()
COMMON = {
    "endpoint": Filter("r.endpoint_id = %(endpoint)s", _endpoint, "Endpoint", SOME),
    "problem_code": Filter("r.problem_code = %(problem_code)s", _text, "Problem", SOME),
    "since": Filter("r.id >= %(since)s", _floor, "From"),
    "until": Filter("r.id < %(until)s", _floor, "Until", SOME),
}
FILTERS: dict[str, dict[str, Filter]] = {
    "messages": COMMON | {
        "status": Filter(
            "r.status = %(status)s", _status(Message), "Status", frozenset({"held", "stopped", "blocked"})
        ),
        "kind": Filter("r.kind = %(kind)s", _text, "Kind", SOME),
        "key": Filter("(r.key = %(key)s OR r.control_id = %(key)s)", _text, "Account or control id", SOME),
        "case": Filter(
            "r.id IN (SELECT c.message_id FROM hub_exceptioncase c WHERE c.id = %(case)s AND c.message_id IS NOT NULL"
            " UNION SELECT w.message_id FROM hub_waiting w WHERE w.case_id = %(case)s)",
            _number, "Case",
        ),
    },
    "deliveries": COMMON | {
        "status": Filter(
            "r.status = %(status)s", _status(Delivery), "Status", frozenset({"sending", "stopped", "blocked"})
        ),
        "route": Filter("r.route = %(route)s", _text, "Route", SOME),
        "key": Filter("r.key = %(key)s", _text, "Account or other key", SOME),
        "case": Filter(
            "r.id IN (SELECT c.delivery_id FROM hub_exceptioncase c WHERE c.id = %(case)s)", _number, "Case"
        ),
    },
}  # fmt: skip
TABLES = {"messages": "hub_message", "deliveries": "hub_delivery"}
CHOSEN = """
SELECT r.id FROM {table} r LEFT JOIN hub_endpoint e ON e.id = r.endpoint_id WHERE {where} ORDER BY r.id
"""
WRITE = """
INSERT INTO hub_replayitem (replay_id, position, subject_id, result, text)
SELECT %(replay)s, row_number() OVER (ORDER BY r.id), r.id, 'pending', '' FROM ({chosen} LIMIT %(limit)s) r
"""


@dataclass(frozen=True, slots=True)
class Selection:
    """A checked choice: its SQL, and the filters as they are stored."""

    kind: str
    filters: Mapping[str, str]
    chosen: str
    params: Mapping[str, Any]

    def write(self, replay_id: int, limit: int) -> int:
        """One item for each chosen row, the oldest first, by one statement; returns how many."""
        return bulk.run(WRITE.format(chosen=self.chosen), {**self.params, "replay": replay_id, "limit": limit})

    def exceeds(self, limit: int) -> bool:
        """Whether it matches more rows than `limit`."""
        return bool(bulk.fetch(f"{self.chosen} OFFSET %(limit)s LIMIT 1", {**self.params, "limit": limit}))


def check(kind: str, filters: Mapping[str, str], *, by: Actor) -> Selection:
    """The selection that these filters mean, within the facilities of `by`. `Refused` says which filter is wrong."""
    known = FILTERS.get(kind)
    if known is None:
        raise Refused("REPLAY_FILTER", f"{kind!r} cannot be replayed; choose messages or deliveries.")
    given = {name: value.strip() for name, value in filters.items() if value and value.strip()}
    params: dict[str, Any] = {}
    for name, value in given.items():
        if name not in known:
            raise Refused("REPLAY_FILTER", f"{name} is no filter of {kind}; known: {', '.join(known)}.")
        try:
            params[name] = known[name].read(value)
        except ValueError as error:
            raise Refused("REPLAY_FILTER", f"{known[name].label}: {value[:60]!r} is not {error}.") from error
    if not any(known[name].narrow is None or value in (known[name].narrow or ()) for name, value in given.items()):
        served = ", ".join(sorted(known["status"].narrow or ()))
        raise Refused(
            "REPLAY_FILTER", f"Say from which moment on, or name a case, or choose one of the statuses {served}: "
            "otherwise every row ever stored would be read.",
        )  # fmt: skip
    conditions = [known[name].sql for name in given]
    granted = access.facilities(by)
    if granted is not None:
        conditions.append("coalesce(e.facility, '') = ANY(%(facilities)s)")
        params["facilities"] = sorted(granted)
    chosen = CHOSEN.format(table=TABLES[kind], where=" AND ".join(conditions))
    return Selection(kind, given, chosen, params)


def told(kind: str, filters: Mapping[str, str]) -> list[tuple[str, str]]:
    """The filters with their labels, for a page."""
    return [(FILTERS[kind][name].label, value) for name, value in filters.items() if name in FILTERS[kind]]
