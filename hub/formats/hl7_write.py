"""Writes HL7 v2: values go in, and none of them can become a segment, a field or a component (reliability S-13)."""

from collections.abc import Sequence
from enum import Enum
from typing import Final, TypeAlias

from hub.errors import Permanent
from hub.formats.hl7_charsets import encode
from hub.formats.hl7_escapes import escape
from hub.formats.hl7_lines import is_name
from hub.formats.hl7_separators import STANDARD, Separators


class _Null(Enum):
    NULL = 0


NULL: Final = _Null.NULL
"""Written as `""`: the receiver shall delete what it has. The text `""` itself is written so that it stays a text."""

Value: TypeAlias = str | _Null | None
Component: TypeAlias = Value | Sequence[Value]
Field: TypeAlias = Value | tuple[Component, ...] | list[Component | Sequence[Component]]

_NULL_TEXT = '""'
_CHARSET = 18
_UTF8 = "UNICODE UTF-8"


def build(segments: Sequence[Sequence[Field]], separators: Separators = STANDARD) -> bytes:
    """One message's bytes. A segment is its name and then its fields by HL7's numbers.

    A field is a text, None, NULL, a tuple of components or a list of repetitions; a component may again be a tuple, of
    subcomponents. MSH-1 and MSH-2 are None, they are written from `separators`. Text beyond ASCII without an MSH-18 is
    declared and written as UNICODE UTF-8. Raises `Permanent`: IF_EMIT for what cannot be written, IF_CHARSET for a
    text that the declared character set does not have.
    """
    if not separators.complete:
        raise Permanent("IF_EMIT", "writing needs four encoding characters in MSH-2", where="MSH-2")
    if not segments or not segments[0] or segments[0][0] != "MSH":
        raise Permanent("IF_EMIT", "a message begins with its MSH", where="segment 1")
    header = _header(list(segments[0]))
    lines = [_segment(fields, separators, number) for number, fields in enumerate(segments[1:], start=2)]
    text = "\r".join([_segment(header, separators, 1), *lines, ""])
    declared = header[_CHARSET] if len(header) > _CHARSET else None
    if not declared:
        if text.isascii():
            return text.encode("ascii")
        header += [None] * (_CHARSET + 1 - len(header))
        header[_CHARSET] = declared = _UTF8
        text = "\r".join([_segment(header, separators, 1), *lines, ""])
    if not isinstance(declared, str):
        raise Permanent("IF_EMIT", "MSH-18 is one text when we write; name one character set", where="MSH-18")
    return encode(text, declared)


def _header(fields: list[Field]) -> list[Field]:
    """The MSH's fields; refuses separators that were given as values, where a shift by one would go unseen."""
    if any(fields[1:3]):
        problem = "MSH-1 and MSH-2 are None and come from `separators`; values begin with MSH-3"
        raise Permanent("IF_EMIT", problem, where="MSH-1")
    return fields


def _segment(fields: Sequence[Field], separators: Separators, number: int) -> str:
    """One line without its CR; trailing empty fields are left out."""
    name = fields[0] if fields else None
    if not isinstance(name, str) or not is_name(name) or (name in _RESERVED) != (number == 1):
        problem = "a segment begins with its name: three of A-Z and 0-9, MSH first and only there"
        raise Permanent("IF_EMIT", problem, where=f"segment {number}")
    field = separators.field
    written = [_field(value, separators, f"{name}-{place}") for place, value in enumerate(fields[1:], start=1)]
    while written and not written[-1]:
        written.pop()
    if number == 1:
        return field.join((name, separators.encoding, *written[2:])) + ("" if len(written) > 2 else field)
    return field.join((name, *written)) if written else name + field


# Segments that a reader takes for the beginning or end of a message, a batch or a file.
_RESERVED = frozenset({"MSH", "FHS", "BHS", "BTS", "FTS"})


def _field(field: Field, separators: Separators, where: str) -> str:
    if isinstance(field, list):
        return separators.repetition.join([_repetition(one, separators, where) for one in field])
    return _repetition(field, separators, where)


def _repetition(repetition: Component | Sequence[Component], separators: Separators, where: str) -> str:
    if repetition is None or isinstance(repetition, str | _Null):
        return _value(repetition, separators, where)
    return separators.component.join([_component(one, separators, where) for one in repetition])


def _component(component: Component, separators: Separators, where: str) -> str:
    if component is None or isinstance(component, str | _Null):
        return _value(component, separators, where)
    return separators.subcomponent.join([_value(one, separators, where) for one in component])


def _value(value: Value, separators: Separators, where: str) -> str:
    if value is None:
        return ""
    if isinstance(value, _Null):
        return _NULL_TEXT
    if value == _NULL_TEXT:
        return f"{separators.escape}X2222{separators.escape}"
    return escape(value, separators, where=where)
