"""The command and the nightly run where there is nothing: apart from the house, whose rows live as long as its file."""

import pytest
from django.utils import timezone

from hub import verdicts, verification
from hub.models import ExceptionCase
from tests.invariants.test_nightly import command, open_cases


def test_a_run_that_looked_at_nothing_closes_nothing(db: None) -> None:
    """In an empty database nothing is green: the case stays open."""
    ExceptionCase.objects.create(
        code="INVARIANT", subject="invariant:INV-5", title="t", owner="finance", opened_at=timezone.now(),
        last_seen_at=timezone.now(),
    )  # fmt: skip
    assert verdicts.watch("INV-5")
    assert open_cases() == [("invariant:INV-5", "finance", 3)]


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--only", "INV-77"], "There is no invariant INV-77; there are INV-1, INV-2,"),
        (["--since", "yesterday"], "'yesterday' is no moment. Write 2026-11-22,"),
        (["--since", "2026-02-31"], "'2026-02-31' is no moment."),
    ],
)
def test_the_command_refuses_what_it_does_not_understand(db: None, args: list[str], says: str) -> None:
    """In one sentence, before anything is looked at."""
    told, error = command(*args)
    assert told == ""
    assert error.startswith(says)


def test_in_an_empty_house_nothing_is_ok(db: None) -> None:
    """Green means checked: without rows every check says that there was nothing to check."""
    told, error = command("--all")
    lines = told.splitlines()
    assert error == ""
    assert len([line for line in lines if " nothing to check: " in line]) == len(lines) == len(verification.checks) - 1
