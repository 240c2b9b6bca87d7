"""One call to a partner, in the sender's hands between claiming and settling."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from hub.routing import Outcome


@dataclass(slots=True)
class Call:
    """A dispatch with its facts, and what the partner made of it."""

    id: UUID
    status: str  # "sending" | "in_doubt"
    attempts: int
    deliveries: int
    facts: list[Any]
    outcome: Outcome | None = None
