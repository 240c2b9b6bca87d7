"""The hot path's own connection handling."""

import psycopg
import pytest
from django.db import OperationalError, connection

from hub import bulk


def end_our_session() -> None:
    """What a restart of PostgreSQL does to a connection between two transactions."""
    (pid,) = bulk.fetch("SELECT pg_backend_pid()")[0]
    with psycopg.connect(**connection.get_connection_params(), autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


@pytest.mark.django_db(transaction=True)
def test_R_12_a_connection_lost_before_a_lazy_transaction_is_made_anew() -> None:
    """Found by a storm: the block never began, so nothing would ever end it, and its thread was lost for good."""
    end_our_session()
    with pytest.raises(OperationalError), bulk.lazily_durable():
        pytest.fail("it was entered without a database")
    assert not connection.in_atomic_block
    connection.close()  # what a task does when the database goes away under it
    assert bulk.fetch("SELECT 1") == [(1,)]
    with bulk.lazily_durable():
        assert bulk.fetch("SHOW synchronous_commit") == [("off",)]
    assert bulk.fetch("SHOW synchronous_commit") != [("off",)]
