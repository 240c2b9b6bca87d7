"""One FT1 as `read_dft` asks it: fields by number, with its place in the message for whoever has to correct it."""

import sys
from typing import Final

from hub.errors import ParseError
from hub.formats import hl7

_FIELDS: Final = 44  # FT1 of v2.8.2 has 43
_NO_LIMIT: Final = sys.maxsize


class Line:
    """An FT1. `position` counts FT1 segments of every type, so that errors point to what the sender sees."""

    __slots__ = ("at", "fields", "position", "segment")

    def __init__(self, position: int, segment: hl7.Segment) -> None:
        self.position = position
        self.at = f"FT1[{position}]"
        self.segment = segment
        fields = segment.fields
        self.fields = fields + [""] * (_FIELDS - len(fields))  # as sent; asked for without looking at the length

    def code(self, field: int, limit: int = _NO_LIMIT) -> str:
        """The first component of a field without blanks around it; `ParseError` CHG_TOO_LONG beyond `limit`."""
        value = self.fields[field]
        if not value:
            return ""
        if not value.isalnum():  # most are alphanumeric, with nothing to take apart
            value = self.segment.text(field).strip()
        if len(value) > limit:
            raise self.too_long(limit, field)
        return value

    def part(self, field: int, component: int, sub: int = 1, *, limit: int = _NO_LIMIT) -> str:
        """Another component, or another subcomponent, of a field."""
        if not self.fields[field]:
            return ""
        value = self.segment.text(field, component, 1, sub).strip()
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

    def too_long(self, limit: int, field: int) -> ParseError:
        """What is raised instead of cutting a value: a code that is cut is another code."""
        problem = f"the value has more than {limit} characters; shorten it at its source"
        return ParseError("CHG_TOO_LONG", problem, where=self.where(field))
