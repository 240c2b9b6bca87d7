"""The OpenAPI document: complete, valid by somebody else's code, and readable in a browser under our own policy."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.core.management import call_command
from drf_spectacular.generators import SchemaGenerator
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.hub.api import rows
from tests.hub.api.test_matrix import MATRIX

# Every field that a caller may write, by the body that it stands in. A new one has to be added here on purpose.
WRITABLE = {
    "CommentRequest": {"reason"},
    "EditedRequest": {"base64", "reason"},
    "PlanRequest": {"kind", "filters", "limit", "mode", "reason", "to"},
    "AssignmentRequest": {"to"},
    "ProposalRequest": {
        "partner", "domain", "source_code", "target_code", "facility", "valid_from", "valid_to", "reason",
    },
    "ReasonRequest": {"reason"},
    "RejectionRequest": {"reason"},
    "ResolutionRequest": {"outcome", "reference", "reason"},
    "RetirementRequest": {"on", "reason"},
}  # fmt: skip


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The document as it is served."""
    made = SchemaGenerator().get_schema(request=None, public=True)
    return json.loads(json.dumps(made, default=str))  # type: ignore[no-any-return]


def operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """Every operation by method and path below /api/v1/."""
    return {
        (method.upper(), path.removeprefix("/api/v1/")): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def test_the_document_is_made_without_a_warning(tmp_path: Path) -> None:
    """What CI runs: `manage.py spectacular --validate --fail-on-warn`."""
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "api.yaml"))


def test_the_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    """So says a validator that is not the generator's own."""
    assert document["openapi"].startswith("3.1")
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_INV_21_every_route_is_in_the_document_and_nothing_else(document: dict[str, Any]) -> None:
    """The role matrix and the document name the same routes."""
    described = {(method, path.replace("{id}", "{pk}")) for method, path in operations(document)}
    assert described == set(MATRIX)


def test_every_operation_has_its_own_id_a_summary_and_its_errors(document: dict[str, Any]) -> None:
    """A generated client gets names, and knows that every error is a problem."""
    found = operations(document)
    assert len({operation["operationId"] for operation in found.values()}) == len(found) == len(MATRIX)
    for (method, path), operation in found.items():
        errors = {status: told for status, told in operation["responses"].items() if int(status) >= 400}
        wanted = {"400", "401", "403", "406", "500", "503"}
        wanted |= {"404"} if "{" in path else set()
        wanted |= {"409", "413", "415", "422"} if method == "POST" else set()
        assert set(errors) == wanted, path
        assert {tuple(told["content"]) for told in errors.values()} == {("application/problem+json",)}
        assert operation["summary"].endswith(".")
        assert "a key needs the scope" in operation["description"]
        assert {"key": []} in operation["security"]


def test_every_mutating_call_asks_for_its_key(document: dict[str, Any]) -> None:
    """R-5: the header is required, and documented as such."""
    for (method, path), operation in operations(document).items():
        headers = {one["name"]: one for one in operation.get("parameters", ()) if one["in"] == "header"}
        assert (method == "POST") == ("Idempotency-Key" in headers), path
        assert all(header["required"] for header in headers.values())


def test_S_10_nothing_can_be_written_but_what_a_verb_asks_for(document: dict[str, Any]) -> None:
    """No status, no amount and no approver is ever taken from a body."""
    bodies = {
        name: set(schema["properties"])
        for name, schema in document["components"]["schemas"].items()
        if name.endswith("Request")
    }
    assert bodies == WRITABLE


def test_every_number_that_is_money_is_text(document: dict[str, Any]) -> None:
    """A client that reads JSON numbers as floats loses no cent."""
    money = re.compile(r"^(amount|total|debit|credit|unit_cost|quantity)$")
    found = [
        schema["type"]
        for component in document["components"]["schemas"].values()
        for name, schema in component.get("properties", {}).items()
        if money.match(name) and "type" in schema and schema["type"] != "object"
    ]
    assert len(found) == 12
    assert all(type_ in ("string", ["string", "null"]) for type_ in found)


@pytest.mark.django_db
def test_the_document_is_for_people_and_machines_who_are_known() -> None:
    """Nobody reads the map of the house from outside."""
    assert rows.Caller().get("/schema").status_code == 401
    for caller in (rows.Caller(rows.user()), rows.Caller(rows.user(), "charges.read")):
        answer = caller.get("/schema")
        assert (answer.status_code, answer.json()["info"]["title"]) == (200, "Throughline")


@pytest.mark.django_db
def test_the_page_asks_for_a_log_in_and_breaks_no_rule_of_its_own_policy() -> None:
    """No inline script or style, every file from here, and each of them is really there."""
    stranger = rows.Caller().get("/docs")
    assert (stranger.status_code, stranger.headers["Location"].startswith("/login/")) == (302, True)
    page = rows.Caller(rows.user()).get("/docs")
    text = page.content.decode()
    assert page.status_code == 200
    assert "<style" not in text
    assert " style=" not in text
    assert re.findall(r"<script(?![^>]*src=)", text) == []
    links = re.findall(r'(?:href|src)="([^"]+)"', text)
    assert len(links) == 6
    for link in links:
        assert link.startswith("/")
        if link.startswith("/static/"):
            assert finders.find(link.removeprefix("/static/")), link
    script = rows.Caller(rows.user()).client.get(f"{rows.BASE}/docs", {"script": ""})
    assert script.headers["Content-Type"].startswith("application/javascript")
    assert "/api/v1/schema" in script.content.decode()
