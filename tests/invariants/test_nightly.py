"""The nightly run and the command: one case for one broken invariant, closed by a clean run; exit codes; budgets."""

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from hub import access, interventions, tasks, verdicts, verification
from hub.celery import app
from hub.models import ExceptionCase, Message
from tests import world
from tests.invariants.conftest import run

ALTERED = "UPDATE billing_charge SET amount = amount + %s WHERE line_key = 'T2'"


def open_cases() -> list[Any]:
    """The open cases about invariants."""
    found = ExceptionCase.objects.filter(code="INVARIANT", status__in=["open", "assigned"])
    return list(found.order_by("subject").values_list("subject", "owner", "severity"))


def test_a_violation_opens_one_case_for_its_owner_and_a_clean_run_closes_it(sound: world.Erp) -> None:
    """Money is finance's; seen again the next night, the case is the same one; mended, it is resolved by itself."""
    run(ALTERED, 1)
    assert [verdicts.watch("INV-4"), verdicts.watch("INV-4")] == [False, False]
    assert open_cases() == [("invariant:INV-4", "finance", 1)]
    case = ExceptionCase.objects.get(code="INVARIANT")
    charge = run("SELECT id FROM billing_charge WHERE line_key = 'T2'")[0][0]
    assert f"charge:{charge}: it was told with 620" in case.text
    run(ALTERED, -1)
    assert verdicts.watch("INV-4")
    assert open_cases() == []
    case.refresh_from_db()
    assert (case.status, case.reason) == ("resolved", "A later run found nothing wrong.")


def test_a_row_that_is_wrong_stays_wrong_with_age(sound: world.Erp, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the case is open, rows from before it was opened are looked at: it does not close because days went by."""
    run(ALTERED, 1)
    assert not verdicts.watch("INV-4")
    days_later = timezone.now() + timedelta(days=9)
    monkeypatch.setattr(verification.timezone, "now", lambda: days_later)
    assert not verdicts.watch("INV-4")
    assert len(open_cases()) == 1


def test_what_cannot_be_checked_in_time_is_no_success(sound: world.Erp, monkeypatch: pytest.MonkeyPatch) -> None:
    """A statement that does not end is cut off by the database, and the case says that nobody knows."""
    slow = verification.sql("SELECT count(*) FROM pg_sleep(30)", "SELECT 'x', 'y', NULL::numeric")
    check = verification.Check("INV-99", "sleep", "It ends.", slow)
    monkeypatch.setattr(verification, "checks", [*verification.checks, check])
    (verdict,) = verification.run(verification.span(), only=["INV-99"], budget_s=0.05)
    assert (verdict.state, verdict.checked, verdict.violations) == ("unfinished", 0, ())
    monkeypatch.setattr(verification.run, "__kwdefaults__", {**verification.run.__kwdefaults__, "budget_s": 0.05})
    assert not verdicts.watch("INV-99")
    assert open_cases() == [("invariant:INV-99", "integration", 2)]
    assert run("SELECT current_setting('statement_timeout'), current_setting('transaction_read_only')") == [
        ("0", "off")
    ]


def test_a_check_can_change_nothing(sound: world.Erp, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a check's SQL says, the database refuses to write for it."""
    writes = verification.sql("SELECT nextval('hub_stop_id_seq')", "SELECT 'x', 'y', 1 WHERE false")
    check = verification.Check("INV-98", "writes", "It writes.", writes)
    monkeypatch.setattr(verification, "checks", [check])
    with pytest.raises(Exception, match="read-only transaction"):
        verification.run(verification.span())


def test_the_night_goes_through_all_invariants_one_task_each(sound: world.Erp, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each task takes the first and leaves the rest to the next one; beat starts it once a day."""
    watched: list[str] = []
    monkeypatch.setattr(verdicts, "watch", lambda name: watched.append(name) or True)
    monkeypatch.setattr(tasks.verify, "delay", tasks.verify)
    tasks.verify()
    assert watched == verification.known()
    assert len(watched) == 14
    assert app.conf.beat_schedule["verify"]["task"] == tasks.verify.name
    assert app.conf.task_time_limit > verification.BUDGET_S


def command(*args: str) -> tuple[str, str]:
    """What the command prints, and its error."""
    out, error = StringIO(), ""
    try:
        call_command("verify", *args, stdout=out)
    except CommandError as refused:
        error = str(refused)
    return out.getvalue(), error


def test_the_command_says_what_it_checked_and_what_is_wrong(sound: world.Erp) -> None:
    """A line for each check with its number; on a violation the row, and an exit code of 1."""
    told, error = command("--only", "INV-5", "--only", "INV-4")
    assert (error, told.count(": ok"), told.count("\n")) == ("", 0, 8)
    assert sum("checked, ok: " in line for line in told.splitlines()) == 8
    run(ALTERED, 1)
    told, error = command("--all", "--only", "INV-4")
    assert error == "failed: INV-4"
    assert "checked, VIOLATED: Every line in the books was told to the ledger once, with its money." in told


def test_the_command_speaks_json(sound: world.Erp) -> None:
    """For programs: every check with its state and number, and the failed invariants."""
    told, error = command("--json", "--erp", "--since", "2h")
    document = json.loads(told)
    assert (error, document["failed"], document["invariants"]) == ("", [], 14)
    assert len(document["checks"]) == len(verification.checks)
    assert min(check["checked"] for check in document["checks"]) > 0


def test_a_refused_message_that_a_person_accepts_is_not_settled_any_more(sound: world.Erp) -> None:
    """INV-13: it waits again, and what waits has no time of settling."""
    message = Message.objects.get(status="refused")
    interventions.retry_message(message, by=access.SYSTEM)
    found = verification.run(verification.span(), only=["INV-13"])
    assert [violation for one in found for violation in one.violations] == []
