"""Messages' bytes at rest: nobody reads them out of the table, and nothing else changes."""

import base64
import hashlib
import re
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from hub import bodies, bulk, ids, pipeline, resealing, vault, verification
from hub.errors import Refused
from hub.models import AuditEntry, Endpoint, ExceptionCase, Message
from tests import world
from tests.world import dft, ft1

ROOT = Path(__file__).resolve().parents[2]
BODY = dft("M1", "A1", ft1("T1", "STENT", "1", "2000.10"))


def key(letter: str) -> str:
    """A ring entry of that name."""
    return f"{letter}:{base64.b64encode(letter.encode() * 32).decode()}"


@pytest.fixture
def ring(settings: Any) -> Any:
    """A ring with one key."""
    settings.VAULT_KEYS = [key("a")]
    return settings


@pytest.fixture
def door(db: None, ring: Any) -> Endpoint:
    """A network with a billing feed."""
    world.masters()
    return world.billing()


def stored() -> list[tuple[UUID, bytes]]:
    """What the table holds."""
    return [(id_, bytes(raw)) for id_, raw in bulk.fetch("SELECT id, raw FROM hub_message ORDER BY id")]


def test_what_is_sealed_opens_for_its_own_message_alone(ring: Any) -> None:
    """The same bytes look different each time, name their key, and do not open in another row."""
    one, two = ids.uuid7(), ids.uuid7()
    first, second = bodies.seal([(one, BODY), (one, BODY)])
    assert first != second
    assert (bodies.open_(one, first), bodies.open_(one, second)) == (BODY, BODY)
    assert (bodies.key_of(first), bodies.key_of(BODY), BODY in first, b"ZZCANARY" in first) == ("a", "", False, False)
    with pytest.raises(vault.VaultError) as error:
        bodies.open_(two, first)
    assert error.value.code == "VAULT_BROKEN"


@pytest.mark.parametrize("bad", ["cut", "flipped", "head", "magic alone"])
def test_changed_bytes_do_not_open(ring: Any, bad: str) -> None:
    """Cut short, flipped or with another head: it is told, and never taken for a document."""
    id_ = ids.uuid7()
    (sealed,) = bodies.seal([(id_, BODY)])
    ring.VAULT_KEYS = [key("a"), "b:" + key("a").split(":")[1]]
    changed = {
        "cut": sealed[:-1], "flipped": sealed[:-1] + bytes([sealed[-1] ^ 1]), "head": sealed[:5] + b"b" + sealed[6:],
        "magic alone": bodies.MAGIC,
    }[bad]  # fmt: skip
    with pytest.raises(vault.VaultError) as error:
        bodies.open_(id_, changed)
    assert error.value.code == "VAULT_BROKEN"


def test_plain_rows_of_before_are_still_read() -> None:
    """Bytes that were never sealed come back as they are, empty ones too."""
    assert [bodies.open_(ids.uuid7(), plain) for plain in (BODY, b"", b"hello")] == [BODY, b"", b"hello"]


def test_the_door_seals_and_the_pipeline_opens(door: Endpoint) -> None:
    """The table has no word of it; its SHA-256 is that of the plain bytes; the charge is captured."""
    assert world.receive(BODY) == ["AA"]
    ((id_, raw),) = stored()
    assert b"ZZCANARY" not in raw
    assert bodies.key_of(raw) == "a"
    message = Message.objects.get(pk=id_)
    assert (bytes(message.sha256), bodies.of(message)) == (hashlib.sha256(BODY).digest(), BODY)
    world.run_until_quiet()
    assert Message.objects.get(pk=id_).status == "applied"
    assert world.receive(BODY) == ["AA"]
    assert len(stored()) == 1


def test_a_message_waits_while_its_key_is_away(door: Endpoint, ring: Any) -> None:
    """A worker whose ring lacks the key stops nothing: the message waits, and goes on when the key is back."""
    world.receive(BODY)
    ring.VAULT_KEYS = [key("b")]
    world.run_until_quiet()
    assert (Message.objects.get().status, ExceptionCase.objects.count()) == ("received", 0)
    ring.VAULT_KEYS = [key("b"), key("a")]
    world.run_until_quiet()
    assert Message.objects.get().status == "applied"


def test_bytes_that_do_not_open_stop_their_own_message_alone(door: Endpoint) -> None:
    """It is stopped with a case that says what to do; the others go on."""
    world.receive(BODY, dft("M2", "A2", ft1("T2", "STENT", "1", "2000.10")))
    bulk.run("UPDATE hub_message SET raw = raw || 'x'::bytea WHERE control_id = 'M1'")
    world.run_until_quiet()
    assert dict(Message.objects.values_list("control_id", "status")) == {"M1": "stopped", "M2": "applied"}
    case = ExceptionCase.objects.get()
    assert case.code == "VAULT_BROKEN"
    assert "Restore the row from a backup" in case.text


def test_two_rows_with_exchanged_bytes_are_found_by_verification(door: Endpoint) -> None:
    """INV-1 opens every message: bytes that were moved to another row do not open there."""
    world.receive(BODY, dft("M2", "A2", ft1("T2", "STENT", "1", "2000.10")))
    (check,) = [check for check in verification.checks if check.name == "bytes"]
    assert check.look(verification.span()).violations == []
    bulk.run("UPDATE hub_message m SET raw = o.raw FROM hub_message o WHERE o.id <> m.id")
    found = check.look(verification.span())
    assert (found.checked, len(found.violations)) == (2, 2)


def test_plain_bytes_put_in_a_rows_place_are_found_by_verification(door: Endpoint) -> None:
    """A row that was exchanged for other plain bytes has another SHA-256."""
    world.receive(BODY)
    bulk.run("UPDATE hub_message SET raw = 'MSH|forged'")
    (check,) = [check for check in verification.checks if check.name == "bytes"]
    assert len(check.look(verification.span()).violations) == 1


def test_rotation_seals_plain_and_old_rows_and_can_go_on(door: Endpoint, ring: Any, monkeypatch: Any) -> None:
    """In batches, each with an audit entry; a second run changes nothing; then the old key can go."""
    world.receive(*(dft(f"M{n}", "A1", ft1(f"T{n}", "STENT", "1", "1")) for n in range(5)))
    bulk.run("UPDATE hub_message SET raw = %s WHERE control_id = 'M0'", [dft("M0", "A1")])
    ring.VAULT_KEYS = [key("b"), key("a")]
    monkeypatch.setattr(resealing, "AT_ONCE", 2)
    batches = resealing.messages()
    assert next(batches).done == 2
    batches.close()  # broken off
    assert [progress.done for progress in resealing.messages()] == [2, 3]
    assert {bodies.key_of(raw) for _, raw in stored()} == {"b"}
    call_command("rotate_vault")
    assert AuditEntry.objects.filter(verb="vault.rotate").count() == 3
    ring.VAULT_KEYS = [key("b")]
    assert b"ZZCANARY" in bodies.of(Message.objects.order_by("pk")[0])
    pipeline.drain()


def test_rotation_names_messages_that_do_not_open(door: Endpoint, ring: Any) -> None:
    """What nobody can open stays as it is and is named; the others are sealed anew."""
    world.receive(BODY)
    ring.VAULT_KEYS = [key("c")]
    world.receive(dft("M2", "A2"))
    ring.VAULT_KEYS = [key("b"), key("c")]
    with pytest.raises(CommandError, match="1 could not be opened"):
        call_command("rotate_vault")
    assert [bodies.key_of(raw) for _, raw in stored()] == ["a", "b"]
    with pytest.raises(Refused) as error:
        list(resealing.messages("no id"))
    assert error.value.code == "VAULT_AFTER"


def test_nothing_else_looks_at_the_column() -> None:
    """Whoever wants the bytes goes through `hub.bodies`: nobody else takes them from a row."""
    taken = re.compile(r"bytes\((\w+\.)*raw\)")
    files = [file for app in ("hub", "mappings", "billing", "erp") for file in (ROOT / app).rglob("*.py")]
    assert [file.name for file in files if taken.search(file.read_text())] == ["bodies.py"]


@pytest.mark.django_db
def test_sealed_bytes_are_not_compressed_in_vain() -> None:
    """The column is stored as it is: ciphertext has nothing to compress. New partitions inherit it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT attstorage FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
            " WHERE a.attname IN ('raw', 'filter')"
            " AND (c.relname LIKE 'hub_message%' OR c.relname LIKE 'hub_contents%')"
            " AND c.relkind IN ('r', 'p')"
        )
        assert cursor.fetchall() == [("e",)]
