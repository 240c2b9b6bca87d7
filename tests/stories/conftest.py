"""What the stories share: the small network, and an ERP that really runs."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub import tasks
from hub.models import Endpoint
from tests import world


@pytest.fixture
def door(transactional_db: None) -> Endpoint:
    """A billing feed's door into a network with its masters loaded."""
    world.masters()
    return world.billing()


@pytest.fixture
def erp(door: Endpoint, tmp_path: Path) -> Iterator[world.Erp]:
    """A running sandbox ERP to which journals are posted."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with world.erp(tmp_path, port) as running:
        tasks.ensure_lanes()
        yield running
