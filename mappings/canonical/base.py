"""What all words of the shared language are made of: immutable records that know their JSON (msgspec)."""

from typing import ClassVar, Self

import msgspec


class Document(msgspec.Struct, frozen=True, gc=False):
    """A document as read from a partner, in the partner's codes. Never leaves the process."""


class Row(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One line of a fact: written as a JSON array in the order of its fields, so new ones go to the end."""


class Fact(msgspec.Struct, frozen=True, gc=False):
    """Something that happened, in past tense. Decimals travel as strings, days and ids in their usual forms."""

    name: ClassVar[str]

    def encode(self) -> bytes:
        """Its JSON."""
        return msgspec.json.encode(self)

    @classmethod
    def decode(cls, payload: str | bytes) -> Self:
        """The fact out of its JSON; `msgspec.ValidationError` names what does not fit."""
        return msgspec.json.decode(payload, type=cls)
