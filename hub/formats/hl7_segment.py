"""One segment of a message: fields, repetitions, components and subcomponents, found when somebody asks for them."""

from functools import lru_cache

from hub.formats.hl7_escapes import unescape
from hub.formats.hl7_separators import Separators

HEADERS = frozenset({"MSH", "FHS", "BHS"})  # their fields 1 and 2 are the separators themselves
NULL = '""'


class Segment:
    """One segment. `segment[7]` is field 7 as it was sent, `segment.text(7)` what its sender meant by it."""

    __slots__ = ("_fields", "line", "name", "separators")

    def __init__(self, name: str, line: str, separators: Separators) -> None:
        self.name = name
        self.line = line  # as sent
        self.separators = separators
        self._fields: list[str] | None = None

    def __repr__(self) -> str:
        return f"<Segment {self.name}>"  # its content is a patient's

    @property
    def fields(self) -> list[str]:
        """All fields as sent, by HL7's numbers; [0] is the segment's name. Not to be changed."""
        fields = self._fields
        if fields is None:
            field = self.separators.field
            fields = self._fields = self.line.split(field)
            if self.name in HEADERS:
                fields.insert(1, field)
        return fields

    def __getitem__(self, number: int) -> str:
        """Field `number` as it was sent, "" when the segment is shorter."""
        fields = self._fields or self.fields
        return fields[number] if 0 <= number < len(fields) else ""

    def text(self, number: int, component: int = 1, repetition: int = 1, sub: int = 1) -> str:
        """The unescaped text of one place, "" when it is absent or null. Counts from 1.

        0 means "all of it, as it stands": `text(8, component=0)` reads a description whose sender forgot to escape `&`.
        """
        fields = self._fields or self.fields
        value = fields[number] if 0 <= number < len(fields) else ""
        if not value:
            return ""
        if value.isalnum():  # nothing to split and nothing to unescape: most codes and dates end here
            return value if component < 2 and repetition < 2 and sub < 2 else ""
        if number < 3 and self.name in HEADERS:
            return value
        return place(value, self.separators, component, repetition, sub)

    def repetitions(self, number: int) -> list[str]:
        """The repetitions of a field as they were sent; an empty list when the field is empty."""
        value = self[number]
        repetition = self.separators.repetition
        if not value:
            return []
        if not repetition or (number < 3 and self.name in HEADERS):
            return [value]
        return value.split(repetition)

    def is_null(self, number: int) -> bool:
        """True when the field is `""`, which says: delete what you have (ch. 2.5.3)."""
        return self[number] == NULL

    def present(self, number: int) -> bool:
        """True when the field carries a value: it is neither empty nor null."""
        return self[number] not in ("", NULL)


@lru_cache(maxsize=8192)  # departments, code texts, currencies: most values come again and again
def place(value: str, separators: Separators, component: int, repetition: int, sub: int) -> str:
    """The unescaped text of one repetition, component and subcomponent of a field's text; 0 means all of it."""
    if repetition > 1 or separators.repetition in value:
        value = _nth(value, separators.repetition, repetition)
    if component > 1 or separators.component in value:
        value = _nth(value, separators.component, component)
    if sub > 1 or separators.subcomponent in value:
        value = _nth(value, separators.subcomponent, sub)
    if value == NULL:
        return ""
    return unescape(value, separators) if separators.escape in value else value


def _nth(value: str, separator: str, number: int) -> str:
    """Part `number` of a value, from 1; 0 is all of it. A level that MSH-2 left out has one part."""
    if number < 1:
        return value
    if not separator:
        return value if number == 1 else ""
    if number == 1:
        return value.partition(separator)[0]
    parts = value.split(separator, number)
    return parts[number - 1] if number <= len(parts) else ""
