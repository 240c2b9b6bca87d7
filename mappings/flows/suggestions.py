"""What a code probably means: candidates out of the master data, each with a score and a reason in words.

A suggestion only ever helps a person to choose; nothing is mapped by itself.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.utils import timezone
from rapidfuzz import fuzz, process, utils

from hub.models import Partner
from mappings.flows.targets import UNITS, candidates, our_facility
from mappings.models import Mapping

WORTH_SHOWING = 55  # of 100; below it, a likeness is chance
# Codes of these are made from names ("CATHLAB2"); numbers of a price list or an item master are not.
_SPEAKING = {"facility", "department", "location", "service_line", "payer_class", "vendor"}


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One candidate. `score` runs from 0 to 100."""

    code: str
    name: str
    score: int
    why: str


class _Found(NamedTuple):
    code: str
    score: float
    why: str


def suggest(
    *, partner: Partner | str, domain: str, code: str, text: str = "", facility: str = "", limit: int = 5
) -> list[Suggestion]:
    """The likeliest targets of a partner's code, best first. `facility` is the partner's, `text` its own description.

    Looks at the same code in our master data, at what the code means elsewhere, and at the likeness of names.
    """
    owner = partner.code if isinstance(partner, Partner) else partner
    names = _names(domain, our_facility(owner, facility, timezone.localdate()))
    best: dict[str, _Found] = {}
    for found in (
        *_same_code(names, code),
        *_meant_elsewhere(domain, code, owner, facility),
        *_like(names, text),
        *(_abbreviated(names, code) if domain in _SPEAKING else ()),
    ):
        known = best.get(found.code)
        if found.code in names and found.score >= WORTH_SHOWING and (known is None or found.score > known.score):
            best[found.code] = found
    ranked = sorted(best.values(), key=lambda found: (-found.score, found.code))[:limit]
    return [Suggestion(found.code, names[found.code], round(found.score), found.why) for found in ranked]


def _names(domain: str, home: str) -> dict[str, str]:
    """Names of everything that may be chosen today, by code."""
    if domain == "uom":
        return UNITS
    today = timezone.localdate()
    usable = candidates(domain, home).filter(active=True, valid_from__lte=today).exclude(valid_to__lt=today)
    return dict(usable.order_by().values_list("code", "name"))


def _same_code(names: dict[str, str], code: str) -> Iterator[_Found]:
    wanted = code.strip().casefold()
    for ours in names:
        if ours.casefold() == wanted:
            yield _Found(ours, 100, "It is our own code.")


def _meant_elsewhere(domain: str, code: str, partner: str, facility: str) -> Iterator[_Found]:
    """What the same code was mapped to by another partner, at another facility, or here at another time."""
    rows = Mapping.objects.filter(domain=domain, source_code=code, status__in=["approved", "retired"])
    for row in rows.select_related("partner").order_by("status", "-approved_at"):
        at = f" at {row.facility}" if row.facility else ""
        here = row.partner.code == partner and row.facility in {"", facility}
        told = "had this meaning until it was retired" if row.status == "retired" else "means this"
        yield _Found(row.target_code, 96 if here else 92, f"{row.partner.code}'s {code}{at} {told}.")


def _like(names: dict[str, str], text: str) -> Iterator[_Found]:
    """Names that are like what the sender calls it."""
    if not text.strip():
        return
    plain = utils.default_process(text)
    close = process.extract(
        text, names, scorer=fuzz.token_sort_ratio, processor=utils.default_process, score_cutoff=WORTH_SHOWING, limit=20
    )
    for name, score, code in close:
        if utils.default_process(name) == plain:
            yield _Found(code, 98, f"The sender's description is its name: “{name}”.")
        else:
            yield _Found(code, score * 0.9, f"The sender calls it “{text.strip()}”, which is like “{name}”.")


def _abbreviated(names: dict[str, str], code: str) -> Iterator[_Found]:
    """Names that the code may be short for: CATHLAB2 for "Cardiac Catheterization Laboratory 2"."""
    for ours, name in names.items():
        pieces = abbreviation(code, name)
        covered = sum(len(piece) for piece in pieces)
        letters = len(_letters(code))
        if letters and covered / letters >= 0.6:
            # Long pieces say more than initials, and a code that is used up says more than one that is not.
            score = 90 * covered / letters - 3 * (len(pieces) - 1)
            short = "+".join(piece.upper() for piece in pieces)
            yield _Found(ours, score, f"{code} may be short for “{name}” ({short}).")


def abbreviation(code: str, name: str) -> list[str]:
    """The longest way to read the code as beginnings of the name's words, in order; pure.

    "CATHLAB2" in "Cardiac Catheterization Laboratory 2" reads cath, lab, 2. Empty where it cannot begin.
    """
    letters = _letters(code)
    words = re.findall(r"[a-z]+|\d+", name.casefold())
    readings: dict[int, list[str]] = {0: []}  # letters read so far -> the pieces they were read as
    for word in words:
        for at, pieces in sorted(readings.items(), reverse=True):
            for size in _common(letters[at:], word):
                reached = at + size
                if reached not in readings or len(readings[reached]) > len(pieces) + 1:
                    readings[reached] = [*pieces, word[:size]]
    return readings[max(readings)]


def _common(letters: str, word: str) -> Sequence[int]:
    """Lengths of the beginnings that both share, longest first."""
    size = 0
    while size < min(len(letters), len(word)) and letters[size] == word[size]:
        size += 1
    return range(size, 0, -1)


def _letters(code: str) -> str:
    return "".join(character for character in code.casefold() if character.isalnum())
