"""Monthly partitions of the big tables, by range of their time-ordered id. Made ahead; there is no default one."""

from datetime import UTC, datetime
from typing import Any

from django.db import connection, migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from psycopg import sql

from hub import ids

TABLES = ("hub_message", "hub_fact", "hub_delivery")
# Made out of the others, so it is not archived when its month leaves.
DERIVED = ("hub_contentsegment",)
MONTHS_AHEAD = 3


def month_after(day: datetime) -> datetime:
    """The first moment of the next month."""
    return day.replace(year=day.year + day.month // 12, month=day.month % 12 + 1)


def ensure(now: datetime | None = None, *, ahead: int = MONTHS_AHEAD) -> list[str]:
    """Make the partitions of this month and of the months ahead; returns the names of the new ones.

    A second call finds them there and does nothing; two at once are kept apart by an advisory lock.
    """
    start = month_of(now or datetime.now(UTC))
    made = []
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtext('hub.partitions'))")
        try:
            for _ in range(ahead + 1):
                end = month_after(start)
                made += [name for table in (*TABLES, *DERIVED) if (name := _make(cursor, table, start, end))]
                start = end
        finally:
            cursor.execute("SELECT pg_advisory_unlock(hashtext('hub.partitions'))")
    return made


def month_of(moment: datetime) -> datetime:
    """The first moment of its month, in UTC."""
    return moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def ensure_one(table: str, moment: datetime) -> None:
    """The table's partition for this moment is there: months from before the table was made have none."""
    start = month_of(moment)
    with connection.cursor() as cursor:
        _make(cursor, table, start, month_after(start))


def _make(cursor: Any, table: str, start: datetime, end: datetime) -> str | None:
    name = f"{table}_{start:%Y_%m}"
    cursor.execute("SELECT to_regclass(%s) IS NOT NULL OR to_regclass(%s) IS NULL", [name, table])
    if cursor.fetchone()[0]:  # it is there; or its table is not, because migrations are still on their way to it
        return None
    statement = sql.SQL("CREATE TABLE {} PARTITION OF {} FOR VALUES FROM ({}) TO ({})").format(
        sql.Identifier(name),
        sql.Identifier(table),
        sql.Literal(str(ids.floor(start))),
        sql.Literal(str(ids.floor(end))),
    )
    cursor.execute(statement)
    return name


class CreatePartitionedModel(migrations.CreateModel):
    """CreateModel, with the table partitioned by range of `id`."""

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        model = to_state.apps.get_model(app_label, self.name)
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return
        statement, params = schema_editor.table_sql(model)
        schema_editor.execute(f"{statement} PARTITION BY RANGE (id)", params or None)
        schema_editor.deferred_sql.extend(schema_editor._model_indexes_sql(model))  # type: ignore[attr-defined]
