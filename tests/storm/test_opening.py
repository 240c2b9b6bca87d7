"""The checker opens what the hub sealed by the documented format alone, so each proves the other right."""

import base64
from typing import Any

import pytest

from hub import bodies, ids
from storm.opening import opened

KEYS = f"new:{base64.b64encode(b'n' * 32).decode()},old:{base64.b64encode(b'o' * 32).decode()}"


@pytest.mark.parametrize("first", [0, 1])
def test_what_the_hub_seals_the_checker_opens(settings: Any, first: int) -> None:
    """With any key of the ring; the bytes come out as they went in."""
    ring = KEYS.split(",")
    settings.VAULT_KEYS = ring[first:] + ring[:first]
    id_ = ids.uuid7()
    (sealed,) = bodies.seal([(id_, b"MSH|\xff\x00\r")])
    assert opened(KEYS, id_, sealed) == b"MSH|\xff\x00\r"


def test_what_was_not_sealed_for_this_row_does_not_open(settings: Any) -> None:
    """Plain bytes, another row's, changed ones and those of an unknown key are all told as None."""
    settings.VAULT_KEYS = KEYS.split(",")
    id_ = ids.uuid7()
    (sealed,) = bodies.seal([(id_, b"MSH|")])
    assert opened(KEYS, id_, b"MSH|") is None
    assert opened(KEYS, ids.uuid7(), sealed) is None
    assert opened(KEYS, id_, sealed + b"x") is None
    assert opened(KEYS.split(",")[1], id_, sealed) is None
