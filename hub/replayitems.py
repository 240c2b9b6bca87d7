"""A batch of a replay's items in a worker's hands: what goes back into its queue, what is left as it is, and why."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from hub import bulk

WRITE = """
UPDATE hub_replayitem i SET result = w.result, text = w.text, at = now()
FROM unnest(%s::bigint[], %s::text[], %s::text[]) w(id, result, text)
WHERE i.id = w.id AND i.result = 'pending'
"""


@dataclass(slots=True)
class Batch:
    """Items by the id of their subject; everyone is either put back or left."""

    replay_id: int
    items: Sequence[tuple[int, UUID]]  # item id, subject id; in the order of the subjects
    back: set[UUID] = field(default_factory=set)
    left: dict[UUID, str] = field(default_factory=dict)  # subject id -> why it is left as it is

    @property
    def subjects(self) -> list[UUID]:
        """The ids of messages or deliveries."""
        return [subject for _, subject in self.items]

    def write(self) -> None:
        """One result row for every item."""
        results = [
            (item, "moving", "") if subject in self.back else (item, "skipped", self.left[subject])
            for item, subject in self.items
        ]
        bulk.run(WRITE, [list(column) for column in zip(*results, strict=True)])
