"""The characters that a message is taken apart by: read from MSH-1 and MSH-2, never assumed (HL7 v2 ch. 2.5.4)."""

import string
from functools import lru_cache
from typing import NamedTuple

from hub.errors import ParseError

# Punctuation only: a letter, digit, blank or control character as separator would cut values apart, and a quotation
# mark would make the null value `""` unreadable.
_USABLE = frozenset(string.punctuation) - {'"'}
_LONGEST = 16  # far more than anybody sends; keeps the cache small whatever comes
_EXAMPLE = r"^~\&"


class Separators(NamedTuple):
    """MSH-1 and the parts of MSH-2; a part that the sender left out is "" and is not used for reading either."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"
    truncation: str = ""  # v2.7 and later

    @property
    def encoding(self) -> str:
        """MSH-2 as it is written."""
        return self.component + self.repetition + self.escape + self.subcomponent + self.truncation

    @property
    def complete(self) -> bool:
        """True when every level and the escape character exist, so that any value can be written with them."""
        return bool(self.component and self.repetition and self.escape and self.subcomponent)


STANDARD = Separators()


def read_separators(field: str, encoding: str) -> tuple[Separators, tuple[str, ...]]:
    """MSH-1 and MSH-2 to `Separators` and notes of what was tolerated; `ParseError` where letters or blanks stand.

    Seen in the wild and read by position: `|^~\\}`, `|^~`, `@~&#\\`. A character that comes twice counts once, which
    repairs `^~\\\\&`, written by programs that escape the backslash for their own language.
    """
    if len(encoding) > _LONGEST:
        raise ParseError("IF_PARSE", f"MSH-2 has more than {_LONGEST} characters; send {_EXAMPLE}", where="MSH-2")
    return _read(field, encoding)


@lru_cache(maxsize=256)
def _read(field: str, encoding: str) -> tuple[Separators, tuple[str, ...]]:
    notes = []
    if field not in _USABLE:
        raise ParseError("IF_PARSE", "MSH-1 is no usable field separator; send one such as |", where="MSH-1")
    kept = encoding.strip()
    if not kept:
        kept = STANDARD.encoding
        notes.append("separators_missing")
    characters = list(dict.fromkeys(kept))
    if not _USABLE.issuperset(characters) or field in characters:
        problem = f"MSH-2 names characters that cannot separate; send four different ones such as {_EXAMPLE}"
        raise ParseError("IF_PARSE", problem, where="MSH-2")
    if (kept != encoding and encoding) or len(characters) < len(kept) or len(characters) > 5:
        notes.append("separators_odd")
    if len(characters) < 4:
        notes.append("separators_short")
    padded = (*characters[:5], "", "", "", "", "")
    return Separators(field, padded[0], padded[1], padded[2], padded[3], padded[4]), tuple(notes)
