"""Idempotency-Key: sent twice, done once, answered twice with the same bytes."""

import json
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from hub.api import idempotency
from hub.models import AuditEntry, ExceptionCase, SavedAnswer
from tests.hub.api import rows

NEEDS = ("hub.view_exceptioncase", "hub.waive_exceptioncase", "hub.retry_exceptioncase")
WHY = {"reason": "settled by phone"}


@pytest.fixture
def caller(db: None) -> rows.Caller:
    """Somebody who may waive cases."""
    return rows.Caller(rows.user(*NEEDS))


def test_F_R1_the_same_request_again_gets_the_same_bytes_and_has_no_second_effect(caller: rows.Caller) -> None:
    """A client that timed out asks again and learns what happened the first time."""
    case = rows.case()
    first, second = (caller.post(f"/cases/{case.pk}/waive", WHY, key="k-1") for _ in range(2))
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.content == second.content
    assert (AuditEntry.objects.filter(verb="cases.waive").count(), SavedAnswer.objects.count()) == (1, 1)


def test_another_body_under_the_same_key_is_a_422_and_moves_nothing(caller: rows.Caller) -> None:
    """A key names one request; a program that reuses it has a bug that should be seen."""
    case = rows.case()
    caller.post(f"/cases/{case.pk}/waive", WHY, key="k-1")
    answer = caller.post(f"/cases/{case.pk}/waive", {"reason": "another"}, key="k-1")
    assert (answer.status_code, answer.json()["code"]) == (422, "API_KEY_REUSED")
    assert ExceptionCase.objects.get().reason == "settled by phone"


def test_spaces_and_the_order_of_fields_do_not_make_another_request(caller: rows.Caller) -> None:
    """The fingerprint is of what was asked for, not of how it was written; quotes around the key mean nothing."""
    case = rows.case()
    first = caller.post(f"/cases/{case.pk}/waive", WHY, key="k-1")
    raw = b'  { "reason" :   "settled by phone" } '
    second = caller.post_raw(f"/cases/{case.pk}/waive", raw, **{"Idempotency-Key": '"k-1"'})
    assert (second.status_code, second.content) == (200, first.content)


def test_the_same_key_on_another_path_or_by_another_caller_is_another_request(caller: rows.Caller) -> None:
    """Keys belong to one caller and one path; nobody reads somebody else's saved answer."""
    one, two = rows.case(), rows.case()
    for path in (one.pk, two.pk):
        assert caller.post(f"/cases/{path}/waive", WHY, key="k-1").json()["id"] == path
    machine = rows.Caller(caller.user, "cases.waive")
    answer = machine.post(f"/cases/{one.pk}/waive", WHY, key="k-1")
    assert (answer.status_code, answer.json()["code"]) == (409, "STATE_MOVE")
    assert SavedAnswer.objects.values("actor").distinct().count() == 1


@pytest.mark.parametrize("key", ["", " ", "a b", "ü", "x" * 256, '"open', 'a"b', '""', "tab\tbed"])
def test_a_missing_or_malformed_key_is_a_400_and_moves_nothing(caller: rows.Caller, key: str) -> None:
    """Every mutating call names itself."""
    case = rows.case()
    answer = caller.post(f"/cases/{case.pk}/waive", WHY, **{"Idempotency-Key": key})
    assert (answer.status_code, answer.json()["code"]) == (400, "API_INVALID")
    assert "Idempotency-Key" in answer.json()["detail"]
    assert ExceptionCase.objects.get().status == "open"


def test_a_refusal_is_not_saved_so_that_the_same_key_may_try_again(caller: rows.Caller) -> None:
    """What failed left nothing behind: neither effect nor answer."""
    case = rows.case()
    ExceptionCase.objects.update(status="waived", reason="x", closed_at=timezone.now())
    assert caller.post(f"/cases/{case.pk}/waive", WHY, key="k-1").status_code == 409
    assert not SavedAnswer.objects.exists()
    ExceptionCase.objects.update(status="open", reason="", closed_at=None)
    assert caller.post(f"/cases/{case.pk}/waive", WHY, key="k-1").status_code == 200


def test_a_bug_between_effect_and_answer_rolls_both_back(caller: rows.Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """F-R3: there is no effect without its saved answer."""
    case = rows.case()

    def break_down(*_: Any, **__: Any) -> None:
        raise RuntimeError("after the effect")

    with monkeypatch.context() as broken:
        broken.setattr(SavedAnswer.objects, "create", break_down)
        assert caller.post(f"/cases/{case.pk}/waive", WHY, key="k-1").status_code == 500
    assert ExceptionCase.objects.get().status == "open"
    assert not AuditEntry.objects.exists()
    assert caller.post(f"/cases/{case.pk}/waive", WHY, key="k-1").status_code == 200


def test_a_saved_answer_is_not_given_to_somebody_who_lost_the_facility(db: None) -> None:
    """Access is asked for anew before anything is looked up under the key."""
    account = rows.user(*NEEDS, facility="RIVER")
    caller, case = rows.Caller(account), rows.case("RIVER")
    assert caller.post(f"/cases/{case.pk}/waive", WHY, key="k-1").status_code == 200
    account.facility_grants.all().delete()
    assert caller.post(f"/cases/{case.pk}/waive", WHY, key="k-1").status_code == 404


def test_old_answers_are_forgotten_and_young_ones_kept(caller: rows.Caller) -> None:
    """Seven days, then the verbs' own rules must do."""
    for number, days in enumerate((0, 6, 8)):
        caller.post(f"/cases/{rows.case().pk}/waive", WHY, key=f"k-{number}")
        made = SavedAnswer.objects.filter(key=f"k-{number}")
        made.update(created_at=timezone.now() - timedelta(days=days))
    assert idempotency.prune() == 1
    assert idempotency.prune() == 0
    assert SavedAnswer.objects.count() == 2


def test_INV_19_the_database_keeps_one_answer_per_key(caller: rows.Caller) -> None:
    """Whoever goes round the lock is stopped by the unique constraint, and only successes may be saved."""
    caller.post(f"/cases/{rows.case().pk}/waive", WHY, key="k-1")
    saved = SavedAnswer.objects.values().get()
    del saved["id"]
    with pytest.raises(IntegrityError, match="saved_answer_is_one_per_key"), transaction.atomic():
        SavedAnswer.objects.create(**saved)
    with pytest.raises(IntegrityError, match="saved_answer_is_of_a_success"), transaction.atomic():
        SavedAnswer.objects.create(**saved | {"key": "another", "status": 500})


def at_once(number: int, press: Callable[[int], Any]) -> list[Any]:
    """The answers of so many threads that press together."""
    gate = threading.Barrier(number)
    answers: list[Any] = []

    def run(mine: int) -> None:
        try:
            gate.wait(30)
            answers.append(press(mine))
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[mine]) for mine in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == number
    return answers


def copy_of(machine: rows.Caller) -> rows.Caller:
    """The same machine on another thread."""
    caller = rows.Caller()
    caller.headers = machine.headers
    return caller


@pytest.mark.django_db(transaction=True)
def test_R_5_fifty_at_once_with_one_key_have_one_effect() -> None:
    """F-R2: one is done; the others get the saved answer, or 409 while it is being worked on. Nobody gets a 500."""
    case = rows.case(waiting=4)
    machine = rows.Caller(rows.user(*NEEDS), "cases.*")
    answers = at_once(50, lambda _: copy_of(machine).post(f"/cases/{case.pk}/retry", key="one"))
    told = Counter(answer.status_code for answer in answers)
    assert set(told) <= {200, 409}
    assert told[200] >= 1
    assert len({answer.content for answer in answers if answer.status_code == 200}) == 1
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} <= {"API_IN_PROGRESS"}
    assert AuditEntry.objects.filter(verb="cases.release").count() == 1
    assert SavedAnswer.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_ten_at_once_with_keys_of_their_own_have_one_winner() -> None:
    """Where the keys differ the state machine decides: one waives, nine read that somebody was faster."""
    case = rows.case()
    machine = rows.Caller(rows.user(*NEEDS), "cases.*")
    answers = at_once(10, lambda mine: copy_of(machine).post(f"/cases/{case.pk}/waive", WHY, key=f"k-{mine}"))
    codes = Counter(answer.json().get("code") for answer in answers if answer.status_code == 409)
    assert (Counter(answer.status_code for answer in answers), codes) == ({200: 1, 409: 9}, {"STATE_MOVE": 9})
    assert AuditEntry.objects.filter(verb="cases.waive").count() == 1
    assert SavedAnswer.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_while_a_request_is_worked_on_its_key_is_busy_and_free_again_after_a_rollback() -> None:
    """409 with Retry-After; a process that dies with its transaction gives the key back."""
    case = rows.case()
    account = rows.user(*NEEDS)
    machine = rows.Caller(account, "cases.*")
    actor = f"api:a machine ({machine.key.prefix})"
    working, finish = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                assert idempotency._lock(actor, "POST", f"{rows.BASE}/cases/{case.pk}/waive", "k-1")
                working.set()
                finish.wait(30)
                transaction.set_rollback(True)
        finally:
            connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    assert working.wait(30)
    busy = machine.post(f"/cases/{case.pk}/waive", WHY, key="k-1")
    finish.set()
    holder.join()
    assert (busy.status_code, busy.json()["code"], busy.headers["Retry-After"]) == (409, "API_IN_PROGRESS", "1")
    assert json.loads(machine.post(f"/cases/{case.pk}/waive", WHY, key="k-1").content)["status"] == "waived"
