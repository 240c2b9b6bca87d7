"""What an endpoint's settings say about its folder, read once and checked: a typing error is told, never guessed at."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hub.errors import Permanent
from hub.models import Endpoint

COMPLETE = {
    "stable": "two looks find the same size and time",
    "rename": "the sender writes under another name and renames",
    "marker": "a file of the same name with .done added says so",
}
SAME_NAME = {"case": "other content under a known name waits for a person", "load": "it is loaded like any other file"}
TRAILER = {
    "begun": "a batch that begins with FHS or BHS has to end",
    "required": "no file is loaded without BTS or FTS",
}
MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class FolderTerms:
    """Where the folder is, when a file in it is complete, and what is never loaded."""

    folder: str
    pattern: str = "*"
    complete: str = "stable"
    stable_s: float = 10.0
    poll_s: float = 10.0
    max_bytes: int = 50 * MEGABYTE
    same_name: str = "case"
    trailer: str = "begun"


def _one_of(choices: Mapping[str, str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and value in choices


def _number(low: float, high: float) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _words(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and "\x00" not in value


# Setting -> (whether a value will do, what would have done).
RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "folder": (_words, "the path of a folder"),
    "pattern": (_words, 'a pattern of names, e.g. "*.hl7"'),
    "complete": (_one_of(COMPLETE), "one of " + ", ".join(COMPLETE)),
    "stable_s": (_number(1, 3600), "seconds, 1 to 3600"),
    "poll_s": (_number(1, 3600), "seconds, 1 to 3600"),
    "max_bytes": (_number(1, 1000 * MEGABYTE), "a number of bytes, 1,000,000,000 at most"),
    "same_name": (_one_of(SAME_NAME), "one of " + ", ".join(SAME_NAME)),
    "trailer": (_one_of(TRAILER), "one of " + ", ".join(TRAILER)),
}


def problems(settings: Mapping[str, Any]) -> list[str]:
    """What is wrong with the folder settings, each in a sentence; an empty list where they can be followed."""
    found = [] if "folder" in settings else ['"folder" is missing: the path of the folder']
    return found + [
        f'"{name}" is {settings[name]!r}: write {wanted}'
        for name, (will_do, wanted) in RULES.items()
        if name in settings and not will_do(settings[name])
    ]


def read(endpoint: Endpoint) -> FolderTerms:
    """The terms of an endpoint; `Permanent` IF_SETTINGS names what cannot be used."""
    if wrong := problems(endpoint.settings):
        raise Permanent("IF_SETTINGS", f"settings of {endpoint.code}: {'; '.join(wrong)}")
    return FolderTerms(**{name: endpoint.settings[name] for name in RULES if name in endpoint.settings})
