"""The demo network, Cedar Valley Health, as data: three hospitals with what they charge, buy and post to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DEFAULT_FILE = Path(__file__).with_name("network.json")

Network = dict[str, Any]


def read_network(file: Path = DEFAULT_FILE) -> Network:
    """Read a network file. Raises OSError if it is not there, ValueError if it is not a JSON object."""
    network = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(network, dict):
        raise ValueError(f"{file} must hold a JSON object")
    return network
