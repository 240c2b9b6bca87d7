"""States: every row is in one that its machine declares, and has its time of settling when it is settled."""

from typing import Any

from django.db import models

from hub.models import Delivery, Dispatch, Message
from hub.verification import Check, sql


def declared(model: Any, *, ends: tuple[str, ...] = (), recent: str = "id >= %(since_id)s") -> Check:
    """INV-13 for one machine. `ends` are the statuses that have a `settled_at`, where the model keeps one."""
    meta: models.options.Options[Any] = model._meta
    name = meta.verbose_name
    wrong = ["NOT status = ANY(%(statuses)s)"]
    if ends:
        wrong.append("(status = ANY(%(ends)s)) <> (settled_at IS NOT NULL)")
    settled = "CASE WHEN settled_at IS NULL THEN ' and not settled' ELSE ' and settled' END" if ends else "''"
    finds = (
        f"SELECT '{name}:' || id, 'it is ' || status || {settled}, NULL::numeric FROM {meta.db_table}"  # noqa: S608
        f" WHERE {recent} AND ({' OR '.join(wrong)})"
    )
    counts = f"SELECT count(*) FROM {meta.db_table} WHERE {recent}"  # noqa: S608
    says = f"Every {name} is in a declared state" + (", and settled exactly at an end." if ends else ".")
    params = {"statuses": list(model.MOVES), "ends": list(ends)}
    return Check("INV-13", str(meta.verbose_name_plural), says, sql(counts, finds, lambda: params))


CHECKS = (
    declared(Message, ends=("applied", "skipped", "refused", "waived", "replaced")),
    declared(Delivery, ends=("delivered", "waived")),
    declared(Dispatch, ends=("delivered", "rejected", "given_up")),
)
