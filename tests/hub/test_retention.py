"""Retention: a month leaves whole, archived and accounted for, or it stays and says why."""

import csv
import gzip
import hashlib
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from hub import access, bulk, ids, partitions, retention
from hub.errors import NotAllowed, Permanent, Refused
from hub.models import AuditEntry, Delivery, Endpoint, ExceptionCase, Fact, Message, Partner
from tests import world

pytestmark = pytest.mark.django_db
JANUARY = datetime(2024, 1, 1, tzinfo=UTC)
MONTH = retention.Month(JANUARY)
NOW = datetime(2024, 6, 10, tzinfo=UTC)


def old(day: int) -> UUID:
    """An id of January."""
    return UUID(int=ids.floor(JANUARY + timedelta(days=day)).int | ids.uuid7().int & (1 << 62) - 1)


@pytest.fixture
def january() -> Endpoint:
    """Three applied messages, a fact and a delivered delivery of January 2024, and one message of February."""
    with connection.cursor() as cursor:
        for start in (JANUARY, datetime(2024, 2, 1, tzinfo=UTC)):
            for table in partitions.TABLES:
                partitions._make(cursor, table, start, partitions.month_after(start))
    partner = Partner.objects.create(code="p", name="P", kind="billing")
    door = Endpoint.objects.create(partner=partner, code="door", direction="in", format="hl7v2", transport="mllp")
    for day in (1, 2, 3, 40):
        message(door, old(day))
    fact = Fact.objects.create(
        id=old(3), name="x/1", key="k", payload={"a": 1}, correlation_id=ids.uuid7(), published_at=JANUARY
    )
    Delivery.objects.create(
        id=old(4), fact_id=fact.pk, route="r", key="k", lane=0, status="delivered", settled_at=JANUARY
    )
    return door


def message(door: Endpoint, id_: UUID, status: str = "applied") -> None:
    """A stored message with awkward bytes."""
    raw = b'MSH|^~\\&|"A",\r\nPID|\xff\x00'
    Message.objects.create(
        id=id_, endpoint=door, received_at=ids.moment(id_), control_id=str(id_), kind="DFT^P03", key="k", lane=0,
        status=status, attempts=0, correlation_id=id_, sha256=hashlib.sha256(raw).digest(), raw=raw, parts=1,
        settled_at=ids.moment(id_) if status == "applied" else None,
    )  # fmt: skip


def drop(folder: Path) -> list[retention.Archived]:
    """Let January go."""
    return retention.drop(MONTH, folder, by=access.SYSTEM, now=NOW)


def test_a_month_is_archived_then_gone_with_its_disk(january: Endpoint, tmp_path: Path) -> None:
    """Every row is in the files, byte for byte; the partitions are no more; the other month is untouched."""
    before = {row.pk: (row.control_id, bytes(row.raw)) for row in Message.objects.filter(pk__lt=ids.floor(NOW))}
    archived = drop(tmp_path)
    assert [(one.table, one.rows) for one in archived] == [
        ("hub_message_2024_01", 3), ("hub_fact_2024_01", 1), ("hub_delivery_2024_01", 1),
    ]  # fmt: skip
    assert list(Message.objects.values_list("pk", flat=True)) == [max(before)]
    assert (Fact.objects.count(), Delivery.objects.count()) == (0, 0)
    assert bulk.fetch("SELECT to_regclass('hub_message_2024_01')") == [(None,)]

    text = gzip.decompress((tmp_path / "hub_message_2024_01.csv.gz").read_bytes()).decode()
    kept = {UUID(row["id"]): row for row in csv.DictReader(io.StringIO(text))}
    assert {id_: (row["control_id"], bytes.fromhex(row["raw"][2:])) for id_, row in kept.items()} == {
        id_: row for id_, row in before.items() if id_ != max(before)
    }


def test_there_is_evidence_of_what_went(january: Endpoint, tmp_path: Path) -> None:
    """The manifest and the audit entry name files, hashes and rows; the files are for their owner alone."""
    drop(tmp_path)
    manifest = json.loads((tmp_path / "2024-01.json").read_text())
    entry = AuditEntry.objects.get(verb="retention.drop")
    assert entry.count == 5
    assert entry.detail["archived"] == manifest["tables"]
    for table in manifest["tables"]:
        path = tmp_path / table["file"]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == table["sha256"]
        assert path.stat().st_mode & 0o077 == 0


def waits(door: Endpoint) -> None:
    """A message that nobody has settled."""
    message(door, old(5), "stopped")


def has_case(door: Endpoint) -> None:
    """A case about one of its messages."""
    ExceptionCase.objects.create(
        code="BUG", subject="x", title="x", owner="integration", opened_at=JANUARY, last_seen_at=JANUARY,
        message_id=Message.objects.order_by("pk")[0].pk,
    )  # fmt: skip


def sends_its_fact(door: Endpoint) -> None:
    """Somebody sends one of its facts again, months later."""
    Delivery.objects.create(fact_id=Fact.objects.get().pk, route="r2", key="k", lane=0, status="pending")


@pytest.mark.parametrize(
    ("cause", "text"),
    [
        (waits, "1 messages that are not settled"),
        (has_case, "1 open cases"),
        (sends_its_fact, "1 deliveries that are not settled"),
    ],
)
def test_a_month_with_anything_open_stays(january: Endpoint, tmp_path: Path, cause: Any, text: str) -> None:
    """Mirth #2057: what is not settled is never deleted; the refusal says what it is."""
    cause(january)
    with pytest.raises(Refused, match=text):
        drop(tmp_path)
    assert Message.objects.filter(pk__lt=ids.floor(datetime(2024, 2, 1, tzinfo=UTC))).count() >= 3
    assert AuditEntry.objects.filter(verb="retention.drop").count() == 0


def test_what_changed_while_it_was_archived_is_not_dropped(
    january: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replay settles a message again after its row was written to the file: the month stays until it is whole."""
    real = retention._manifest

    def manifest(*args: Any) -> None:
        real(*args)
        Message.objects.filter(pk__lt=ids.floor(JANUARY + timedelta(days=2))).update(settled_at=timezone.now())

    monkeypatch.setattr(retention, "_manifest", manifest)
    with pytest.raises(Refused, match="changed while it was archived"):
        drop(tmp_path)
    monkeypatch.undo()
    assert Message.objects.count() == 4
    drop(tmp_path)
    assert Message.objects.count() == 1


def test_only_whole_months_that_are_old_enough_are_due(january: Endpoint) -> None:
    """January is due in June with four months kept, not with five; the current month never is."""
    assert [month.name for month in retention.due(4, NOW)] == ["2024-01"]
    assert [month.name for month in retention.due(3, NOW)] == ["2024-01", "2024-02"]
    assert retention.due(5, NOW) == []
    with pytest.raises(Refused, match="one whole month"):
        retention.due(0, NOW)


def test_a_month_that_must_stay_is_one_case_that_closes_when_it_went(
    january: Endpoint, tmp_path: Path, settings: Any
) -> None:
    """Night after night it is tried; the case is one, and ends by itself."""
    settings.RETENTION_MONTHS, settings.ARCHIVE_FOLDER = 4, str(tmp_path)
    waits(january)
    retention.nightly(NOW)
    retention.nightly(NOW + timedelta(days=1))
    case = ExceptionCase.objects.get()
    assert (case.code, case.status, case.seen) == ("RETENTION_OPEN", "open", 2)
    Message.objects.filter(status="stopped").update(status="waived")
    retention.nightly(NOW + timedelta(days=2))
    case.refresh_from_db()
    assert case.status == "resolved"
    assert next(month.name for month in retention.months()) == "2024-02"


def test_nothing_leaves_unless_a_hospital_said_so(january: Endpoint, settings: Any) -> None:
    """The default keeps everything; months without an archive are refused aloud."""
    retention.nightly(NOW)
    assert Message.objects.count() == 4
    settings.RETENTION_MONTHS = 4
    with pytest.raises(Permanent, match="ARCHIVE_FOLDER"):
        retention.nightly(NOW)


def test_it_is_not_for_everybody(january: Endpoint, tmp_path: Path) -> None:
    """A person needs a permission of its own."""
    with pytest.raises(NotAllowed, match="drop_month"):
        retention.drop(MONTH, tmp_path, by=access.person(world.user("ines", "hub.view_message")), now=NOW)


def test_the_command_tells_before_it_does(january: Endpoint, tmp_path: Path) -> None:
    """Without --yes nothing moves; with it what may go goes, and what may not fails the command."""
    told = io.StringIO()
    call_command("retention", keep=1, stdout=told)
    assert "2024-01: may go" in told.getvalue()
    assert Message.objects.count() == 4
    Message.objects.filter(pk=Message.objects.latest("pk").pk).update(status="stopped")
    with pytest.raises(CommandError, match="1 of 2 months"):
        call_command("retention", keep=1, archive=tmp_path, yes=True, stdout=told, stderr=io.StringIO())
    assert "2024-01: 5 rows archived and dropped" in told.getvalue()
    assert Message.objects.count() == 1
