"""The embedded servers, run for real."""

import psycopg

import embedded


def test_both_servers_answer(servers: embedded.Servers) -> None:
    """The suite's PostgreSQL and Valkey are real and take connections."""
    with psycopg.connect(servers.database_url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
