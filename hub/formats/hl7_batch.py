"""Takes files and batches apart: FHS, BHS, messages, BTS, FTS (HL7 v2 ch. 2.10.3). One bad member harms no other."""

import re
from dataclasses import dataclass, field

_BOM = b"\xef\xbb\xbf"
_LINE_BREAKS = b"\r\n\x0b\x1c"  # MLLP's frame bytes stand between messages that were saved as they came
_BLANKS = _LINE_BREAKS + b" \t\x00"
# A message, batch or file begins and ends with one of these at the beginning of a line, indented or not.
_NAMES = rb"(?:\xef\xbb\xbf)?[ \t]*(MSH|FHS|BHS|BTS|FTS)(?![A-Za-z0-9 ])"
_FIRST_MARK = re.compile(_NAMES)
_MARK = re.compile(rb"[\r\n\x0b\x1c]" + _NAMES)
_MARKED = frozenset({b"MSH", b"FHS", b"BHS", b"BTS", b"FTS"})
_INDENTS = frozenset({b" ", b"\t", b"\xef"})


@dataclass(slots=True)
class Batch:
    """What a body held. A member that cannot be read is among `messages` like the others, to be stored and refused."""

    messages: list[bytes] = field(default_factory=list)  # slices of the input, in order
    problems: list[str] = field(default_factory=list)  # e.g. "BTS-1 says 3, found 2"
    origins: list[str] = field(
        default_factory=list
    )  # for each message the id of its batch (BHS-11, else BHS-9), else its file's


def split(raw: bytes) -> Batch:
    """The messages of a file or HTTP body; a body without batch segments is taken apart at each MSH. Never raises."""
    if _is_ordinary(raw):
        return Batch([raw[: _end(raw)]], [], [""])
    return _Splitter().split(raw)


def _is_ordinary(raw: bytes) -> bool:
    """True for one message whose lines end in CR and are not indented: the door looks at each frame this way."""
    if raw[:3] != b"MSH" or b"\n" in raw or b"\x0b" in raw or b"\x1c" in raw:
        return False
    begins = {line[:3] for line in raw[3:].split(b"\r")}
    return begins.isdisjoint(_MARKED) and not any(begin[:1] in _INDENTS for begin in begins)


def _end(chunk: bytes) -> int:
    """Where a message ends in its slice: after its last line end, before framing and blank lines."""
    end = len(chunk.rstrip(_LINE_BREAKS))
    return end + (2 if chunk[end : end + 2] == b"\r\n" else 1 if chunk[end : end + 1] in (b"\r", b"\n") else 0)


def _marks(raw: bytes) -> list[tuple[int, int, bytes]]:
    """Each mark's name, where it begins, and where what stands before it ends."""
    marks = [(found.start() + 1, found.start(1), found[1]) for found in _MARK.finditer(raw)]
    first = _FIRST_MARK.match(raw)
    if first:
        # A byte order mark tells the character set, so it stays with the message that it was written before.
        begin = 0 if first[1] == b"MSH" and raw.startswith(_BOM + b"MSH") else first.start(1)
        marks.insert(0, (0, begin, first[1]))
    return marks


def _line(chunk: bytes) -> tuple[list[str], bytes]:
    """The fields of a batch segment, [0] its name, and the bytes after its line."""
    line, *rest = re.split(rb"[\r\n\x0b\x1c]", chunk, maxsplit=1)
    text = line.decode("latin-1")
    return (text.split(text[3:4]) if len(text) > 3 else [text]), (rest[0] if rest else b"")


def _identifier(fields: list[str]) -> str:
    """Field 11, the control id, else field 9, the name, of BHS or FHS; field 1 is the separator itself."""
    padded = [*fields, *[""] * 11]
    return padded[10].strip() or padded[8].strip()


class _Splitter:
    """One pass over a body; counts what the trailers will claim."""

    def __init__(self) -> None:
        self.found = Batch()
        self.in_file = self.in_batch = False
        self.batches = 0  # of this file
        self.members = 0  # of this batch
        self.loose = 0  # of this file, outside its batches
        self.file_id = self.batch_id = ""

    def split(self, raw: bytes) -> Batch:
        """Goes from mark to mark; bytes that belong to no message are kept as a member too."""
        marks = _marks(raw)
        if not raw.strip(_BLANKS):
            self.found.problems.append("the body is empty")
            return self.found
        self.orphan(raw[: marks[0][0]] if marks else raw, "before the first MSH" if marks else "")
        handlers = {b"MSH": self.member, b"FHS": self.fhs, b"BHS": self.bhs, b"BTS": self.bts, b"FTS": self.fts}
        ends = [end for end, _, _ in marks[1:]] + [len(raw)]
        for (_, begin, name), end in zip(marks, ends, strict=bool(marks)):
            handlers[name](raw[begin:end])
        self.close_batch()
        self.close_file()
        return self.found

    def member(self, chunk: bytes) -> None:
        self.found.messages.append(chunk[: _end(chunk)])
        self.found.origins.append(self.batch_id or self.file_id)
        if self.in_batch:
            self.members += 1
        else:
            self.loose += 1

    def orphan(self, chunk: bytes, where: str) -> None:
        if chunk.removeprefix(_BOM).strip(_BLANKS):
            self.problem(f"segments without an MSH {where}".rstrip())
            self.member(chunk.lstrip(_LINE_BREAKS))

    def fhs(self, chunk: bytes) -> None:
        self.close_batch()
        self.close_file()
        fields, rest = _line(chunk)
        self.in_file = True
        self.batches = self.loose = 0
        self.file_id = _identifier(fields)
        self.orphan(rest, "after FHS")

    def bhs(self, chunk: bytes) -> None:
        self.close_batch()
        fields, rest = _line(chunk)
        self.in_batch = True
        self.batches += 1
        self.members = 0
        self.batch_id = _identifier(fields)
        self.orphan(rest, "after BHS")

    def bts(self, chunk: bytes) -> None:
        if not self.in_batch:
            self.problem("BTS without BHS")
            self.batches += 1
            self.members, self.loose = self.loose, 0
        fields, rest = _line(chunk)
        self.compare("BTS-1", fields, self.members)
        self.in_batch = False
        self.batch_id = ""
        self.orphan(rest, "after BTS")

    def fts(self, chunk: bytes) -> None:
        self.close_batch()
        if not self.in_file:
            self.problem("FTS without FHS")
        fields, rest = _line(chunk)
        # Messages that stand in a file without BHS are one batch by themselves.
        self.compare("FTS-1", fields, self.batches + bool(self.loose))
        self.in_file = False
        self.batches = self.loose = 0
        self.file_id = ""
        self.orphan(rest, "after FTS")

    def close_batch(self) -> None:
        if self.in_batch:
            self.problem("BHS without BTS: the batch may be cut off")
        self.in_batch = False
        self.batch_id = ""

    def close_file(self) -> None:
        if self.in_file:
            self.problem("FHS without FTS: the file may be cut off")
        self.in_file = False
        self.file_id = ""

    def compare(self, place: str, fields: list[str], found: int) -> None:
        """A trailer's count against ours; an empty count claims nothing."""
        claim = fields[1].strip() if len(fields) > 1 else ""
        if not claim:
            return
        if not (claim.isascii() and claim.isdecimal() and len(claim) < 10):
            self.problem(f"{place} is not a number")
        elif int(claim) != found:
            self.problem(f"{place} says {int(claim)}, found {found}")

    def problem(self, text: str) -> None:
        """Says which batch when there are several."""
        self.found.problems.append(f"batch {self.batches}: {text}" if self.batches > 1 and "FTS" not in text else text)
