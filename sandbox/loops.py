"""The event loop of the stand-ins: uvloop where it is installed, else asyncio's own."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

try:
    from uvloop import new_event_loop as _fast_loop
except ImportError:
    _fast_loop = None  # type: ignore[assignment]

Result = TypeVar("Result")


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """Run a program's main coroutine to its end."""
    with asyncio.Runner(loop_factory=_fast_loop) as runner:
        return runner.run(main)
