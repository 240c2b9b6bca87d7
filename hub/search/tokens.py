"""What of a message can be searched for: words, and whole values of fields. Pure: bytes in, text out.

A word is a run of letters and digits, case-folded, of 3 to 40 characters; a value is what stands between two field
separators, up to 40 characters. Bytes are read as UTF-8, else as Latin-1; escapes are not resolved.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from hub.errors import Refused

SHORTEST, LONGEST = 3, 40
WORDS_MAX = 8
RUN = re.compile(r"[^\W_]+")
_APART = {code: " " for code in range(128) if not chr(code).isalnum()}
QUOTED = re.compile(r'"([^"]*)"')


@dataclass(frozen=True, slots=True)
class Query:
    """What a person looks for: every word and every value has to be in the message."""

    words: tuple[str, ...]
    values: tuple[str, ...] = ()

    @property
    def tokens(self) -> tuple[str, ...]:
        """All of them, as they stand in the index."""
        return (*self.words, *self.values)


def text(raw: bytes) -> str:
    """The bytes as text, case-folded."""
    try:
        return raw.decode("utf-8").casefold()
    except UnicodeDecodeError:
        return raw.decode("latin-1").casefold()


def runs(folded: str) -> list[str]:
    """Its runs of letters and digits."""
    if folded.isascii():  # nearly always, and several times as fast
        return folded.translate(_APART).split()
    return RUN.findall(folded)


def values(folded: str) -> list[str]:
    """What stands between the separators of the message's own MSH-1, or bars where it has none."""
    separator = folded[3] if folded.startswith("msh") and len(folded) > 3 else "|"
    return folded.replace("\r", separator).replace("\n", separator).split(separator)


def cut(folded: Iterable[str]) -> set[str]:
    """All tokens of many messages, each given as `text`."""
    found: set[str] = set()
    for one in folded:
        found.update(runs(one))
        found.update(values(one))
    return {token for token in found if SHORTEST <= len(token) <= LONGEST}


def read(asked: str) -> Query:
    """What somebody typed: words, and values of fields in quotation marks. `Refused` SEARCH_WORDS says what is wrong.

    A word with other characters in it (O'BRIEN) asks for each of its runs that is long enough.
    """
    exact = [value.strip().casefold() for value in QUOTED.findall(asked)]
    typed = QUOTED.sub(" ", asked).casefold().split()
    cut_up = [[run for run in runs(word) if len(run) >= SHORTEST] for word in typed]
    words = [run for found in cut_up for run in found]
    wanted = Query(tuple(dict.fromkeys(words)), tuple(dict.fromkeys(exact)))
    usable = all(cut_up) and all(SHORTEST <= len(token) <= LONGEST for token in wanted.tokens)
    if not wanted.tokens or not usable:  # a word that is left out silently would find too much
        raise Refused(
            "SEARCH_WORDS",
            f"Type words of {SHORTEST} to {LONGEST} letters or digits, or a whole field in quotation marks.",
        )
    if len(wanted.tokens) > WORDS_MAX:
        raise Refused("SEARCH_WORDS", f"Type {WORDS_MAX} words at most: fewer find the same messages sooner.")
    return wanted


def matches(raw: bytes, wanted: Query) -> bool:
    """Whether the message has every word and value, looked at truly."""
    folded = text(raw)
    if not all(token in folded for token in wanted.tokens):  # nearly always the end of it, and cheap
        return False
    return set(wanted.words) <= set(runs(folded)) and set(wanted.values) <= set(values(folded))
