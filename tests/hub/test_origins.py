"""What headers say of a message: the sender's own id and trace context, kept if usable, never trusted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub import origins

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    ("headers", "kept"),
    [
        ({}, {}),
        ({"X-Correlation-Id": " abc-1 "}, {"correlation_id": "abc-1"}),
        ({"X-Request-Id": "r1"}, {"correlation_id": "r1"}),
        ({"X-Correlation-Id": "c1", "X-Request-Id": "r1"}, {"correlation_id": "c1"}),
        ({"X-Correlation-Id": "x" * 201, "X-Request-Id": "r1"}, {"correlation_id": "r1"}),
        ({"X-Correlation-Id": "a\x00b"}, {}),
        ({"traceparent": TRACE}, {"traceparent": TRACE}),
        ({"traceparent": TRACE.replace("00-", "ff-", 1)}, {}),
        ({"traceparent": f"00-{'0' * 32}-b7ad6b7169203331-01"}, {}),
        ({"traceparent": f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01"}, {}),
        ({"traceparent": TRACE + "-more"}, {}),
        ({"traceparent": TRACE.upper()}, {}),
    ],
)
def test_what_is_kept_of_headers(headers: dict[str, str], kept: dict[str, str]) -> None:
    """Two ids at most, each of a known shape."""
    assert origins.of_headers(headers) == kept


@given(st.dictionaries(st.sampled_from(["X-Correlation-Id", "X-Request-Id", "traceparent"]), st.text(max_size=300)))
def test_nothing_that_anybody_sends_is_more_than_short_printable_ascii(headers: dict[str, str]) -> None:
    """Whatever the headers hold."""
    for value in origins.of_headers(headers).values():
        assert value
        assert value.isascii()
        assert value.isprintable()
        assert len(value) <= origins.LONGEST
