"""When a file is complete (F-F1): what two looks at a folder, a name or a marker say about it. No disk, no clock."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from hub.transports.folder_terms import FolderTerms
from hub.transports.shelves import Entry

MARKER = ".done"
# Names under which senders write what they have not finished.
UNFINISHED = (".tmp", ".part", ".partial", ".filepart", ".crdownload", ".writing", "~")


@dataclass(slots=True)
class _Seen:
    entry: Entry
    since_s: float


@dataclass(slots=True)
class Looks:
    """What earlier looks at one folder found. Lost with the process: then a file waits once more, and that is all."""

    _seen: dict[str, _Seen] = field(default_factory=dict)

    def complete(self, entries: Sequence[Entry], terms: FolderTerms, now_s: float) -> list[Entry]:
        """The entries that may be taken now, in their order; `now_s` of a clock that only goes forward."""
        here = {entry.name: entry for entry in entries}
        self._seen = {name: seen for name, seen in self._seen.items() if name in here}
        wanted = [entry for entry in entries if _is_a_file(entry, terms)]
        return [
            entry for entry in wanted if entry.kind != "file" or RULES[terms.complete](self, entry, here, terms, now_s)
        ]

    def stable(self, entry: Entry, _: dict[str, Entry], terms: FolderTerms, now_s: float) -> bool:
        """Two looks, `stable_s` apart, found the same size and time."""
        seen = self._seen.get(entry.name)
        if seen is None or seen.entry != entry:
            self._seen[entry.name] = _Seen(entry, now_s)
            return False
        return now_s - seen.since_s >= terms.stable_s

    def renamed(self, entry: Entry, _: dict[str, Entry], __: FolderTerms, ___: float) -> bool:
        """It has its final name."""
        return True

    def marked(self, entry: Entry, here: dict[str, Entry], _: FolderTerms, __: float) -> bool:
        """Its marker is there."""
        return marker(entry.name) in here


RULES: dict[str, Callable[[Looks, Entry, dict[str, Entry], FolderTerms, float], bool]] = {
    "stable": Looks.stable,
    "rename": Looks.renamed,
    "marker": Looks.marked,
}


def marker(name: str) -> str:
    """The name of a file's marker."""
    return name + MARKER


def _is_a_file(entry: Entry, terms: FolderTerms) -> bool:
    """Whether it is meant for us: no sub-folder, nothing hidden or unfinished, no marker, a name that is asked for.

    A link or a device is "meant" too: it is moved out of the way and told of, and never followed.
    """
    name = entry.name
    unfinished = name.startswith(".") or name.lower().endswith(UNFINISHED)
    marks = terms.complete == "marker" and name.endswith(MARKER)
    return entry.kind != "folder" and not unfinished and not marks and fnmatchcase(name, terms.pattern)
