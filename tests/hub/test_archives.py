"""Archives within their limits (F-F4, S-16): what is packed comes out whole, or nothing of it does."""

import gzip
import io
import stat
import struct
import zipfile
import zlib

import pytest

from hub.errors import Permanent
from hub.files import unpack

LIMIT = 5_000_000


def packed(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP of these members."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return out.getvalue()


def test_what_is_no_archive_is_itself() -> None:
    """A file of messages is one body."""
    assert unpack.bodies(b"MSH|", LIMIT) == [b"MSH|"]


def test_members_come_out_in_their_order() -> None:
    """Folders in the archive are no files."""
    made = packed(("b/", b""), ("b/2.hl7", b"two"), ("1.hl7", b"one"))
    assert unpack.bodies(made, LIMIT) == [b"two", b"one"]
    assert unpack.bodies(gzip.compress(b"one") + gzip.compress(b"two") + b"\x00" * 9, LIMIT) == [b"onetwo"]


def link() -> bytes:
    """An archive with a symbolic link in it."""
    member = zipfile.ZipInfo("charges.hl7")
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(member, "/etc/passwd")
    return out.getvalue()


def encrypted() -> bytes:
    """An archive whose directory says that its member is encrypted."""
    made = bytearray(packed(("a.hl7", b"MSH|")))
    place = made.index(b"PK\x01\x02")
    made[place + 8 : place + 10] = struct.pack("<H", 1)
    return bytes(made)


REFUSED = {
    "leads out": [packed((name, b"x")) for name in ("../x", "a/../../x", "/etc/x", "C:\\x", "..\\x", "\\\\host\\x")],
    "symbolic link": [link()],
    "encrypted": [encrypted()],
    "another archive": [packed(("a.zip", packed(("b", b"x")))), gzip.compress(packed(("b", b"x")))],
    "not deflate": [packed(("a", b"x"), method=zipfile.ZIP_BZIP2)],
    "1001 files": [packed(*((str(n), b"x") for n in range(1001)))],
    "100 times": [packed(("bomb", b"\x00" * 4_000_000)), gzip.compress(b"\x00" * 4_000_000)],
    "larger than": [packed(*((str(n), zlib.compress(bytes([n]) * 9) * 100_000) for n in range(6)), method=0)],
    "damaged or cut off": [packed(("a", b"x" * 5000))[:-30]],
    "is empty": [packed()],
    "is cut off": [gzip.compress(b"some text")[:-9], gzip.compress(b"x" * 500_000)[:-200]],
    "is damaged": [gzip.compress(b"some text")[:-8] + b"\x00" * 8],
}


CASES = [(why, one, f"{why} {number}") for why, all_ in REFUSED.items() for number, one in enumerate(all_, 1)]


# Named, because an archive has the time of its making in it: every worker of the suite must call it the same.
@pytest.mark.parametrize(("reason", "content"), [case[:2] for case in CASES], ids=[name for *_, name in CASES])
def test_an_archive_outside_the_limits_is_refused_whole(reason: str, content: bytes) -> None:
    """The reason says which limit it was."""
    with pytest.raises(Permanent, match=reason) as refused:
        unpack.bodies(content, LIMIT)
    assert refused.value.code == "IF_ARCHIVE"


def test_sizes_that_an_archive_claims_are_not_believed() -> None:
    """The directory says 1 byte; what comes out is counted, and what is not as announced is refused."""
    made = bytearray(packed(("bomb", b"\x00" * 4_000_000)))
    place = made.index(b"PK\x01\x02")
    made[place + 24 : place + 28] = struct.pack("<I", 1)
    with pytest.raises(Permanent):
        unpack.bodies(bytes(made), LIMIT)
