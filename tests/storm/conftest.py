"""One short storm for all tests of this folder; its servers stay up, so that bugs can be planted in what it left."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from storm.evidence import Evidence
from storm.run import Outcome, Plan, blown

PLAN = Plan(seed=2026, seconds=12, rate=45, lease_s=3)


@pytest.fixture(scope="session")
def storm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Outcome, Evidence]]:
    """A storm of some seconds with the most telling faults, drained and checked."""
    folder: Path = tmp_path_factory.mktemp("storm")
    with blown(PLAN, folder, print) as over:
        yield over
