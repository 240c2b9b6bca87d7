"""Filters: no token is ever missed, few are claimed wrongly, and the table tells no word."""

import pytest

from hub import bulk
from hub.search import filters

KEY = b"k" * 32
WORDS = [f"word{n}" for n in range(20_000)]


def test_no_token_is_missed_and_one_in_a_hundred_is_wrong() -> None:
    """All that went in is there; of 20,000 others about one in a hundred seems to be."""
    made, blocks = filters.make(WORDS, KEY)
    assert len(made) == blocks * 512
    assert all(filters.has(made, blocks, filters.place(word, KEY)) for word in WORDS)
    wrong = sum(filters.has(made, blocks, filters.place(f"other{n}", KEY)) for n in range(20_000))
    assert 100 < wrong < 300


def test_another_key_finds_nothing_in_it() -> None:
    """Whoever has the filter and not the key sees noise."""
    made, blocks = filters.make(WORDS[:5000], KEY)
    seen = sum(filters.has(made, blocks, filters.place(word, b"o" * 32)) for word in WORDS[:5000])
    assert seen < 150


@pytest.mark.django_db
def test_the_database_reads_bits_as_we_write_them() -> None:
    """PostgreSQL's get_bit on one block says what `has` says, for tokens that are there and for others."""
    made, blocks = filters.make(WORDS[:1000], KEY)
    for word in (*WORDS[:50], *(f"other{n}" for n in range(50))):
        where = filters.place(word, KEY)
        tests = " AND ".join(f"get_bit(b, {bit}) = 1" for bit in where.bits)
        statement = (
            f"SELECT {tests} FROM (SELECT substring(%s::bytea FROM (%s::bigint %% %s)::int * 512 + 1 FOR 512) b) x"
        )
        assert bulk.fetch(statement, [made, where.spread, blocks])[0][0] is filters.has(made, blocks, where)


def test_an_empty_filter_has_nothing() -> None:
    """A segment of unreadable messages has a filter, too."""
    made, blocks = filters.make([], KEY)
    assert (blocks, any(made)) == (1, False)
