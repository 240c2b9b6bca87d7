"""A visit in our words: whose facility it is. Two queries for a batch."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from hub.routing import Part
from mappings import crosswalk, masters
from mappings.canonical import VisitEvent


@dataclass(frozen=True, slots=True)
class VisitWords:
    """What our books say about a visit event; `facility` is "" where the sender names none."""

    facility: str


def translate_visits(parts: Sequence[Part]) -> None:
    """Fill `words`, or `missing` with the facility code that means nothing here yet, of each part."""
    named = [part for part in parts if part.document.facility]
    known = crosswalk.load((part.source.partner, "facility", part.document.facility) for part in named)
    meant = {id(part): _meaning(part, known) for part in named}
    found = [meaning for meaning in meant.values() if isinstance(meaning, crosswalk.Meaning)]
    ours = masters.facilities({code for meaning in found for code in (meaning.code, meaning.otherwise) if code})
    for part in parts:
        event: VisitEvent = part.document
        meaning = meant.get(id(part))
        if meaning is None:
            part.words, part.missing = VisitWords(""), ()
            continue
        reason, code = (meaning, "") if isinstance(meaning, str) else ("unknown", _first(ours, meaning))
        part.words = VisitWords(code) if code else None
        missing = crosswalk.missing("facility", event.facility, reason, on=event.happened_on)
        part.missing = () if code else (missing,)


def _meaning(part: Part, known: crosswalk.Crosswalk) -> crosswalk.Meaning | str:
    event: VisitEvent = part.document
    return known.meaning(part.source.partner, "facility", "", event.facility, event.happened_on)


def _first(ours: Collection[str], meaning: crosswalk.Meaning) -> str:
    """The facility of ours that was meant; a shared code may be one that we do not have, then the default answers."""
    return next((code for code in (meaning.code, meaning.otherwise) if code in ours), "")
