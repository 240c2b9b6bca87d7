r"""Escape sequences, both ways (HL7 v2 ch. 2.7).

Read: `\F\ \S\ \T\ \R\ \E\ \P\` become the separator, `\Xhh..\` the characters it spells, `\.br\` a line feed.
Highlighting `\H\ \N\` is dropped, because it says how to show a text and not what it says. Every other sequence
(`\.in\`, `\Z..\`, `\C..\`) stays as it was sent, and so does `\X00\`, because no database keeps a NUL in a text.

Written: separators become their escapes, CR and LF become `\X0D\` and `\X0A\`, any other control character is refused.
What was unescaped is always escaped again before it goes out, so `\X0D\` in a value never becomes a segment.
"""

import re
from functools import lru_cache

from hub.errors import Permanent
from hub.formats.hl7_separators import STANDARD, Separators

_LETTERS = {
    "field": "F",
    "component": "S",
    "subcomponent": "T",
    "repetition": "R",
    "escape": "E",
    "truncation": "P",
}
_LINE_BREAKS = {"\r": "X0D", "\n": "X0A"}


@lru_cache(maxsize=256)
def _writing(separators: Separators) -> tuple[re.Pattern[str], dict[str, str]]:
    """What must not stand in a value, and the letters that it is written with."""
    letters = {getattr(separators, level): letter for level, letter in _LETTERS.items() if getattr(separators, level)}
    return re.compile(rf"[{re.escape(''.join(letters))}\x00-\x1f\x7f]"), letters | _LINE_BREAKS


@lru_cache(maxsize=256)
def _reading(separators: Separators) -> dict[str, str]:
    """Sequence to text; a level that MSH-2 left out still has its standard character, except truncation."""
    letters = {
        letter: getattr(separators, level) or getattr(STANDARD, level)
        for level, letter in _LETTERS.items()
        if getattr(separators, level) or getattr(STANDARD, level)
    }
    return letters | {".br": "\n", "H": "", "N": ""}


def escape(text: str, separators: Separators = STANDARD, *, where: str = "") -> str:
    r"""A value as it may stand in a message; `Permanent` IF_EMIT names the control character that it refuses.

    `unescape(escape(text)) == text` for every text that is not refused.
    """
    if text.isalnum():
        return text
    pattern, letters = _writing(separators)
    if pattern.search(text) is None:
        return text
    if not separators.escape:
        problem = "a value holds a separator, and MSH-2 names no escape character to write it with"
        raise Permanent("IF_EMIT", problem, where=where)

    def written(match: re.Match[str]) -> str:
        letter = letters.get(match[0])
        if letter is None:
            problem = f"a value holds the control character U+{ord(match[0]):04X}; remove it at its source"
            raise Permanent("IF_EMIT", problem, where=where)
        return f"{separators.escape}{letter}{separators.escape}"

    return pattern.sub(written, text)


def escape_any(text: str, separators: Separators) -> str:
    r"""As `escape`, but control characters are spelled `\Xhh\`: every message must be answerable."""
    mark = separators.escape
    pattern, letters = _writing(separators)
    return pattern.sub(lambda match: f"{mark}{letters.get(match[0], f'X{ord(match[0]):02X}')}{mark}", text)


def unescape(text: str, separators: Separators = STANDARD) -> str:
    """The value that a sender meant; never raises, and what it does not know stays as it was sent."""
    mark = separators.escape
    if not mark or mark not in text:
        return text
    known = _reading(separators)
    head, *pieces = text.split(mark)
    result = [head]
    opened = True  # the mark before this piece may begin a sequence; it does not when it ended one
    for number, piece in enumerate(pieces, start=1):
        meaning = known.get(piece, _spelled(piece)) if opened and number < len(pieces) else None
        if not opened:
            result.append(piece)
            opened = True
        elif meaning is None:
            result.append(mark + piece)
        else:
            result.append(meaning)
            opened = False
    return "".join(result)


def _spelled(sequence: str) -> str | None:
    """The characters of `X` and hexadecimal digits; None when it is something else or would make a NUL."""
    if sequence[:1] != "X" or len(sequence) < 3:
        return None
    try:
        data = bytes.fromhex(sequence[1:])
    except ValueError:
        return None
    if not data or 0 in data:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")
