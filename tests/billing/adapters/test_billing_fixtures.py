"""Whole messages against what they become, ours and those that nobody here wrote."""

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import asdict

from billing.adapters.hl7 import read_dft
from hub.errors import ParseError
from hub.formats import hl7

ROOT = Path(__file__).parents[3]
PAIRS = sorted((ROOT / "tests" / "fixtures" / "billing").glob("*.hl7"))
# Messages that nobody here wrote; they are not part of the project and may be absent.
SAMPLES = sorted(path for path in (ROOT.parent / "shared" / "samples" / "hl7v2").rglob("*") if path.is_file())


def plain(found: Any) -> dict[str, Any]:
    """Documents and notes as JSON; fields that were not sent are left out."""
    documents = [
        {name: value for name, value in asdict(one).items() if value not in ("", None, ())} for one in found.documents
    ]
    return json.loads(json.dumps({"documents": documents, "notes": found.notes}, default=str))


@pytest.mark.parametrize("path", PAIRS, ids=lambda path: path.stem)
def test_a_message_becomes_what_its_pair_says(path: Path) -> None:
    """Every field of every line, and every note."""
    expected = json.loads(path.with_suffix(".json").read_text("utf-8"))
    settings = expected.pop("settings", {})
    assert plain(read_dft(hl7.parse(path.read_bytes()), settings)) == expected


def test_every_pair_is_whole() -> None:
    """No message without its JSON and no JSON without its message."""
    folder = ROOT / "tests" / "fixtures" / "billing"
    assert [path.stem for path in PAIRS] == sorted(path.stem for path in folder.glob("*.json"))
    assert len(PAIRS) == 4


def dfts() -> list[Any]:
    """Each DFT among the samples, batches taken apart."""
    found = []
    for path in SAMPLES:
        for number, raw in enumerate(hl7.split(path.read_bytes()).messages, start=1):
            try:
                kind = hl7.peek(raw).message_type
            except ParseError:
                continue  # not readable as a message at all: the format's own tests know those
            if kind == "DFT":
                found.append(pytest.param(raw, id=f"{path.stem}-{number}"))
    return found


@pytest.mark.skipif(not SAMPLES, reason="the samples are not here")
@pytest.mark.parametrize("raw", dfts())
def test_a_sample_gives_its_charges_or_names_the_place(raw: bytes) -> None:
    """As many charges as the message has charge and credit lines, or an error that says where."""
    message = hl7.parse(raw)
    lines = [segment for segment in message.all("FT1") if segment.text(6).strip().upper() in {"CG", "CD", ""}]
    try:
        count = len(read_dft(message, {}).documents)
    except ParseError as error:
        place = error.where
        assert place
        return
    assert count == len(lines)
