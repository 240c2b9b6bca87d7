"""Archives, taken apart in memory and within limits (F-F4, S-16): nothing of an archive is ever written to a disk.

Refused whole, with the reason, where a member's name leads out of it, is a link, encrypted or an archive itself, or
where it grows beyond what its endpoint takes. What is counted is what comes out, not what the archive says of itself.
"""

import io
import re
import stat
import zipfile
import zlib
from typing import IO

from hub.errors import Permanent

MEMBERS = 1000
RATIO = 100  # a text of HL7 shrinks to a tenth, seldom to a thirtieth
HARMLESS = 1_000_000  # a ratio says nothing of a few bytes
PIECE = 65_536
ZIP, EMPTY_ZIP, GZIP = b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b"
_AWAY = re.compile(r"^[/\\]|^[A-Za-z]:|(^|[/\\])\.\.([/\\]|$)|\x00")
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})


def bodies(content: bytes, max_bytes: int) -> list[bytes]:
    """An archive's members in their order, or the content itself. `Permanent` IF_ARCHIVE says why not."""
    if content.startswith((ZIP, EMPTY_ZIP)):
        return _zip(content, max_bytes)
    if content.startswith(GZIP):
        return [_leaf(_gunzip(content, max_bytes))]
    return [content]


def _zip(content: bytes, max_bytes: int) -> list[bytes]:
    found: list[bytes] = []
    left = max_bytes
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            if len(members) > MEMBERS:
                raise _refused(f"it holds {len(members)} files; {MEMBERS} at most")
            for member in members:
                _judge(member)
            for member in members:
                with archive.open(member) as file:
                    found.append(_leaf(_inflated(file, member.compress_size, left)))
                left -= len(found[-1])
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise _refused(f"it is damaged or cut off ({type(error).__name__})") from error
    if not found:
        raise _refused("it is empty")
    return found


def _judge(member: zipfile.ZipInfo) -> None:
    """By what the archive's directory says; sizes there are not believed."""
    reasons = (
        (bool(_AWAY.search(member.orig_filename)), "a member's name leads out of the archive"),
        (stat.S_ISLNK(member.external_attr >> 16), "a member is a symbolic link"),
        (bool(member.flag_bits & 1), "a member is encrypted"),
        (member.compress_type not in _METHODS, "a member is packed by a method that is not deflate"),
    )
    for applies, reason in reasons:
        if applies:
            raise _refused(reason)


def _inflated(file: IO[bytes], packed: int, left: int) -> bytes:
    out = bytearray()
    while piece := file.read(PIECE):
        out += piece
        _weigh(len(out), packed, left)
    return bytes(out)


def _gunzip(content: bytes, max_bytes: int) -> bytes:
    """One or several gzip members, one after the other, as gzip's own tools take them."""
    out, rest = bytearray(), content
    while rest:
        member = zlib.decompressobj(wbits=31)
        try:
            while not member.eof:
                given = member.unconsumed_tail or rest
                piece = member.decompress(given, PIECE)
                rest = b""
                if not piece and not member.unconsumed_tail and not member.eof:
                    raise _refused("it is cut off")
                out += piece
                _weigh(len(out), len(content), max_bytes)
        except zlib.error as error:
            raise _refused("it is damaged") from error
        rest = member.unused_data.lstrip(b"\x00")  # tapes pad with zeros
    return bytes(out)


def _weigh(size: int, packed: int, left: int) -> None:
    if size > left:
        raise _refused("unpacked it is larger than this endpoint takes (max_bytes)")
    if size > HARMLESS and size > RATIO * max(packed, 1):
        raise _refused(f"it unpacks to more than {RATIO} times its size")


def _leaf(content: bytes) -> bytes:
    if content.startswith((ZIP, EMPTY_ZIP, GZIP)):
        raise _refused("it holds another archive")
    return content


def _refused(why: str) -> Permanent:
    return Permanent("IF_ARCHIVE", f"The archive was not opened: {why}.")
