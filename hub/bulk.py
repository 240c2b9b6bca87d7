"""The one writer and reader of the hot path: COPY and plain statements on Django's own psycopg connection."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from json import dumps, loads
from typing import Any

from django.db import connection, transaction
from psycopg import Cursor, sql
from psycopg.types.json import Jsonb


@contextmanager
def cursor() -> Iterator[Cursor[Any]]:
    """A psycopg cursor on Django's connection, inside Django's transaction; the server binds its parameters.

    What goes wrong is told in Django's errors: whoever waits for a database that is away knows one kind only.
    """
    connection.ensure_connection()
    raw: Any = connection.connection
    with connection.wrap_database_errors, Cursor(raw) as cur:
        yield cur


def copy(table: str, columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[Any]]) -> None:
    """Write rows by binary COPY. `columns` are (name, PostgreSQL type) in the order of each row's values."""
    names = sql.SQL(", ").join(sql.Identifier(name) for name, _ in columns)
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(sql.Identifier(table), names)
    with cursor() as cur, cur.copy(statement) as stream:
        stream.set_types([type_ for _, type_ in columns])
        write = stream.write_row
        for row in rows:
            write(row)


def fetch(statement: str, params: Sequence[Any] | dict[str, Any] = ()) -> list[Any]:
    """All rows of a statement, as tuples."""
    with cursor() as cur:
        return cur.execute(statement, params, prepare=True).fetchall()


def ask(statement: str, params: Sequence[Any] | dict[str, Any] = ()) -> list[Any]:
    """All rows of a report: planned for these very values, because what they select may be a row or a month."""
    with cursor() as cur:
        return cur.execute(statement, params, prepare=False).fetchall()


def run(statement: str, params: Sequence[Any] | dict[str, Any] = ()) -> int:
    """Execute a statement; returns the number of rows it touched."""
    with cursor() as cur:
        return cur.execute(statement, params, prepare=True).rowcount


def uuids(values: Iterable[Any]) -> str:
    """An array literal for `%s::uuid[]`: psycopg writes arrays element by element, ten times as slowly."""
    return "{" + ",".join(map(str, values)) + "}"


def texts(values: Iterable[str]) -> str:
    """An array literal for `%s::text[]`, every element quoted."""
    return "{" + ",".join([f'"{value}"' if value.isalnum() else _quoted(value) for value in values]) + "}"


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


class Encoded(Jsonb):
    """JSON that is written already, for a jsonb column of `copy`."""

    def __init__(self, text: bytes) -> None:
        super().__init__(text, dumps=bytes)


def json(value: Any) -> str:
    """Compact JSON text, for a jsonb parameter."""
    return dumps(value, separators=(",", ":"), default=list)


def unjson(value: str) -> Any:
    """What a jsonb column holds: Django keeps psycopg from decoding it, so that JSONField can."""
    return loads(value)


class lazily_durable(transaction.Atomic):  # noqa: N801  (reads as a context manager)
    """A transaction that need not survive a power cut: bookkeeping that a crash makes worthless anyway."""

    def __init__(self) -> None:
        super().__init__(using=None, savepoint=True, durable=False)

    def __enter__(self) -> None:
        super().__enter__()
        try:
            run("SET LOCAL synchronous_commit = off")
        except BaseException:  # a block that fails to begin is never ended by `with`: nobody would leave it any more
            self.__exit__(*sys.exc_info())
            raise
