"""One HL7 v2 message: segments and fields, taken apart only as far as somebody asks. Tolerant; numbers are HL7's.

What was tolerated is in `Message.notes`: bom, framing, leading_blanks, line_ends_lf, line_ends_crlf, line_ends_mixed,
nul_bytes, separators_missing, separators_odd, separators_short, charset_unknown, charset_undeclared, charset_fallback,
indented_segment, odd_segment_name, broken_line, several_messages.
"""

from collections.abc import Collection, Iterator

from hub.errors import ParseError
from hub.formats.hl7_header import Opening, open_message
from hub.formats.hl7_lines import is_name, tidy
from hub.formats.hl7_names import SEGMENTS
from hub.formats.hl7_paths import path
from hub.formats.hl7_segment import Segment
from hub.formats.hl7_separators import Separators

MAX_SEGMENTS = 100_000  # a 10 MB frame of empty segments would otherwise take half a gigabyte


class Message:
    """One parsed message; see the module's first lines for `notes`."""

    __slots__ = ("_by_name", "charset_used", "notes", "segments", "separators")

    def __init__(self, segments: list[Segment], separators: Separators, charset_used: str, notes: list[str]) -> None:
        self.segments = segments
        self.separators = separators
        self.charset_used = charset_used  # the Python codec that the bytes were read with
        self.notes = notes
        self._by_name: dict[str, list[Segment]] | None = None

    def __repr__(self) -> str:
        return f"<Message of {len(self.segments)} segments>"

    def __iter__(self) -> Iterator[Segment]:
        return iter(self.segments)

    def all(self, name: str) -> list[Segment]:
        """Every segment of that name, in order."""
        index = self._by_name
        if index is None:
            index = self._by_name = {}
            for segment in self.segments:
                index.setdefault(segment.name, []).append(segment)
        return index.get(name, [])

    def first(self, name: str) -> Segment | None:
        """The first segment of that name, or None."""
        found = self.all(name)
        return found[0] if found else None

    def get(self, place: str) -> str:
        """The text at a configured path such as `FT1[2]-7.1`, "" when absent; `Permanent` IF_PATH if it is none."""
        return path(place).read(self.segments)

    def groups(self, leader: str, members: Collection[str] | None = None) -> list[list[Segment]]:
        """Each `leader` segment with what belongs to it: `groups("FT1", {"PR1", "ROL", "ZPM"})`.

        A group ends at the next leader and at the first segment that is no member; a Z-segment that is no member is
        passed over, because it may stand anywhere. Without `members` everything up to the next leader belongs.
        """
        found: list[list[Segment]] = []
        open_group = False
        for segment in self.segments:
            name = segment.name
            if name == leader:
                found.append([segment])
                open_group = True
            elif open_group and (members is None or name in members):
                found[-1].append(segment)
            elif open_group and name[0] != "Z":
                open_group = False
        return found


def parse(raw: bytes) -> Message:
    """One message's bytes, framed or not, to a `Message`; `ParseError` IF_PARSE when it has no usable MSH.

    Nothing else is ever raised, whatever the bytes are. Fields are taken apart when they are asked for.
    """
    return read_segments(open_message(raw))


def read_segments(opening: Opening) -> Message:
    """The segments of an opened message."""
    text, _, separators, codec, notes = opening
    if len(text) > MAX_SEGMENTS and text.count("\r") > MAX_SEGMENTS:
        problem = f"the message has more than {MAX_SEGMENTS:,} segments; send it in several messages"
        raise ParseError("IF_PARSE", problem, where=f"segment {MAX_SEGMENTS + 1}")
    field = separators.field
    lines = text.split("\r")
    segments = [Segment("MSH", lines[0], separators)]
    for line in lines[1:]:
        name = line[:3]
        if line[3:4] == field and (name in SEGMENTS or is_name(name)):
            segments.append(Segment(name, line, separators))
        elif line:
            segments[1:] = [Segment(*found, separators) for found in tidy(lines, field, notes)[1:]]
            break
    if "MSH" in {segment.name for segment in segments[1:]}:
        notes.append("several_messages")
    return Message(segments, separators, codec, notes)
