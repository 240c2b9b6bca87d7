"""Whatever goes wrong comes back as problem+json, with its code and what to do, and without what was sent."""

import json
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404
from rest_framework import exceptions

from hub import errors
from hub.api import messages, problems
from tests.hub.api import rows

MEMBERS = {"type", "title", "status", "detail", "code", "instance"}


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.Refused("STATE_MOVE", "not now"), 409, "STATE_MOVE"),
        (errors.Permanent("X", "no"), 409, "X"),
        (errors.NotAllowed("ACCESS_VERB", "no"), 401, "ACCESS_VERB"),
        (errors.ParseError("IF_PARSE", "no", where="MSH-9"), 422, "IF_PARSE"),
        (errors.Transient("ERP_AWAY", "later"), 503, "ERP_AWAY"),
        (errors.Throttled("ERP_BUSY", "later", retry_after_s=7.2), 503, "ERP_BUSY"),
        (errors.Rejected("ERP_NO", "no"), 502, "ERP_NO"),
        (errors.OutcomeUnknown("ERP_DOUBT", "?"), 502, "ERP_DOUBT"),
        (errors.HubError("IF_NO_ANSWER", "?"), 500, "API_INTERNAL"),
        (Http404("secret words"), 404, "API_NOT_FOUND"),
        (PermissionDenied("secret words"), 403, "API_NOT_ALLOWED"),
        (OperationalError("secret words"), 503, "API_UNAVAILABLE"),
        (InterfaceError("secret words"), 503, "API_UNAVAILABLE"),
        (exceptions.MethodNotAllowed("PUT"), 405, "API_METHOD"),
        (exceptions.UnsupportedMediaType("text/xml"), 415, "API_MEDIA_TYPE"),
        (exceptions.Throttled(wait=3), 429, "API_THROTTLED"),
        (KeyError("secret words"), 500, "API_INTERNAL"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_every_error_becomes_a_problem_with_all_members(error: Exception, status: int, code: str) -> None:
    """Status, code and type belong together, and no word of Django's or the database's gets out."""
    answer = problems.handle(error, {})
    assert (answer.status_code, answer.data["code"]) == (status, code) or isinstance(
        error, errors.NotAllowed | PermissionDenied
    )
    assert set(answer.data) - {"where"} >= MEMBERS
    assert answer.data["status"] == answer.status_code
    assert answer.content_type == "application/problem+json"
    assert "secret words" not in json.dumps(answer.data)
    assert answer.data["type"].startswith("urn:throughline:problem:")


def test_waiting_is_told_in_seconds_where_waiting_helps() -> None:
    """Retry-After is the partner's own figure, rounded up, or ours."""
    throttled = problems.handle(errors.Throttled("X", "later", retry_after_s=7.2), {})
    away = problems.handle(errors.Transient("X", "later"), {})
    assert (throttled.headers["Retry-After"], away.headers["Retry-After"]) == ("8", "5")
    assert "Retry-After" not in problems.handle(errors.Refused("X", "no"), {}).headers


def test_every_kind_of_problem_has_its_own_type() -> None:
    """Programs can tell them apart by `type` alone."""
    assert len({kind.slug for kind in problems.KINDS}) == len(problems.KINDS) == 17
    assert set(problems.BY_STATUS) <= {kind.status for kind in problems.KINDS}


@pytest.mark.django_db
def test_nobody_gets_a_401_and_somebody_without_permission_a_403() -> None:
    """The one is told how to say who they are, the other what is missing."""
    nobody = rows.Caller().get("/messages")
    assert (nobody.status_code, nobody.json()["code"]) == (401, "API_UNAUTHENTICATED")
    assert nobody.headers["WWW-Authenticate"] == 'Bearer realm="throughline"'
    assert nobody.headers["Content-Type"] == "application/problem+json"
    plain = rows.Caller(rows.user()).get("/messages")
    assert (plain.status_code, plain.json()["code"]) == (403, "ACCESS_VERB")
    assert "hub.view_message" in plain.json()["detail"]
    assert plain.json()["instance"] == f"urn:uuid:{plain.headers['X-Correlation-Id']}"


@pytest.mark.django_db
def test_a_key_without_the_scope_is_told_which_one_it_lacks() -> None:
    """403, although its account holds the permission."""
    answer = rows.Caller(rows.user("hub.view_message"), "charges.read").get("/messages")
    assert (answer.status_code, answer.json()["code"]) == (403, "ACCESS_SCOPE")
    assert "messages.read" in answer.json()["detail"]


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "options", "head"])
def test_a_path_that_is_not_there_is_a_problem_too(method: str) -> None:
    """Below /api/v1/ nobody gets a page for people."""
    answer = getattr(rows.Caller().client, method)(f"{rows.BASE}/no/such/thing")
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["put", "patch", "delete", "post", "options"])
def test_a_method_that_a_resource_does_not_know_is_a_405(method: str) -> None:
    """Rows are changed by verbs alone."""
    made = rows.message("RIVER")
    caller = rows.Caller(rows.user("hub.view_message"), "*")
    for path in ("/messages", f"/messages/{made.pk}"):
        answer = getattr(caller.client, method)(rows.BASE + path, headers=caller.headers)
        assert (answer.status_code, answer.json()["code"]) == (405, "API_METHOD")


@pytest.mark.django_db
def test_answers_are_json_or_nothing() -> None:
    """S-9: no browsable pages; a client that wants HTML is told so."""
    caller = rows.Caller(rows.user("hub.view_message"), "*")
    answer = caller.client.get(f"{rows.BASE}/messages", headers={**caller.headers, "Accept": "text/html"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (406, "application/problem+json")


@pytest.mark.django_db
def test_a_bug_is_told_without_a_trace_and_logged_by_place_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The text of an error may quote a patient's data: neither the answer nor the log repeats it."""

    def break_down(*_: Any, **__: Any) -> None:
        raise ValueError("ZZCANARY 4711")

    monkeypatch.setattr(messages.interventions, "retry_message", break_down)
    made = rows.message("RIVER")
    answer = rows.Caller(rows.user("hub.view_message", "hub.retry_message")).post(f"/messages/{made.pk}/retry")
    assert (answer.status_code, answer.json()["code"]) == (500, "API_INTERNAL")
    printed = "".join(capsys.readouterr())
    assert "ZZCANARY" not in answer.content.decode() + printed


@pytest.mark.django_db
def test_a_session_without_a_csrf_token_may_not_post() -> None:
    """Another site cannot press buttons in a logged-in browser; a machine's key needs no token."""
    made = rows.message("RIVER")
    account = rows.user("hub.view_message", "hub.waive_message")
    browser = rows.Caller(account)
    browser.client.handler.enforce_csrf_checks = True
    assert browser.post(f"/messages/{made.pk}/waive", {"reason": "x"}).status_code == 403
    machine = rows.Caller(account, "messages.waive")
    machine.client.handler.enforce_csrf_checks = True
    assert machine.post(f"/messages/{made.pk}/waive", {"reason": "x"}).status_code == 200
