"""Whole messages of registration against the visit events that they become."""

import json
from pathlib import Path

import pytest
from msgspec.structs import asdict

from billing.adapters.hl7 import read_adt
from hub.formats import hl7

FOLDER = Path(__file__).parents[2] / "fixtures" / "visits"
PAIRS = sorted(FOLDER.glob("*.hl7"))


@pytest.mark.parametrize("path", PAIRS, ids=lambda path: path.stem)
def test_a_registration_message_becomes_what_its_pair_says(path: Path) -> None:
    """Every field of every event, and every note; no name and no birth date among them."""
    found = read_adt(hl7.parse(path.read_bytes()), {})
    told = [
        {name: value for name, value in asdict(event).items() if value not in ("", None)} for event in found.documents
    ]
    assert json.loads(json.dumps({"documents": told, "notes": found.notes}, default=str)) == json.loads(
        path.with_suffix(".json").read_text("utf-8")
    )
    assert "CANARY" not in str(found)


def test_every_pair_of_registration_is_whole() -> None:
    """No message without its JSON and no JSON without its message."""
    assert [path.stem for path in PAIRS] == sorted(path.stem for path in FOLDER.glob("*.json"))
    assert len(PAIRS) == 3
