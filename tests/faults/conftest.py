"""What the fault tests share: the small network, and one ERP process for all tests of a file."""

import socket
from collections.abc import Iterator

import pytest
from django.conf import LazySettings

from hub import tasks, vault
from hub.models import Endpoint, Partner
from hub.transports import http
from tests import world
from tests.faults.kit import Books


@pytest.fixture(scope="module")
def erp_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[world.Erp]:
    """A sandbox ERP with a ledger of its own that lives as long as the file's tests."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ledger, token = tmp_path_factory.mktemp("erp") / "erp.sqlite3", "a-token-for-tests-only"
    running = world.Erp(f"http://127.0.0.1:{port}", token, world._start_erp(port, ledger, token), ledger)
    yield running
    running.process.kill()
    running.process.wait()


@pytest.fixture(autouse=True)
def no_kept_connections() -> Iterator[None]:
    """Connections to the ERP end with the test."""
    yield
    http.close()


@pytest.fixture
def cheap_passwords(settings: LazySettings) -> None:
    """Passwords are not what is tested here."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def network(db: None, cheap_passwords: None) -> Endpoint:
    """The small network with its billing door, in a transaction that is rolled back."""
    world.masters()
    door = world.billing()
    tasks.ensure_lanes()
    return door


@pytest.fixture
def committed_network(transactional_db: None, cheap_passwords: None) -> Endpoint:
    """The same network, committed: for tests with several connections or processes."""
    world.masters()
    door = world.billing()
    tasks.ensure_lanes()
    return door


def _joined(process: world.Erp) -> Books:
    process.heal()
    partner = Partner.objects.create(code="summit", name="Summit ERP", kind="erp")
    Endpoint.objects.create(
        partner=partner, code="summit", name="Summit ERP", direction="out", format="rest_ledger", transport="http",
        settings={"base_url": process.url, "read_s": 1.5, "connect_s": 1}, secret=vault.seal(process.token),
    )  # fmt: skip
    tasks.ensure_lanes()
    return Books(process)


@pytest.fixture
def books(network: Endpoint, erp_process: world.Erp) -> Books:
    """The hub's and the ERP's books side by side."""
    return _joined(erp_process)


@pytest.fixture
def committed_books(committed_network: Endpoint, erp_process: world.Erp) -> Books:
    """The same on committed data."""
    return _joined(erp_process)
