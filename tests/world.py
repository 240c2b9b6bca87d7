"""A small hospital network for tests: one facility with two mapped departments, a billing feed, a real sandbox ERP."""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from json import dumps, loads
from pathlib import Path
from typing import Any

from django.contrib.auth.models import Permission, User
from django.utils import timezone

from hub import arrivals, doorkeys, doors, inbox, outbox, pipeline, replaying, resending, sending, tasks, vault
from hub.models import Endpoint, FacilityGrant, Partner
from mappings.models import (
    ChargeCode,
    CostCenter,
    Department,
    Facility,
    GLAccount,
    Mapping,
    Period,
    ServiceLine,
    SharedCodes,
)

ROOT = Path(__file__).resolve().parent.parent
TODAY = datetime.now(UTC).date()


def masters() -> None:
    """Facility RIVER as the sandbox ERP knows it, two departments, three charge codes, an open and a closed period."""
    clearing = GLAccount.objects.create(code="1420", name="Inventory, implants", kind="asset")
    expense = GLAccount.objects.create(code="6225", name="Cardiac implants", kind="expense")
    river = Facility.objects.create(code="RIVER", name="Riverside", time_zone="UTC", clearing_account=clearing)
    line = ServiceLine.objects.create(code="CARDIAC", name="Heart and vascular")
    for number in ("R110", "R115", "R140"):
        center = CostCenter.objects.create(code=f"CC-{number}", name=number, facility="RIVER")
        Department.objects.create(
            facility=river, code=number, name=number, cost_center=center, service_line=line, expense_account=expense
        )
    for code, price, cost in (("STENT", "2000", "850.25"), ("BALLOON", "310", "95.10"), ("GAUZE", "4.5", None)):
        ChargeCode.objects.create(
            code=code, name=code.title(), price=Decimal(price), unit_cost=None if cost is None else Decimal(cost)
        )
    first = TODAY.replace(day=1)
    before = (first - timedelta(days=1)).replace(day=1)
    _period("RIVER", first, "open")
    _period("RIVER", before, "closed")


def _period(facility: str, first: date, status: str) -> None:
    after = (first + timedelta(days=32)).replace(day=1)
    Period.objects.create(
        facility=facility, code=f"{first:%Y-%m}", starts=first, ends=after - timedelta(days=1), status=status
    )


def billing(**settings: Any) -> Endpoint:
    """A billing partner with one inbound door for RIVER; departments EP and OR are mapped, CATHLAB2 is not."""
    partner = Partner.objects.create(code="carebill", name="CareBill", kind="billing")
    for domain in ("facility", "charge_code"):
        SharedCodes.objects.create(partner=partner, domain=domain)
    author, approver = user("author"), user("approver")
    for source, target in (("EP", "R110"), ("OR", "R140")):
        Mapping.objects.create(
            partner=partner, domain="department", source_code=source, target_code=target, status="approved",
            proposed_by=author, approved_by=approver, approved_at=timezone.now(),
        )  # fmt: skip
    return Endpoint.objects.create(
        partner=partner, code="carebill-river", name="CareBill Riverside", direction="in", format="hl7v2",
        transport="mllp", facility="RIVER", sending_application="CAREBILL", sending_facility="RIVER", settings=settings,
    )  # fmt: skip


def user(name: str, *permissions: str, facility: str = "*") -> User:
    """A user with these permissions ("app.codename") and one facility."""
    made = User.objects.create_user(name, password="correct horse battery staple")
    made.is_staff = True
    made.save()
    FacilityGrant.objects.create(user=made, facility=facility)
    for permission in permissions:
        app, codename = permission.split(".")
        made.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    return made


@dataclass
class Erp:
    """A running sandbox ERP and its endpoint."""

    url: str
    token: str
    process: subprocess.Popen[bytes]
    ledger: Path

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """One request, answered as JSON."""
        request = urllib.request.Request(  # noqa: S310  (our own loopback URL)
            self.url + path, method=method, headers={"Authorization": f"Bearer {self.token}"},
            data=None if body is None else dumps(body).encode(),
        )  # fmt: skip
        with urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310
            return loads(response.read() or b"null")

    def fault(self, **fault: Any) -> None:
        """Replace the active fault."""
        self.ask("POST", "/_sandbox/faults", fault)

    def heal(self) -> None:
        """Remove all faults."""
        self.ask("DELETE", "/_sandbox/faults")

    def totals(self) -> dict[str, Any]:
        """Journals, lines, debit, credit, distinct references."""
        totals: dict[str, Any] = self.ask("GET", "/v1/totals")
        return totals

    def kill(self) -> None:
        """kill -9, as a power cut would."""
        self.process.kill()
        self.process.wait()

    def start(self) -> None:
        """Start it again on the same port and ledger."""
        port = self.url.rsplit(":", 1)[1]
        self.process = _start_erp(int(port), self.ledger, self.token)


def _start_erp(port: int, ledger: Path, token: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox.erp", "--port", str(port), "--ledger", str(ledger), "--token", token],
        cwd=ROOT, stdout=subprocess.DEVNULL, env={**os.environ},
    )  # fmt: skip
    deadline = time.monotonic() + 20
    while True:
        try:
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}/v1/health", headers={"Authorization": f"Bearer {token}"}
            )
            urllib.request.urlopen(request, timeout=2).close()  # noqa: S310
            return process
        except OSError:
            if time.monotonic() > deadline or process.poll() is not None:
                raise
            time.sleep(0.05)


@contextmanager
def erp(folder: Path, port: int) -> Iterator[Erp]:
    """A sandbox ERP with an endpoint that posts to it."""
    ledger, token = folder / "erp.sqlite3", "a-token-for-tests-only"
    process = _start_erp(port, ledger, token)
    running = Erp(f"http://127.0.0.1:{port}", token, process, ledger)
    partner = Partner.objects.create(code="summit", name="Summit ERP", kind="erp")
    Endpoint.objects.create(
        partner=partner, code="summit", name="Summit ERP", direction="out", format="rest_ledger", transport="http",
        settings={"base_url": running.url, "read_s": 2, "connect_s": 1}, secret=vault.seal(token),
    )  # fmt: skip
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait()


def dft(control: str, account: str, *lines: str, sent: str = "") -> bytes:
    """A DFT^P03 with these FT1 segments (see `ft1`)."""
    stamp = sent or f"{TODAY:%Y%m%d}120000"
    head = [
        f"MSH|^~\\&|CAREBILL|RIVER|HUB|HUB|{stamp}||DFT^P03^DFT_P03|{control}|P|2.5.1",
        f"EVN|P03|{stamp}",
        f"PID|1||MRN{account}^^^RIVER^MR||SYNTHETIC^ZZCANARY||19700101|F||||||||||{account}^^^RIVER^AN",
        f"PV1|1|I|EP^01^A|||||||CAR|||||||||V{account}",
    ]
    return "\r".join([*head, *lines, ""]).encode()


def ft1(
    transaction: str, code: str, quantity: str = "1", amount: str = "", department: str = "EP", *, kind: str = "CG",
    original: str = "", service: str = "", unit_cost: str = "",
) -> str:  # fmt: skip
    """One FT1 segment; fields by their numbers in HL7 v2.5.1."""
    fields = [""] * 32
    fields[0:8] = ["FT1", "1", transaction, "", service or f"{TODAY:%Y%m%d}", "", kind, code]
    fields[10], fields[11], fields[13], fields[22], fields[31] = quantity, amount, department, unit_cost, original
    return "|".join(fields).rstrip("|")


def receive(*raw: bytes) -> list[str]:
    """Hand messages in through the door, as the listener does; returns the answers ("AA", "AR|...")."""
    doorkeys.forget()
    endpoints = Endpoint.objects.select_related("partner").filter(direction="in").order_by("pk")
    entrance = doors.Entrance(tuple(map(doors.terms, endpoints)))
    found = [arrival for one in raw for arrival in arrivals.look(one, entrance, doors.Peer("127.0.0.1"))]
    return [receipt.answer for receipt in inbox.receive(found, now=timezone.now())]


def run_until_quiet() -> None:
    """Do in this process all that the workers would do, until nothing moves any more."""
    tasks.ensure_lanes()
    doorkeys.forget()
    while pipeline.drain() + outbox.drain() + sending.drain() + resending.drain() + replaying.drain():
        pass
