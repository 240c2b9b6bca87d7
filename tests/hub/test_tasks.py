"""Tasks that the clock rings: a database that is away is a warning with a name, and the next ring finds it again."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import InterfaceError, OperationalError
from structlog.testing import capture_logs

from hub import tasks


class Closed:
    """A connection that counts how often it was closed."""

    def __init__(self) -> None:
        self.times = 0

    def close(self) -> None:
        """Once more."""
        self.times += 1


CLOCKED: dict[str, tuple[Callable[[], Any], Any, str]] = {
    "sweep": (tasks.sweep, tasks, "ensure_lanes"),
    "watch": (tasks.watch, tasks.watching, "watch"),
    "call_webhooks": (tasks.call_webhooks, tasks.webhooks, "step"),
    "digest": (tasks.digest, tasks.digests, "tell"),
}


@pytest.mark.parametrize("name", CLOCKED)
@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_R_12_a_database_that_is_away_is_a_quiet_warning_of_every_clocked_task(
    monkeypatch: pytest.MonkeyPatch, name: str, error: type[Exception]
) -> None:
    """Nothing is raised; the connection is closed, so that the next ring opens a new one."""
    task, where, function = CLOCKED[name]
    closed = Closed()

    def away(*_: Any) -> None:
        raise error("server closed the connection unexpectedly")

    monkeypatch.setattr(where, function, away)
    monkeypatch.setattr(tasks, "connection", closed)
    with capture_logs() as logs:
        task()
    assert [(one["event"], one["task"], one["log_level"]) for one in logs] == [("database_away", name, "warning")]
    assert closed.times == 1


def test_a_defect_is_still_a_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a database that is away is waited for."""

    def wrong() -> None:
        raise ValueError

    monkeypatch.setattr(tasks, "ensure_lanes", wrong)
    with pytest.raises(ValueError):  # noqa: PT011  (it has no words)
        tasks.sweep()
