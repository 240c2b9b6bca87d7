"""Checks a process table and answers questions about its order."""

from collections.abc import Sequence

from embedded.errors import EmbeddedError
from embedded.process import Spec


def check(specs: Sequence[Spec]) -> None:
    """EmbeddedError if names repeat, a dependency is not in the table, or dependencies go in a circle."""
    names = [spec.name for spec in specs]
    for name in names:
        if names.count(name) > 1:
            raise EmbeddedError(f"the process table names {name} twice")
    for spec in specs:
        for other in spec.after:
            if other not in names:
                raise EmbeddedError(f"{spec.name} is to start after {other}, which is not in the process table")
        if spec.name in needs(specs, spec.name):
            raise EmbeddedError(f"{spec.name} is to start after itself, by way of what it starts after")


def needs(specs: Sequence[Spec], name: str) -> set[str]:
    """The names of everything that `name` depends on, directly or by way of others."""
    direct = {spec.name: spec.after for spec in specs}
    found: set[str] = set()
    to_visit = list(direct[name])
    while to_visit:
        other = to_visit.pop()
        if other not in found:
            found.add(other)
            to_visit += direct.get(other, ())
    return found
