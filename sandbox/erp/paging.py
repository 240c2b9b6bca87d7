"""Opaque cursors and page sizes."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from sandbox.erp.errors import Refused

DEFAULT_LIMIT = 100
MAX_LIMIT = 500


def encode_cursor(position: dict[str, Any]) -> str:
    """Write a position as an opaque cursor."""
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, names: tuple[str, ...], types: tuple[type, ...]) -> tuple[Any, ...]:
    """Read a cursor's fields. Raises Refused (400) for anything that we did not make."""
    try:
        position = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        values = tuple(position[name] for name in names)
    except (binascii.Error, ValueError, KeyError, TypeError, IndexError):
        raise Refused(400, "bad_request", "this cursor is not one of ours") from None
    if tuple(map(type, values)) != types:
        raise Refused(400, "bad_request", "this cursor is not one of ours")
    return values


def read_limit(text: str) -> int:
    """Read a page size. Raises Refused (400) outside 1 to 500."""
    if not text:
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= MAX_LIMIT):
        raise Refused(400, "bad_request", f"limit must be a whole number from 1 to {MAX_LIMIT}")
    return int(text)
