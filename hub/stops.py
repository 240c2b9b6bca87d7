"""Stops: a document that needs a person holds back later ones of its own key, and says so."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from hub import bulk
from hub.batches import Poison
from hub.cases import NewCase
from hub.errors import HubError


def put(queue: str, entries: Sequence[tuple[str, UUID]], now: datetime) -> None:
    """Stop these keys of the queue at these documents; a key that is stopped already stays as it is."""
    if entries:
        bulk.run(
            "INSERT INTO hub_stop (queue, key, subject_id, since)"
            " SELECT %s, k, s, %s FROM unnest(%s::text[], %s::uuid[]) x(k, s) ON CONFLICT DO NOTHING",
            [queue, now, [key for key, _ in entries], [subject for _, subject in entries]],
        )


def lift(queue: str, key: str, subject_id: UUID) -> bool:
    """Lift the stop that this document put on its key; False where its key waits for another one still.

    The caller holds the lane and puts the key's blocked documents back into the queue.
    """
    bulk.run("DELETE FROM hub_stop WHERE queue = %s AND key = %s AND subject_id = %s", [queue, key, subject_id])
    return not bulk.fetch("SELECT 1 FROM hub_stop WHERE queue = %s AND key = %s", [queue, key])


def explain(error: Exception) -> tuple[str, str]:
    """(registry code, text) of whatever stopped a document. A bug shows its type and place, never its values."""
    if isinstance(error, HubError):
        return error.code, error.text + (f" (at {error.where})" if error.where else "")
    if isinstance(error, Poison):
        return "POISON", str(error)
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = "" if trace is None else f" in {trace.tb_frame.f_code.co_name}, line {trace.tb_lineno}"
    return "BUG", f"{type(error).__name__}{place}. This is a defect of ours: the integration engineer must look."


def case(code: str, text: str, *, subject: str, what: str, owner: str = "integration", **fields: object) -> NewCase:
    """The case that belongs to a stop."""
    severity = 2 if code in {"BUG", "POISON"} else 3
    title = f"{what} stopped: {code}"
    return NewCase(code=code, subject=subject, title=title, text=text, owner=owner, severity=severity, **fields)  # type: ignore[arg-type]
