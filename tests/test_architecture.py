"""What import-linter cannot see: the shape of files, models, moves and routes that every later change leans on."""

import ast
import re
import statistics
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from django.apps import apps
from django.db import models

from hub.formats import hl7
from hub.routing import Answer, Inbound, Outbound, Reaction, registry

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("hub", "mappings", "billing", "erp")
PYTHON_ROOTS = (*PACKAGES, "embedded", "sandbox", "benchmarks", "storm", "tests")
TEXT_SUFFIXES = {".py", ".html", ".css", ".js"}
FEATURED = {"hub", "mappings", "billing", "erp"}


@cache
def tree(file: Path) -> ast.Module:
    """The parsed module."""
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


def modules(*roots: str) -> list[Path]:
    """All Python files below these folders, migrations left out: they are written once and never read again."""
    found = [file for root in roots for file in sorted((ROOT / root).rglob("*.py"))]
    return [file for file in found if "migrations" not in file.parts]


def place(file: Path, node: ast.AST) -> str:
    """Where to look."""
    return f"{file.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"


def imported(node: ast.AST) -> list[str]:
    """The modules that a statement imports."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


# --- files -----------------------------------------------------------------------------------------------------------
def test_nothing_is_imported_inside_a_function() -> None:
    """What a module needs stands at its top, where a cycle shows itself at once."""
    found = [
        place(file, inner)
        for file in modules(*PACKAGES, "embedded")
        for node in ast.walk(tree(file))
        if isinstance(node, FUNCTIONS)
        for inner in ast.walk(node)
        if isinstance(inner, ast.Import | ast.ImportFrom)
    ]
    assert found == []


def _written() -> list[Path]:
    roots = (*PYTHON_ROOTS, "templates", "static")
    found = [file for root in roots for file in (ROOT / root).rglob("*") if file.suffix in TEXT_SUFFIXES]
    return [file for file in found if "migrations" not in file.parts]


def _lines(file: Path) -> int:
    return len(file.read_text(encoding="utf-8").splitlines())


def test_no_file_is_longer_than_600_lines() -> None:
    """A file that grows beyond it is split by noun."""
    assert {str(file.relative_to(ROOT)): _lines(file) for file in _written() if _lines(file) > 600} == {}


def test_the_median_file_of_the_product_is_under_120_lines() -> None:
    """Small files are the rule. Empty `__init__.py` files do not count."""
    sizes = [size for file in modules(*PACKAGES) if (size := _lines(file)) > 1]
    assert len(sizes) > 100
    assert statistics.median(sizes) < 120


def _public(file: Path) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef, ast.ClassDef | None]]:
    """Public functions of a module, and public methods of its public classes."""
    for node in tree(file).body:
        if isinstance(node, FUNCTIONS) and not node.name.startswith("_"):
            yield node.name, node, None
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for method in node.body:
                if isinstance(method, FUNCTIONS) and not method.name.startswith("_"):
                    yield f"{node.name}.{method.name}", method, node


# Names that a framework, or `hub.routing.Fact`, gives: what they do is told there.
HOOKS = {"ready", "add_arguments", "handle", "database_forwards", "encode", "decode"}


def _explains_itself(file: Path, method: ast.FunctionDef | ast.AsyncFunctionDef, owner: ast.ClassDef | None) -> bool:
    """A framework's hook, a line of a Protocol, or a property."""
    if owner is None:
        return False
    page = {"admin", "api"} & set(file.parts) or file.stem in {"admin", "api", "adminsite"}
    last = method.body[-1]
    stub = isinstance(last, ast.Expr) and isinstance(last.value, ast.Constant) and last.value.value is ...
    decorators = {ast.unparse(decorator) for decorator in method.decorator_list}
    return bool(page) or method.name in HOOKS or stub or bool(decorators & {"property", "overload"})


def test_every_public_function_says_what_it_does() -> None:
    """One line at least, for whoever calls it."""
    silent = [
        f"{place(file, function)} {name}"
        for file in modules(*PACKAGES)
        for name, function, owner in _public(file)
        if ast.get_docstring(function) is None and not _explains_itself(file, function, owner)
    ]
    assert silent == []


# --- arrows that import-linter draws too, and some that it cannot ----------------------------------------------------
FORBIDDEN = {
    "flows": ("rest_framework", "drf_spectacular", "celery", "kombu"),
    "adapters": ("django", "rest_framework", "celery", "psycopg", "redis"),
    "formats": ("django", "rest_framework", "celery", "psycopg", "redis"),
    "canonical": ("django", "rest_framework", "celery", "psycopg", "redis"),
}


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_pure_folders_import_no_framework(folder: str) -> None:
    """A verb does not know who called it; what reads and writes formats knows values only."""
    inside = [file for file in modules(*PACKAGES) if folder in file.relative_to(ROOT).parts]
    found = [
        place(file, node)
        for file in inside
        for node in ast.walk(tree(file))
        for name in imported(node)
        if name.split(".")[0] in FORBIDDEN[folder]
    ]
    assert len(inside) > 1
    assert found == []


def test_no_model_has_logic_in_save() -> None:
    """What happens when a row changes stands in the verb that changes it."""
    ours = [model for model in apps.get_models() if model.__module__.split(".")[0] in FEATURED]
    assert len(ours) > 30
    assert [model.__name__ for model in ours if "save" in vars(model) or "delete" in vars(model)] == []


SIGNAL_MODULES = ("django.db.models.signals", "django.dispatch", "django.core.signals", "django.contrib.auth.signals")


def test_one_signal_is_heard_and_no_other() -> None:
    """post_migrate gives the roles their permissions. Everything else is called by name, so that it can be followed."""
    found = {
        (str(file.relative_to(ROOT)), name)
        for file in modules(*PACKAGES)
        for node in ast.walk(tree(file))
        for name in imported(node)
        if name.startswith(SIGNAL_MODULES)
    }
    assert found == {("hub/apps.py", "django.db.models.signals.post_migrate")}


# --- bulk writes go round history: each place has its reason ---------------------------------------------------------
BULK_WRITES = {
    (
        "hub/alerts/digests.py",
        "Digest.bulk_create",
    ): "a day's slot of one recipient, made once; nobody edits these rows",
    ("hub/alerts/digests.py", "Digest.update"): "why a mail was not sent yet; nobody edits these rows",
    (
        "hub/alerts/watch.py",
        "AlertEpisode.bulk_create",
    ): "what one look found, in one statement; nobody edits these rows",
    (
        "hub/alerts/watch.py",
        "AlertEpisode.bulk_update",
    ): "what one look found, in one statement; nobody edits these rows",
    ("hub/alerts/webhooks.py", "WebhookCall.bulk_create"): "what has to be told of what one look found",
    ("hub/alerts/notices.py", "AlertEpisode.update"): "who was told, of many episodes; nobody edits these rows",
    (
        "hub/cases.py",
        "ExceptionCase.bulk_create",
    ): "a batch opens its cases in one statement; the audit entry names them",
    ("hub/interventions.py", "Endpoint.update"): "a sealed secret, which history never holds; audited",
    ("hub/machines.py", "ApiKey.update"): "when a key was last used, once a minute; no decision, and no history",
    (
        "hub/management/commands/rotate_vault.py",
        "Endpoint.update",
    ): "a sealed secret, which history never holds; audited",
    (
        "hub/management/commands/rotate_vault.py",
        "Webhook.update",
    ): "a sealed secret, which history never holds; audited",
    ("mappings/demo/people.py", "FacilityGrant.bulk_create"): "the demo's people, who are new",
}
BULK_VERBS = {"update", "bulk_create", "bulk_update", "abulk_create", "abulk_update", "aupdate"}


def _manager_model(call: ast.Call) -> str:
    """The model at the root of `Model.objects.filter(...).update(...)`; "" for what is no queryset."""
    node: ast.expr = call.func
    chained = False
    while isinstance(node, ast.Attribute | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
        chained = True
    text = ast.unparse(call.func)
    return node.id if chained and isinstance(node, ast.Name) and (".objects." in text or "_manager." in text) else ""


def test_bulk_writes_of_the_orm_stand_where_their_reason_stands() -> None:
    """`update()` and `bulk_create()` write no history row: whoever adds one says here why that is right."""
    found = {
        (str(file.relative_to(ROOT)), f"{model}.{node.func.attr}")
        for file in modules(*PACKAGES)
        for node in ast.walk(tree(file))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in BULK_VERBS
        if (model := _manager_model(node))
    }
    assert found == set(BULK_WRITES)


# --- state machines --------------------------------------------------------------------------------------------------
MACHINES = [model for model in apps.get_models() if hasattr(model, "MOVES")]
NAMES = [model.__name__ for model in MACHINES]


def _known(model: type[models.Model]) -> set[str]:
    """The statuses of the check constraint `<name>_status_is_known`."""
    for constraint in model._meta.constraints:
        if isinstance(constraint, models.CheckConstraint) and constraint.name.endswith("_status_is_known"):
            ((field, values),) = constraint.condition.children
            assert field == "status__in"
            return set(values)
    return set()


def test_the_machines_are_these() -> None:
    """A dozen tables move by statuses."""
    assert sorted(NAMES) == [
        "Breaker",
        "Charge",
        "Delivery",
        "Dispatch",
        "ExceptionCase",
        "InboundFile",
        "Journal",
        "Mapping",
        "Message",
        "Replay",
        "Resend",
        "Visit",
        "WebhookCall",
    ]


@pytest.mark.parametrize("model", MACHINES, ids=NAMES)
def test_moves_statuses_and_the_constraint_agree(model: type[models.Model]) -> None:
    """Every status has its moves, every move leads to a status, and the database knows the same ones."""
    statuses, moves = set(model.STATUSES), model.MOVES  # type: ignore[attr-defined]
    assert set(moves) == statuses
    assert {to for targets in moves.values() for to in targets} <= statuses
    assert _known(model) == statuses
    assert {value for value, _ in model._meta.get_field("status").choices} == statuses


# Set-based moves whose statuses are parameters or whose rows were chosen under the lane's lock a statement before.
UNNAMED = {
    "hub/settlement.py hub_dispatch": "STATUS says which outcome leads where; only the open calls in hand are named",
    "billing/flows/visits.py billing_visit": "`visit_moves.follow` reads Visit.MOVES, on rows that LOCK holds",
}


def _statements() -> Iterator[tuple[Path, str]]:
    """Every text in the product that may be SQL; the pieces of an f-string as one."""
    for file in modules(*PACKAGES):
        for node in ast.walk(tree(file)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield file, node.value
            elif isinstance(node, ast.JoinedStr):
                yield file, "".join(part.value for part in node.values if isinstance(part, ast.Constant))


UPDATE = re.compile(r"UPDATE (\w+)(?: \w+)?\s+SET (?:\w+ = [^,]+, )*status = ('(\w+)'|\S+)(.*)", re.DOTALL)


def _moves_in_sql() -> Iterator[tuple[str, type[models.Model], str, set[str]]]:
    """(place, model, new status or "", old statuses that the WHERE names) of each UPDATE that moves rows."""
    tables = {model._meta.db_table: model for model in MACHINES}
    for file, text in _statements():
        match = UPDATE.search(text)
        if match is None or match[1] not in tables:
            continue
        where = match[4].partition("WHERE")[2].partition("NOT EXISTS")[0]
        listed = re.findall(r"status IN \(([^)]*)\)", where)
        old = set(re.findall(r"status = '(\w+)'", where)) | set(re.findall(r"'(\w+)'", " ".join(listed)))
        yield str(file.relative_to(ROOT)), tables[match[1]], match[3] or "", old


def test_bulk_moves_name_the_status_that_they_leave_and_obey_the_same_moves() -> None:
    """SQL that moves many rows at once goes where `advance()` would let one go."""
    found = list(_moves_in_sql())
    assert len(found) > 12
    unnamed = {f"{file} {model._meta.db_table}" for file, model, _, old in found if not old}
    assert unnamed == set(UNNAMED)
    wrong = [
        f"{file}: {model.__name__} {was} -> {new}"
        for file, model, new, old in found
        for was in old
        if new and new != was and new not in model.MOVES[was]  # type: ignore[attr-defined]
    ]
    assert wrong == []


# --- routes ----------------------------------------------------------------------------------------------------------
# Which test tells of a route that is no document on the wire.
TOLD_BY = {
    "charges.posted": ("tests/stories/test_charge_to_cost.py", "test_a_charge_reaches_the_ledger_at_its_cost"),
    "journals.allocate": ("tests/stories/test_charge_to_cost.py", "test_a_charge_reaches_the_ledger_at_its_cost"),
    "journals.post": ("tests/stories/test_charge_to_cost.py", "test_a_charge_reaches_the_ledger_at_its_cost"),
    "mappings.dimension": ("tests/mappings/test_dimensions.py", ""),
}


def _fixture_kinds() -> set[str]:
    """The kinds of message of which a wire file stands beside what it becomes."""
    pairs = [file for file in (ROOT / "tests/fixtures").rglob("*.hl7") if file.with_suffix(".json").exists()]
    envelopes = [hl7.peek(file.read_bytes()) for file in pairs]
    return {f"{envelope.message_type}^{envelope.trigger}" for envelope in envelopes}


def test_every_inbound_route_has_a_fixture_pair() -> None:
    """What comes over the wire, and what is read out of it, stand side by side in tests/fixtures."""
    kinds = _fixture_kinds()
    assert [route.name for route in registry.of(Inbound) if not kinds & set(route.kinds)] == []


def test_every_other_route_is_told_by_a_test() -> None:
    """A route that no test names does not exist for whoever changes it next."""
    others = {route.name for kind in (Reaction, Outbound, Answer) for route in registry.of(kind)}
    assert others == set(TOLD_BY)
    for file, name in TOLD_BY.values():
        functions = {node.name for node in tree(ROOT / file).body if isinstance(node, ast.FunctionDef)}
        assert functions
        assert name in functions or not name


def test_every_outbound_format_has_a_connector_and_a_page() -> None:
    """Whoever has to speak a format finds its protocol in docs/integrating."""
    formats = {route.format for route in registry.of(Outbound)}
    pages = {file.stem.replace("-", "_") for file in (ROOT / "docs/integrating").glob("*.md")}
    connectors = {file.stem for file in (ROOT / "erp/connectors").glob("*.py")}
    assert formats == {"rest_ledger"}
    assert formats <= pages & connectors
