"""What the machine itself can do, measured in the same run: a figure means little without it."""

import time
from pathlib import Path

import psycopg

ROWS, BATCH = 60_000, 500


def pg_rows_per_s(url: str) -> float:
    """Rows a second that PostgreSQL takes in 500-row INSERTs of seven columns, one commit each."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "CREATE TEMPORARY TABLE bench_limit (a int, b text, c text, d numeric, e numeric, f date, g uuid)"
        )
        row = "(%s, 'account-123456', 'STENT', 12.34, 1, '2026-11-22', '01936c1e-5a1b-7c3e-9d2f-0a1b2c3d4e5f')"
        statement = "INSERT INTO bench_limit VALUES " + ",".join([row] * BATCH)
        begun = time.perf_counter()
        for start in range(0, ROWS, BATCH):
            connection.execute(statement, list(range(start, start + BATCH)))
        return ROWS / (time.perf_counter() - begun)


def ticks() -> tuple[int, int]:
    """Of all cores since the machine started: ticks that were taken by anybody, and all."""
    values = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return sum(values) - values[3] - values[4], sum(values)  # without idle and waiting for the disk
