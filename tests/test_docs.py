"""The docs are held to the code: settings, registry codes, commands, paths and links, in both directions."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from django.apps import apps
from django.contrib.admindocs.utils import replace_named_groups
from django.core.management import get_commands
from django.urls import URLPattern, URLResolver, get_resolver

from hub.routing import registry

ROOT = Path(__file__).resolve().parent.parent
PRODUCT = ("hub", "mappings", "billing", "erp")
DOCS = ROOT / "docs"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]


@cache
def text(file: Path) -> str:
    """A file's text."""
    return file.read_text(encoding="utf-8")


@cache
def all_docs() -> str:
    """Every page as one text."""
    return "\n".join(map(text, PAGES))


def strings(*roots: str) -> Iterator[str]:
    """Every string constant of the Python files below these folders, migrations left out."""
    for root in roots:
        for file in sorted((ROOT / root).rglob("*.py")):
            if "migrations" not in file.parts:
                yield from (
                    node.value
                    for node in ast.walk(ast.parse(text(file)))
                    if isinstance(node, ast.Constant) and isinstance(node.value, str)
                )


# --- settings --------------------------------------------------------------------------------------------------------
VARIABLE = re.compile(r"THROUGHLINE_[A-Z0-9_]+|DATABASE_URL|REDIS_URL")
# Set by the product for its own children; nobody sets them by hand.
INTERNAL = {
    "THROUGHLINE_SUPERVISED_BY",  # the mark by which the next session finds what the last one left running
    "THROUGHLINE_TEST_ADMIN_URL",  # the superuser's door of the suite's own PostgreSQL
}


def read_variables() -> set[str]:
    """The variables that the product, its launcher or the demo reads."""
    return {value for value in strings(*PRODUCT, "embedded") if VARIABLE.fullmatch(value)} - INTERNAL


def test_the_variables_are_found_at_all() -> None:
    """The next two tests compare something."""
    assert {"DATABASE_URL", "REDIS_URL", "THROUGHLINE_SECRET_KEY", "THROUGHLINE_ERP_URL"} <= read_variables()


def test_env_example_lists_every_variable_and_no_other() -> None:
    """Whoever installs the hub finds all of them in one file."""
    listed = set(re.findall(r"^#?([A-Z_]+)=", text(ROOT / ".env.example"), re.MULTILINE))
    assert listed == read_variables()


def test_the_settings_page_tells_of_every_variable_and_no_other() -> None:
    """Each has a row of its own in docs/operating/settings.md."""
    rows = re.findall(r"^\| `([A-Z_]+)` \|", text(DOCS / "operating/settings.md"), re.MULTILINE)
    assert len(rows) == len(set(rows))
    assert set(rows) - INTERNAL == read_variables()


# --- what an endpoint may be told ------------------------------------------------------------------------------------
def test_every_endpoint_field_and_setting_is_explained() -> None:
    """Fields of the row, and keys of its `settings`, as the code reads them."""
    page = text(DOCS / "integrating/endpoints.md")
    fields = {field.name for field in apps.get_model("hub", "Endpoint")._meta.concrete_fields} - {"id"}
    assert {name for name in fields if f"`{name}`" not in page} == set()
    keys = _setting_keys()
    assert {"base_url", "tls", "late_days", "paths", "transaction_ids", "client_names"} <= keys
    assert {key for key in keys if f"`{key}`" not in page} == set()


# Where a partner's settings are read, whatever the variable is called there.
READERS = {"settings", "endpoint_settings", "tls", "paths"}


def _setting_keys() -> set[str]:
    found: set[str] = set()
    for root in ("hub/transports", "hub/listener", "hub/doors.py", "billing", "erp"):
        start = ROOT / root
        for file in [start] if start.is_file() else sorted(start.rglob("*.py")):
            found |= set(_keys(ast.parse(text(file))))
    adapters = ast.parse(text(ROOT / "billing/adapters/hl7_settings.py"))
    choices = next(n for n in adapters.body if isinstance(n, ast.AnnAssign) and ast.unparse(n.target) == "_CHOICES")
    assert isinstance(choices.value, ast.Dict)
    return found | {ast.literal_eval(key) for key in choices.value.keys if key is not None}


def _keys(tree: ast.Module) -> Iterator[str]:
    """The names in `settings.get("name")`, `endpoint.settings["name"]` and the like."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
            source, key = node.func.value, node.args[0] if node.args else None
        elif isinstance(node, ast.Subscript):
            source, key = node.value, node.slice
        else:
            continue
        name = source.attr if isinstance(source, ast.Attribute) else source.id if isinstance(source, ast.Name) else ""
        if name in READERS and isinstance(key, ast.Constant) and isinstance(key.value, str):
            yield key.value


# --- the registry of exceptions --------------------------------------------------------------------------------------
CODE = re.compile(
    r"(ACCESS|ALLOC|API|CASE|CHG|CREDIT|DELIVERY|DISPATCH|DOCUMENT|ERP|FIND|IF|IMPORT|ITEM|JOURNEY|KEY|LATE|MAP|MD|REPLAY"
    r"|RESUBMIT|RETENTION|ROLE|SEARCH|STATE|UOM|VAULT|VERIFY|VISIT)_[A-Z_]+|ALERT|BUG|INVARIANT|POISON"
)
# Shaped like a code, and none.
NO_CODES: set[str] = set()


def raised_codes() -> set[str]:
    """Every code that the product raises, answers with, or opens a case with."""
    return {value for value in strings(*PRODUCT) if CODE.fullmatch(value)} - NO_CODES


def documented_codes() -> list[str]:
    """The first cell of each row of the registry."""
    return re.findall(r"^\| `([A-Z_]+)` \|", text(DOCS / "exceptions.md"), re.MULTILINE)


def test_every_code_is_in_the_registry_and_the_registry_knows_no_other() -> None:
    """Whoever reads a code on a page or in an answer finds out what it means and what to do."""
    rows = documented_codes()
    assert len(rows) == len(set(rows))
    assert set(rows) == raised_codes()
    assert len(rows) > 80


ERRORS = {
    "HubError", "Transient", "Throttled", "OutcomeUnknown", "Permanent", "ParseError", "Rejected", "Refused",
    "NotAllowed", "VaultError",
    "Hold",
    "Refusal",
}  # fmt: skip


def test_an_error_with_a_new_kind_of_code_does_not_go_unseen() -> None:
    """The pattern above knows the prefixes; a code with another one is found where it is raised."""
    unknown = set()
    for root in PRODUCT:
        for file in sorted((ROOT / root).rglob("*.py")):
            for node in ast.walk(ast.parse(text(file))):
                if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in ERRORS and node.args:
                    first = node.args[0]
                    if isinstance(first, ast.Constant) and not CODE.fullmatch(str(first.value)):
                        unknown.add(f"{file.relative_to(ROOT)}: {first.value}")
                for keyword in getattr(node, "keywords", ()):
                    if keyword.arg == "code" and ast.unparse(node.func).endswith("NewCase"):  # type: ignore[attr-defined]
                        value = keyword.value
                        if isinstance(value, ast.Constant) and not CODE.fullmatch(str(value.value)):
                            unknown.add(f"{file.relative_to(ROOT)}: {value.value}")
    assert unknown == set()


# --- commands and paths ----------------------------------------------------------------------------------------------
def test_every_command_is_told() -> None:
    """`manage.py <name>` of each of our commands stands in some page."""
    ours = sorted(name for name, app in get_commands().items() if app in PRODUCT)
    assert "mllp" in ours
    assert [name for name in ours if f"manage.py {name}" not in all_docs()] == []


def _paths(patterns: list[URLPattern | URLResolver], prefix: str = "") -> Iterator[tuple[str, str]]:
    """(route name, path with `<name>` for its parameters) of all that is answered, the admin's pages left out."""
    for entry in patterns:
        here = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            if entry.namespace != "admin":
                yield from _paths(entry.url_patterns, here)
        elif entry.name:
            plain = re.sub(r"<\w+:(\w+)>", r"<\1>", replace_named_groups(here))
            yield entry.name, re.sub(r"[\^$]", "", plain)


UNTOLD = {"api-nothing"}  # answers 404 to whatever is not there


def test_every_path_is_told() -> None:
    """What the web server answers, machines and probes included, stands in some page with its path."""
    docs = re.sub(r"\{(\w+)\}", "<>", re.sub(r"<[^<>\n]+>", "<>", all_docs()))
    paths = dict(_paths(get_resolver().url_patterns))
    assert {"livez", "in", "cases-waive", "schema"} <= set(paths)
    missing = []
    for name, path in paths.items():
        told = "/" + re.sub(r"<\w+>", "<>", path).removeprefix("api/v1/")
        if name not in UNTOLD and not re.search(rf"(?<![\w.])(/api/v1)?{re.escape(told)}(?![\w/<])", docs):
            missing.append(f"{name}: {told}")
    assert missing == []


def test_every_route_of_messages_is_told() -> None:
    """The names that stand in rows for ever are explained in the architecture's table of routes."""
    page = text(DOCS / "architecture.md")
    assert [name for name in registry.routes if f"`{name}`" not in page] == []


# --- links -----------------------------------------------------------------------------------------------------------
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    """Relative links lead to files that are there; headings that they name exist."""
    broken = []
    for target in LINK.findall(re.sub(r"```.*?```", "", text(page), flags=re.DOTALL)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, heading = target.partition("#")
        file = page if not name else (page.parent / name).resolve()
        if not file.exists() or (heading and heading not in _headings(file)):
            broken.append(target)
    assert broken == []


def _headings(file: Path) -> set[str]:
    """The anchors of a page's headings, as the usual renderers make them."""
    found = re.findall(r"^#+ (.*)$", text(file), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


def test_every_page_of_the_docs_is_found_from_the_index() -> None:
    """docs/README.md leads to each of them."""
    linked = {(DOCS / target.partition("#")[0]).resolve() for target in LINK.findall(text(DOCS / "README.md"))}
    assert {str(page.relative_to(ROOT)) for page in PAGES if DOCS in page.parents and page not in linked} == {
        "docs/README.md"
    }


def test_the_figures_of_the_readme_are_seen_ones_or_none() -> None:
    """The table of measured speed says how to get its figures."""
    section = text(ROOT / "README.md").partition("## Measured speed")[2].partition("\n## ")[0]
    assert "make bench" in section
