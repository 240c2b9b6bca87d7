"""Character sets: what MSH-18 declares (HL7 table 0211), what the bytes really are, and never a replaced character."""

from hub.errors import Permanent

# Names that are not in the table are what senders write by habit.
CODECS: dict[str, str] = {
    "ASCII": "ascii",
    **{f"8859/{part}": f"iso8859-{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16)},
    **{f"ISO-8859-{part}": f"iso8859-{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16)},
    "UNICODE UTF-8": "utf-8",
    "UNICODE": "utf-8",
    "UTF-8": "utf-8",
    "UTF8": "utf-8",
    "US-ASCII": "ascii",
    "WINDOWS-1252": "cp1252",
    "CP1252": "cp1252",
    "GB 18030-2000": "gb18030",
    "KS X 1001": "euc_kr",
    "BIG-5": "big5",
}
# The second byte of a character may be that of | \ ^ or ~ in these. We decode before we take apart, but a receiver that
# does not would find separators in our values: they are read and never written.
_READ_ONLY = frozenset({"gb18030", "big5"})
# The name to declare for a codec when the sender declared none: the table's own, which stand first.
DECLARATIONS: dict[str, str] = {codec: name for name, codec in reversed(CODECS.items())}


def codecs_declared(names: tuple[str, ...]) -> tuple[tuple[str, ...], bool]:
    """The codecs of MSH-18's repetitions in their order, each once, and whether one of its names is unknown to us."""
    wanted = dict.fromkeys(name.strip().upper() for name in names if name.strip())
    codecs = dict.fromkeys(CODECS[name] for name in wanted if name in CODECS)
    return tuple(codecs), not wanted.keys() <= CODECS.keys()


def decode(body: bytes, declared: tuple[str, ...], *, bom: bool) -> tuple[str, str, list[str]]:
    """Text, the codec that read it, and notes; tries what is declared, then UTF-8, then Latin-1, which reads anything.

    A UTF-8 byte order mark counts for more than a declaration. Nothing is ever replaced: bytes -> text is reversible.
    """
    codecs, unknown = codecs_declared(declared)
    notes = ["charset_unknown"] if unknown else []
    for codec in ("utf-8", *codecs) if bom else (*codecs, "utf-8"):
        try:
            text = body.decode(codec)
        except UnicodeDecodeError:
            continue
        if codec not in codecs:
            notes.append("charset_fallback" if codecs else "charset_undeclared")
        return text, codec, notes
    notes.append("charset_fallback" if codecs else "charset_undeclared")
    return body.decode("iso8859-1"), "iso8859-1", notes


def encode(text: str, declared: str) -> bytes:
    """Bytes in the declared character set; `Permanent` IF_CHARSET when it is unknown or cannot hold the text."""
    codec = CODECS.get(declared.strip().upper())
    if codec is None or codec in _READ_ONLY:
        problem = "MSH-18 names a character set that we cannot write; use UNICODE UTF-8"
        raise Permanent("IF_CHARSET", problem, where="MSH-18")
    try:
        return text.encode(codec)
    except UnicodeEncodeError as error:
        problem = f"{declared} has no U+{ord(text[error.start]):04X}; declare UNICODE UTF-8 in MSH-18"
        raise Permanent("IF_CHARSET", problem, where="MSH-18") from None
