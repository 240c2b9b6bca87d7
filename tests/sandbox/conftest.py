"""Fixtures for the stand-in partners: each test gets processes of its own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.sandbox.erp_client import ErpProcess
from tests.sandbox.processes import Program
from tests.sandbox.receiver import Receiver, Script


@pytest.fixture
def start_erp(tmp_path: Path) -> Iterator[Callable[..., ErpProcess]]:
    """A way to start the ERP, more than once on the same ledger if the test likes."""
    started: list[ErpProcess] = []

    def start(*arguments: str) -> ErpProcess:
        started.append(ErpProcess(tmp_path / "erp.sqlite3", *arguments))
        return started[-1]

    yield start
    for process in started:
        process.stop()


@pytest.fixture(scope="module")
def quiet_erp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ErpProcess]:
    """An ERP shared by tests that post nothing."""
    process = ErpProcess(tmp_path_factory.mktemp("erp") / "erp.sqlite3")
    yield process
    process.stop()


@pytest.fixture
def erp(start_erp: Callable[..., ErpProcess]) -> ErpProcess:
    """The ERP, with an empty ledger."""
    return start_erp()


@pytest.fixture
def receive() -> Iterator[Callable[..., Receiver]]:
    """A way to start MLLP receivers with a script."""
    started: list[Receiver] = []

    def start(*script: Script) -> Receiver:
        started.append(Receiver(*script))
        return started[-1]

    yield start
    for receiver in started:
        receiver.close()


@pytest.fixture
def run() -> Iterator[Callable[..., Program]]:
    """A way to start programs that are stopped with the test, should they still run."""
    started: list[Program] = []

    def start(module: str, *arguments: str) -> Program:
        started.append(Program(module, *arguments))
        return started[-1]

    yield start
    for program in started:
        program.stop()
