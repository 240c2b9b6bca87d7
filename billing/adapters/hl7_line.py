"""One FT1 as `read_dft` asks it: fields by number, with its place in the message for whoever has to correct it."""

import sys
from functools import lru_cache
from typing import Final

from hub.errors import ParseError
from hub.formats import hl7

_FIELDS: Final = 44  # FT1 of v2.8.2 has 43
_NO_LIMIT: Final = sys.maxsize
_NULL: Final = '""'  # as sent


@lru_cache(maxsize=16_384)  # departments, code texts, prices with their currency: most come again and again
def component(value: str, separators: hl7.Separators, number: int, sub: int) -> str:
    """A component's subcomponent in a field's first repetition, without blanks around it."""
    return hl7.place(value, separators, number, 1, sub).strip()


def _firsts(fields: list[str], line: str, separators: hl7.Separators) -> list[str]:
    """The first component of each field. Most lines repeat, escape and delete nothing: they are cut, not read."""
    _, mark, repetition, escape, submark, _ = separators
    if not (mark and repetition and escape and submark) or repetition in line or escape in line or _NULL in line:
        return [value and component(value, separators, 1, 1) for value in fields]
    return [
        value if not value or value.isalnum() else value.partition(mark)[0].partition(submark)[0].strip()
        for value in fields
    ]


class Line:
    """An FT1. `position` counts FT1 segments of every type, so that errors point to what the sender sees.

    `fields` are as sent, `firsts` the first component of each without blanks around it; both are as long as any FT1.
    """

    __slots__ = ("at", "fields", "firsts", "position", "segment", "separators")

    def __init__(self, position: int, segment: hl7.Segment) -> None:
        self.position = position
        self.at = f"FT1[{position}]"
        self.segment = segment
        self.separators = separators = segment.separators
        fields = segment.fields
        self.fields = fields = fields + [""] * (_FIELDS - len(fields))
        self.firsts = _firsts(fields, segment.line, separators)

    def code(self, field: int, limit: int = _NO_LIMIT) -> str:
        """The first component of a field without blanks around it; `ParseError` CHG_TOO_LONG beyond `limit`."""
        value = self.firsts[field]
        if len(value) > limit:
            raise self.too_long(limit, field)
        return value

    def part(self, field: int, number: int, sub: int = 1, *, limit: int = _NO_LIMIT) -> str:
        """Another component, or another subcomponent, of a field."""
        value = self.fields[field]
        if not value:
            return ""
        value = component(value, self.separators, number, sub)
        if len(value) > limit:
            raise self.too_long(limit, field)
        return value

    def whole(self, field: int) -> str:
        """A text as it stands, for senders who do not escape what separates."""
        return self.segment.text(field, 0, 0, 0).strip() if self.fields[field] else ""

    def each(self, field: int) -> list[str]:
        """The first component of each repetition, without those that are empty."""
        if not self.fields[field]:
            return []
        count = len(self.segment.repetitions(field))
        found = [self.segment.text(field, 1, number).strip() for number in range(1, count + 1)]
        return [one for one in found if one]

    def where(self, field: int) -> str:
        """The field's place, e.g. `FT1[2]-4`."""
        return f"{self.at}-{field}"

    def wrong(self, error: ParseError, field: int) -> ParseError:
        """A value's error with its place."""
        return ParseError(error.code, error.text, where=self.where(field))

    def too_long(self, limit: int, field: int) -> ParseError:
        """What is raised instead of cutting a value: a code that is cut is another code."""
        problem = f"the value has more than {limit} characters; shorten it at its source"
        return ParseError("CHG_TOO_LONG", problem, where=self.where(field))
