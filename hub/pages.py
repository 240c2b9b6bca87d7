"""Pages of the admin that belong to no model: apps register them, as they do with their models."""

from collections.abc import Callable
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse


@dataclass(frozen=True, slots=True)
class Page:
    """One page: its path below the site, its name ("admin:<name>"), and the view, which asks for permissions itself."""

    path: str
    name: str
    view: Callable[[HttpRequest], HttpResponse]


pages: list[Page] = []


def register(*new: Page) -> None:
    """Add pages; staff who are logged in reach them."""
    pages.extend(new)
