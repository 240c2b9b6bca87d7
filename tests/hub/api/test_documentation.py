"""docs/integrating/api.md names every path, every scope and every problem."""

from pathlib import Path

from hub.api import problems
from hub.api.idempotency import KEEP_DAYS
from hub.api.permissions import scope_verb
from hub.api.router import router
from hub.machines import MAX_DAYS
from tests.hub.api.test_matrix import MATRIX

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "integrating" / "api.md").read_text()


def test_every_path_is_documented() -> None:
    """A route that nobody can read about does not exist."""
    paths = {f"`/{path.replace('{pk}', '{id}')}`" for _, path in MATRIX}
    assert sorted(path for path in paths if path not in TEXT) == []


def test_every_scope_is_documented() -> None:
    """Whoever issues a key finds its words."""
    views = {view for _, view, _ in router.registry}
    scopes = {f"`{view.resource}.{scope_verb(view, action)}`" for view in views for action in view.needs}
    assert len(scopes) == 39
    assert sorted(scope for scope in scopes if scope not in TEXT) == []


def test_every_kind_of_problem_is_documented_with_its_status_and_code() -> None:
    """`type` is a name, so the documentation is where it leads to."""
    for kind in problems.KINDS:
        assert f"| `{kind.slug}` | {kind.status} | `{kind.code}` |" in TEXT


def test_the_limits_in_the_text_are_those_of_the_code() -> None:
    """A figure that changes in one place fails here."""
    assert (f"at most {MAX_DAYS}" in TEXT, KEEP_DAYS) == (True, 7)
