"""A house in which something of everything happened and nothing is wrong: built once, broken by each test, restored."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection, transaction
from django.test.utils import override_settings

from billing.models import Visit
from hub import outbox, pipeline, sending, tasks
from hub.models import Dispatch, Endpoint, SavedAnswer
from tests import world
from tests.world import dft, ft1

BAD = "FT1|1|T0||not a day||CG|STENT|||1|2000"
CHEAP = {"PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"]}


def run(statement: str, *params: Any) -> list[Any]:
    """Any SQL, with its rows where it has some."""
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return cursor.fetchall() if cursor.description else []


def break_rules() -> None:
    """Take the database's own refusals away, as a bug in a migration would: only the checks are left."""
    run("SET CONSTRAINTS ALL IMMEDIATE")
    run("ALTER TABLE hub_fact DISABLE TRIGGER fact_is_append_only")
    run("ALTER TABLE erp_journalline DISABLE TRIGGER journal_line_is_append_only")
    for table, constraint in run(
        "SELECT conrelid::regclass::text, conname FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace AND contype = 'c' AND conparentid = 0"
        " AND conrelid::regclass::text ~ '^(hub_(message|delivery|dispatch|exceptioncase|savedanswer|lane)"
        "|billing_(charge|visit)|erp_journal|erp_journalline)$'"
    ):
        run(f'ALTER TABLE {table} DROP CONSTRAINT "{constraint}"')
    run("DROP INDEX case_open_is_one_per_subject")
    run("ALTER TABLE hub_savedanswer DROP CONSTRAINT saved_answer_is_one_per_key")
    run("ALTER TABLE hub_waiting ALTER COLUMN case_id DROP NOT NULL")


def live(erp: world.Erp) -> None:
    """A day: posted, taken back, held, rejected, doubled, stopped, blocked, on its way, and waiting."""
    door = Endpoint.objects.get(code="carebill-river")
    world.receive(
        dft("M1", "A1", ft1("T1", "STENT", "3", "6000")),
        dft("M2", "A2", ft1("T2", "BALLOON", "2", "620"), ft1("T3", "BALLOON", "1", "310", "CATHLAB2")),
        dft("M3", "A3", ft1("T4", "STENT", "0", "0")),
        dft("M4", "A4", BAD),
        dft("M5", "A4", ft1("T5", "STENT", "1", "2000")),
        dft("M6", "A5", ft1("T6", "GAUZE", "1", "4.50")),  # nobody knows its cost: the ledger's delivery stops
        dft("M7", "A5", ft1("T7", "STENT", "1", "2000")),
    )
    world.run_until_quiet()
    world.receive(
        dft("M8", "A1", ft1("T8", "STENT", "1", "2000", kind="CD", original="T1")),
        dft("M9", "A1", ft1("T9", "STENT", "2", "4000", kind="CD", original="T1")),
        dft("M10", "A2", ft1("T2", "BALLOON", "2", "620")),  # a duplicate
        dft("M11", "A2", ft1("T2", "BALLOON", "5", "1550")),  # a conflict
        dft("M1", "A6", ft1("T10", "STENT", "1", "2000")),  # refused: its control id came with other content
    )
    world.run_until_quiet()
    erp.fault(mode="down")
    world.receive(dft("M12", "A7", ft1("T11", "STENT", "1", "2000")))
    pipeline.drain()
    outbox.drain()
    for endpoint in sending.endpoints():
        for route in sending.roads(endpoint):
            sending.step(route, endpoint)
    world.receive(dft("M13", "A8", ft1("T12", "STENT", "1", "2000")))
    pipeline.drain()  # its fact waits for the ledger's turn
    world.receive(dft("M14", "A9", ft1("T13", "STENT", "1", "2000")))  # and this one for anybody's
    erp.heal()
    Visit.objects.create(account="A1", partner=door.partner.code, facility="RIVER")
    SavedAnswer.objects.create(
        actor="user:1", method="POST", path="/api/v1/cases/1/resolve", key="k", fingerprint=b"f" * 32, status=200,
        body=b"{}",
    )  # fmt: skip
    run(
        "UPDATE hub_lane SET token = gen_random_uuid(), leased_until = now() + interval '1 minute'"
        " WHERE queue = 'inbox' AND number = (SELECT lane FROM hub_message WHERE control_id = 'M14')"
    )
    assert Dispatch.objects.filter(settled_at=None).count() == 1


@pytest.fixture(scope="module")
def house(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[world.Erp]:
    """The house and its ERP, for all tests of a file; nothing of it stays in the database."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert django_settings.LEASE_S > 1
    with django_db_blocker.unblock(), override_settings(**CHEAP), transaction.atomic():
        world.masters()
        world.billing()
        with world.erp(tmp_path_factory.mktemp("erp"), port) as erp:
            # The endpoint was set up long ago: what it should have been sent is known.
            run("UPDATE hub_historicalendpoint SET history_date = history_date - interval '1 day'")
            tasks.ensure_lanes()
            live(erp)
            yield erp
        transaction.set_rollback(True)


@pytest.fixture
def broken(house: world.Erp) -> Iterator[world.Erp]:
    """The house with the database's rules taken away; all is as it was afterwards."""
    with transaction.atomic():
        break_rules()
        yield house
        transaction.set_rollback(True)


@pytest.fixture
def sound(house: world.Erp) -> Iterator[world.Erp]:
    """The house as it is; all is as it was afterwards."""
    with transaction.atomic():
        yield house
        transaction.set_rollback(True)
