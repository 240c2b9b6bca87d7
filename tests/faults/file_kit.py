"""What the tests of files share: an endpoint with a folder of its own, a clock that the test turns, files."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.db import connection

from hub.files.runner import Runner
from hub.models import Endpoint, ExceptionCase, InboundFile, Message, Partner
from tests import world
from tests.world import dft, ft1


def message(number: int, code: str = "STENT") -> bytes:
    """A charge message of a running number."""
    return dft(f"F{number}", f"A{number % 5}", ft1(f"FT{number}", code, "1", "2000"))


def batch(*messages: bytes, count: int | None = None, end: bool = True) -> bytes:
    """A batch file; `count` is what its trailer claims."""
    head = b"FHS|^~\\&|CAREBILL|RIVER\rBHS|^~\\&|CAREBILL|RIVER|||20261122||||B1\r"
    claimed = len(messages) if count is None else count
    return head + b"".join(messages) + (f"BTS|{claimed}\rFTS|1\r".encode() if end else b"")


@dataclass
class Folder:
    """An inbound folder endpoint, its folder, and a runner on a clock of the test's own."""

    path: Path
    endpoint: Endpoint
    now: float = 1000.0
    runner: Runner = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Another process: what was only in memory is gone."""
        self.runner = Runner(clock=lambda: self.now)

    def put(self, name: str, content: bytes) -> Path:
        """A file as its sender leaves it."""
        (self.path / name).write_bytes(content)
        return self.path / name

    def look(self, after_s: float = 10.0) -> int:
        """Time passes, then the runner looks; returns how many files were taken."""
        self.now += after_s
        return self.runner.step()

    def settle(self) -> int:
        """Two looks, so that what is stable is taken."""
        return self.look(400) + self.look(400)

    def names(self, folder: str = "") -> list[str]:
        """What lies there, the hub's own folders left out."""
        return sorted(p.name for p in (self.path / folder).iterdir() if p.name not in {"done", "quarantine"})

    def rows(self) -> list[tuple[str, str, str]]:
        """Name, status and place of each file, oldest first."""
        return [(row.name, row.status, row.lies_in) for row in InboundFile.objects.order_by("pk")]

    def set(self, **settings: Any) -> None:
        """Change the endpoint's settings."""
        self.endpoint.settings.update(settings)
        self.endpoint.save()


def folder(path: Path, **settings: Any) -> Folder:
    """A folder for CareBill at RIVER, with done/ and quarantine/ in it."""
    for name in ("", "done", "quarantine"):
        (path / name).mkdir(exist_ok=True)
    endpoint = Endpoint.objects.create(
        partner=Partner.objects.get(code="carebill"), code="carebill-files", name="CareBill files", direction="in",
        format="hl7v2", transport="folder", facility="RIVER", settings={"folder": str(path), **settings},
    )  # fmt: skip
    return Folder(path, endpoint)


def stored() -> list[str]:
    """Control ids of all messages, in the order in which they came."""
    return list(Message.objects.order_by("pk").values_list("control_id", flat=True))


def open_cases() -> dict[str, int]:
    """Open cases by code."""
    codes = ExceptionCase.objects.filter(status__in=["open", "assigned"]).values_list("code", flat=True)
    return {code: list(codes).count(code) for code in codes}


def charges() -> int:
    """Charges in the books, after the workers did all they can."""
    world.run_until_quiet()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM billing_charge")
        (found,) = cursor.fetchone()
    return int(found)
