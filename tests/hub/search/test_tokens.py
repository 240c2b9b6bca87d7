"""Words and values: what of a message can be searched for."""

import pytest

from hub.errors import Refused
from hub.search import tokens

RAW = b"MSH|^~\\&|CAREBILL|RIVER\rPID|1||MRN-77^^^RIVER||O'BRIEN^MARY ANN||\rNTE|1||" + b"x" * 41 + b" end\r"


def test_words_are_runs_and_values_are_fields() -> None:
    """Folded, 3 to 40 characters; a longer run is no word and no part of it is."""
    found = tokens.cut([tokens.text(RAW)])
    assert {"carebill", "river", "mrn", "brien", "mary", "ann", "o'brien^mary ann", "mrn-77^^^river", "end"} <= found
    assert not {"77", "o", "x" * 41, "x" * 40} & found


@pytest.mark.parametrize(
    ("asked", "words", "values"),
    [
        ("Smith 4711", ("smith", "4711"), ()),
        ("o'brien", ("brien",), ()),
        ('"O\'Brien^Mary Ann" river RIVER', ("river",), ("o'brien^mary ann",)),
        ("STRASSE straße", ("strasse",), ()),
    ],
)
def test_what_is_typed_becomes_words_and_values(asked: str, words: tuple[str, ...], values: tuple[str, ...]) -> None:
    """Quotation marks ask for a whole field; what is typed twice is one word."""
    assert tokens.read(asked) == tokens.Query(words, values)


@pytest.mark.parametrize("asked", ["", "ab 12", "smith t3", "x" * 41, '"ab"', " ".join(f"word{n}" for n in range(9))])
def test_what_cannot_be_found_is_refused(asked: str) -> None:
    """Too short, too long, or too many: a sentence says what can be typed."""
    with pytest.raises(Refused) as error:
        tokens.read(asked)
    assert error.value.code == "SEARCH_WORDS"


@pytest.mark.parametrize(
    ("asked", "found"),
    [("mary", True), ("mar", False), ("mary brien", True), ("mary smith", False), ('"mary"', False),
     ('"o\'brien^mary ann"', True)],
)  # fmt: skip
def test_a_message_matches_by_whole_words_and_fields(asked: str, found: bool) -> None:
    """A part of a word is not the word; every one of them has to be there."""
    assert tokens.matches(RAW, tokens.read(asked)) is found


def test_latin_1_is_read_where_utf_8_is_not() -> None:
    """A name with an umlaut is found in either."""
    for raw in ("MSH|^~\\&|MÜLLER\r".encode(), "MSH|^~\\&|MÜLLER\r".encode("latin-1")):
        assert tokens.matches(raw, tokens.read("müller"))


def test_a_messages_own_separator_counts() -> None:
    """MSH-1 is not always a bar."""
    assert "a|b" in tokens.cut([tokens.text(b"MSH#^~\\&#A|B#\r")])
