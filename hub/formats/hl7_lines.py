"""Lines to segments where a sender indented, misnamed or broke them; a tidy message never comes here."""

import re

from hub.formats.hl7_names import SEGMENTS

is_name = re.compile(r"[A-Z][A-Z0-9]{2}").fullmatch
_is_odd_name = re.compile(r"[A-Z][A-Z0-9]{1,3}").fullmatch
_BLANK = " \t\x0b\x1c\x00\u2400"


def begins_segment(text: str, at: int, field: str) -> bool:
    """True when a segment, or nothing more at all, begins at this place of the text."""
    begin = text[at : at + 4]
    return not begin or (begin[3:] == field and (begin[:3] in SEGMENTS or is_name(begin[:3]) is not None))


def tidy(lines: list[str], field: str, notes: list[str]) -> list[tuple[str, str]]:
    """Names and lines of the segments, in order; notes say what was put right.

    A line that cannot begin a segment is a text that was broken in two: it goes back to the segment before it, with a
    line feed where the break was. Blank lines are dropped.
    """
    found: list[tuple[str, list[str]]] = []
    for line in lines:
        start = line.strip(_BLANK) and line.lstrip(_BLANK)
        if not start:
            continue
        name, separator, _ = start.partition(field)
        if (is_name(name) and (separator or name in SEGMENTS)) or not found:
            found.append((name, [start]))
            note = "" if start == line else "indented_segment"
        elif separator and _is_odd_name(name):
            found.append((name, [start]))
            note = "odd_segment_name"
        else:
            found[-1][1].append(line)
            note = "broken_line"
        if note and note not in notes:
            notes.append(note)
    return [(name, "\n".join(pieces)) for name, pieces in found]
