"""Where a message begins: its MSH, separators and character set. Both ways of reading, quick and whole, start here."""

from typing import NamedTuple

from hub.errors import ParseError
from hub.formats.hl7_charsets import decode
from hub.formats.hl7_escapes import unescape
from hub.formats.hl7_lines import begins_segment, tidy
from hub.formats.hl7_separators import Separators, read_separators

_UTF8_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
_MLLP_END = (b"\x1c", b"\x1c\r", b"\x1c\r\n")
_PREAMBLE = b"\x0b\r\n\t \x00"  # MLLP's start byte and blanks that stand before a first segment


class Opening(NamedTuple):
    """A message that is decoded and whose lines end in CR, but that is not yet taken apart."""

    text: str
    header: list[str]  # MSH-1 to MSH-19 by HL7's numbers
    separators: Separators
    codec: str
    notes: list[str]


def open_message(raw: bytes) -> Opening:
    """The opening of one message's bytes; `ParseError` IF_PARSE when there is no MSH to read it by."""
    notes: list[str] = []
    body = raw
    if raw[:3] != b"MSH" or raw.endswith(_MLLP_END):
        body = _stripped(raw, notes)
    if body.isascii():
        text, codec = body.decode("ascii"), "ascii"
    else:
        text, codec, noted = decode(body, _declared(body), bom="bom" in notes)
        notes += noted
    if "\n" in text:
        text = _with_cr(text, notes)
    if "\x00" in text:
        # A database keeps no NUL in a text; the sign for it shows staff that one was there, the raw bytes stay as sent.
        text = text.rstrip("\x00").replace("\x00", "\u2400")
        notes.append("nul_bytes")
    text, header = _header(text, notes)
    separators, noticed = read_separators(header[1], header[2])
    if noticed:
        notes += noticed
    return Opening(text, header, separators, codec, notes)


def _header(text: str, notes: list[str]) -> tuple[str, list[str]]:
    """The MSH's fields by HL7's numbers; puts the message's lines right first when the MSH itself is broken in two."""
    field = text[3:4]
    if field in "\r ":  # "" is in it too
        raise ParseError("IF_PARSE", "the MSH has no field separator; send MSH|^~\\&|...", where="MSH-1")
    end = text.find("\r")
    if end > 0 and not begins_segment(text, end + 1, field):
        text = "\r".join([line for _, line in tidy(text.split("\r"), field, notes)])
        end = text.find("\r")
    # No more than is looked at: a hostile MSH of ten million separators would fill the memory of the door.
    header = (text if end < 0 else text[:end]).split(field, 19)
    if len(header) < 3:
        raise ParseError("IF_PARSE", "the MSH is cut off within MSH-2; send the whole segment", where="MSH-2")
    header.insert(1, field)
    return text, header


def _stripped(raw: bytes, notes: list[str]) -> bytes:
    """The body from its MSH on, without framing, byte order mark and blanks; `ParseError` when no MSH comes next."""
    if raw.startswith(_UTF16_BOMS):
        raise ParseError("IF_PARSE", "the message is UTF-16; send UTF-8 or another set of table 0211", where="byte 0")
    body = raw.lstrip(_PREAMBLE)
    if body.startswith(_UTF8_BOM):
        notes.append("bom")
        body = body[len(_UTF8_BOM) :].lstrip(_PREAMBLE)
    before = raw[: len(raw) - len(body)]
    if body[:3] != b"MSH":
        raise ParseError("IF_PARSE", _instead_of_msh(body), where=f"byte {len(before)}")
    framed = body.endswith(_MLLP_END)
    if framed or b"\x0b" in before:
        notes.append("framing")
    if before.strip(_UTF8_BOM + b"\x0b"):
        notes.append("leading_blanks")
    return body.rstrip(b"\x1c\r\n") if framed else body


def _instead_of_msh(body: bytes) -> str:
    if body[:3] in (b"FHS", b"BHS"):
        return "this is a batch and not a message; split it first"
    return "there is no MSH segment; a message begins with MSH|^~\\&|" if body else "the message is empty"


def _declared(body: bytes) -> tuple[str, ...]:
    """MSH-18 of bytes whose character set is not known yet: the repetitions' names, none when it is missing."""
    header = body.partition(b"\r")[0].partition(b"\n")[0].decode("latin-1")
    fields = header.split(header[3:4]) if len(header) > 3 else []
    if len(fields) < 18:
        return ()
    separators, _ = read_separators(header[3:4], fields[1])
    names = fields[17].split(separators.repetition) if separators.repetition else [fields[17]]
    return tuple([unescape(name, separators) for name in names])


def _with_cr(text: str, notes: list[str]) -> str:
    """Every line end as CR, with a note of what was sent instead."""
    pairs = text.count("\r\n")
    if "\r" not in text:
        notes.append("line_ends_lf")
    elif pairs == text.count("\r") == text.count("\n"):
        notes.append("line_ends_crlf")
    else:
        notes.append("line_ends_mixed")
    return text.replace("\r\n", "\r").replace("\n", "\r")
