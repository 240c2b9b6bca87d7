"""Paths that an endpoint's configuration points into messages with: `SEG[n]-F[r].C.S`, for example `ZPM-3.2`."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from hub.errors import Permanent
from hub.formats.hl7_segment import Segment

_GRAMMAR = re.compile(
    r"(?P<segment>[A-Z][A-Z0-9]{2})(?:\[(?P<occurrence>[1-9][0-9]{0,3})\])?"
    r"-(?P<field>[1-9][0-9]{0,2})(?:\[(?P<repetition>[1-9][0-9]{0,3})\])?"
    r"(?:\.(?P<component>[0-9]{1,3}))?(?:\.(?P<sub>[0-9]{1,3}))?"
)


@dataclass(frozen=True, slots=True)
class Path:
    """One place in a message; everything counts from 1, and component 0 means the whole repetition as it stands."""

    segment: str
    field: int
    occurrence: int = 1
    repetition: int = 1
    component: int = 1
    sub: int = 1

    def read(self, segments: Iterable[Segment]) -> str:
        """The unescaped text at this place among `segments`, a message or one of its groups; "" when there is none."""
        left = self.occurrence
        for segment in segments:
            if segment.name == self.segment:
                left -= 1
                if not left:
                    return segment.text(self.field, self.component, self.repetition, self.sub)
        return ""


def path(text: str) -> Path:
    """A configured path, checked; `Permanent` IF_PATH says how one is written. What is left out is 1."""
    return _read(str(text))


@lru_cache(maxsize=1024)
def _read(text: str) -> Path:
    match = _GRAMMAR.fullmatch(text)
    if match is None:
        problem = "no such path; write SEGMENT[n]-FIELD[r].COMPONENT.SUBCOMPONENT, for example ZPM-3.2 or PID-3[2].1"
        raise Permanent("IF_PATH", problem, where=text[:40])
    segment, *numbers = match.group("segment", "occurrence", "field", "repetition", "component", "sub")
    occurrence, field, repetition, component, sub = (1 if number is None else int(number) for number in numbers)
    return Path(segment, field, occurrence, repetition, component, sub)
