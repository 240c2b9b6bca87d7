"""One call to a partner, in the sender's hands between claiming and settling."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from hub.routing import Heard, Outcome


@dataclass(slots=True)
class Call:
    """A dispatch with its facts, and what the partner made of it."""

    id: UUID
    status: str  # "sending" | "waiting" | "in_doubt"
    attempts: int
    deliveries: int
    facts: list[Any]
    heard: tuple[Heard, ...]
    created_at: datetime
    outcome: Outcome | None = None
    due: datetime | None = None  # when to try again, where it has to be

    def keys(self) -> set[str]:
        """The keys of its facts, as their deliveries carry them."""
        return {one.fact.key[:200] for one in self.heard}
