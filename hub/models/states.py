"""State machines: `MOVES` on the model says what may follow what, `advance()` is the only way to move one row."""

from typing import Any, TypeVar

from django.db import models, transaction

from hub.errors import Refused

Row = TypeVar("Row", bound=models.Model)


def advance(row: Row, to: str, /, **changes: Any) -> Row:
    """Move one row to a status, with the fields that belong to the move, in one transaction.

    Locks the row and looks at the *stored* status, so that two people cannot both win. Raises `Refused`
    (STATE_MOVE) and changes nothing where `MOVES` does not allow it. Bulk moves of the pipeline are set-based SQL
    that names the old status in its WHERE; they obey the same `MOVES` (a test reads both).
    """
    model = type(row)
    with transaction.atomic():
        stored: Any = model._default_manager.select_for_update().get(pk=row.pk)
        if to not in stored.MOVES[stored.status]:
            allowed = ", ".join(stored.MOVES[stored.status]) or "nothing"
            raise Refused(
                "STATE_MOVE",
                f"{model._meta.verbose_name} is {stored.status}; from there it can become {allowed}, not {to}. "
                "Somebody may have changed it: reload and look again.",
            )
        stored.status = to
        for name, value in changes.items():
            setattr(stored, name, value)
        stored.save(update_fields=["status", *changes])
    for field in ["status", *changes]:
        setattr(row, field, getattr(stored, field))
    return row
