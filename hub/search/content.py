"""Content search: messages that have all words, found by filters, then looked at truly. Audited without the words."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from django.utils import timezone

from hub import access, audit, bodies, bulk, ids
from hub.access import Actor
from hub.errors import Refused
from hub.search import filters, tokens
from hub.search.walk import BUDGET_S, PAGE, Found, walk
from hub.vault import VaultError

AT_ONCE = 200
NEWEST = """
SELECT id, raw FROM hub_message WHERE id >= %(low)s AND id < %(before)s
AND (%(doors)s::bigint[] IS NULL OR endpoint_id = ANY(%(doors)s)) ORDER BY id DESC LIMIT %(most)s
"""


@dataclass(slots=True)
class Words:
    """A query as a probe. What does not open cannot be looked into: it is counted, so that the searcher is told."""

    wanted: tokens.Query
    unopened: int = field(default=0)

    @property
    def tokens(self) -> Sequence[str]:
        """As the filters have them."""
        return self.wanted.tokens

    def look(self, low: UUID, before: UUID, doors: list[int] | None) -> tuple[list[UUID], UUID | None]:
        """Open the newest two hundred and read them."""
        rows = bulk.fetch(NEWEST, {"low": low, "before": before, "doors": doors, "most": AT_ONCE})
        found = [id_ for id_, stored in rows if self._matches(id_, stored)]
        return found, rows[-1][0] if len(rows) == AT_ONCE else None

    def _matches(self, id_: UUID, stored: bytes) -> bool:
        try:
            return tokens.matches(bodies.open_(id_, stored), self.wanted)
        except VaultError:
            self.unopened += 1
            return False


def search(
    asked: str, *, by: Actor, since: datetime, until: datetime | None = None, before: UUID | None = None,
    size: int = PAGE, budget_s: float = BUDGET_S,
) -> Found:  # fmt: skip
    """A page of messages that have every word of `asked`, received since then; `before` goes on where one ended.

    Raises `Refused`: SEARCH_WORDS, SEARCH_SPAN. Every page is an audit entry with keyed hashes of the words.
    """
    access.require(by, "hub.search_content")
    wanted = tokens.read(asked)
    end = until or timezone.now()
    if since >= end:
        raise Refused("SEARCH_SPAN", "The search ends before it begins: choose an earlier moment to begin with.")
    top = min(ids.floor(end), before) if before else ids.floor(end)
    probe = Words(wanted)
    found = walk(probe, since=ids.floor(since), before=top, by=by, size=size, budget_s=budget_s)
    detail = {
        "words": [filters.told(token) for token in wanted.tokens], "since": since.isoformat(),
        "until": ids.moment(top).isoformat(), "ended": found.reached is None,
    }  # fmt: skip
    audit.record("messages.search", by=by, subject_type="hub.message", count=len(found.ids), detail=detail)
    return replace(found, unopened=probe.unopened)
