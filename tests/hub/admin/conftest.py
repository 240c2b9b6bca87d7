"""A house with one row of everything, and a person for every role."""

from collections.abc import Callable
from datetime import time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone
from model_bakery import baker

from billing.models import Visit
from erp.models import Journal, SplitRule, SplitShare
from hub import access, audit, outbox, pipeline, replay, roles, tasks
from hub.models import (
    AlertEpisode,
    AlertRule,
    ApiKey,
    BusinessCalendar,
    Deadline,
    Delivery,
    Digest,
    Dispatch,
    Endpoint,
    ExceptionCase,
    Expectation,
    FacilityGrant,
    InboundFile,
    Message,
    Overdue,
    Partner,
    Webhook,
    WebhookCall,
)
from mappings.models import Facility, Item, Location, Mapping, PayerClass, Vendor
from tests import world
from tests.world import dft, ft1

MESSAGES = (
    dft("M1", "A1", ft1("T1", "STENT", "1", "2000.10"), ft1("T2", "BALLOON", "2", "620", "CATHLAB2")),
    dft("M2", "A1", ft1("T3", "GAUZE", "3", "13.50", "OR")),
    dft("M3", "A2", ft1("T4", "STENT", "3", "6000", "CATHLAB2")),
    dft("M4", "A3", ft1("T5", "GAUZE", "0", "0", "OR")),
)


@pytest.fixture(autouse=True)
def _cheap_passwords(settings: Any) -> None:
    """A million rounds per made-up password would be most of these tests' time."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def network(db: None) -> Endpoint:
    """Masters, a billing feed, roles and lanes; nothing has arrived yet."""
    roles.apply()
    world.masters()
    door = world.billing()
    tasks.ensure_lanes()
    return door


@pytest.fixture
def traffic(network: Endpoint) -> Endpoint:
    """Four messages came in and were worked on: some charges are captured, two lines wait for CATHLAB2."""
    assert world.receive(*MESSAGES) == ["AA"] * 4
    pipeline.drain()
    outbox.drain()
    return network


@pytest.fixture
def house(traffic: Endpoint) -> Endpoint:
    """One row of everything that has a page."""
    now = timezone.now()
    erp = Partner.objects.create(code="summit", name="Summit ERP", kind="erp")
    out = Endpoint.objects.create(
        partner=erp, code="summit", name="Summit ledger", direction="out", format="rest_ledger", transport="http"
    )
    call = Dispatch.objects.create(
        route="journals.post",
        endpoint=out,
        lane=0,
        status="in_doubt",
        deliveries=1,
        weight=2,
        due_at=now,
        created_at=now,
    )
    Journal.objects.create(
        id=call.pk, endpoint=out, facility="RIVER", currency="USD", posting_date=world.TODAY, lines=2,
        total=Decimal("850.25"), status="posting", created_at=now,
    )  # fmt: skip
    Delivery.objects.create(
        fact_id=call.pk, route="journals.post", endpoint=out, key="A1", lane=0, status="sending", dispatch_id=call.pk
    )
    rule = SplitRule.objects.create(facility="RIVER", department="R110")
    SplitShare.objects.create(rule=rule, cost_center="CC-R110", percent=100)
    river = Facility.objects.get(code="RIVER")
    Location.objects.create(code="R110-PAR", name="EP cart", facility=river)
    for master in (Item, Vendor, PayerClass):
        baker.make(master, code="X1", name="One of them")
    Visit.objects.create(account="A1", partner="carebill", facility="RIVER")
    Mapping.objects.create(
        partner=traffic.partner, domain="department", source_code="CATHLAB9", target_code="R115",
        proposed_by=User.objects.get(username="author"),
    )  # fmt: skip
    ApiKey.objects.create(
        prefix="abc", digest=b"x" * 64, name="warehouse", user=User.objects.get(username="author"),
        scopes=["charges.read"], expires_at=now + timedelta(days=9),
    )  # fmt: skip
    episode = AlertEpisode.objects.create(
        rule=AlertRule.objects.get(kind="oldest_call"), subject="summit", value=7200, began_at=now, seen_at=now,
        text="A call to Summit ledger is not settled for 2 h.",
    )  # fmt: skip
    office = BusinessCalendar.objects.create(name="Ledger office", holidays="2026-12-25 Christmas")
    Deadline.objects.create(step="charge_to_cost.journal_posted", facility="RIVER", minutes=60, calendar=office)
    Expectation.objects.create(
        name="Charges by eight",
        kind="daily",
        endpoint=traffic,
        message_kind="DFT^P03",
        by_time=time(8),
        calendar=office,
    )
    Overdue.objects.create(
        step="charge_to_cost.journal_posted", subject_id=call.pk, fact_id=call.pk, key="A1", facility="RIVER",
        amount=Decimal("850.25"), since=now - timedelta(hours=5), late_at=now,
    )  # fmt: skip
    InboundFile.objects.create(
        endpoint=traffic, name="charges.hl7", size=900, modified_at=now, sha256=b"x" * 32, seen_at=now,
        last_seen_at=now, status="quarantined", lies_in="quarantine/charges.hl7", problem_code="IF_BATCH_COUNT",
        problem="The file is not what its trailer says: BTS-1 says 4, found 3.", settled_at=now,
    )  # fmt: skip
    webhook = Webhook.objects.create(name="pager", url="http://pager.example.org/hooks/throughline")
    WebhookCall.objects.create(
        webhook=webhook, episode=episode, event="alert.began", body="{}", due_at=now, created_at=now
    )
    Digest.objects.create(recipient="ines@hospital.example", day=now.date(), until=now, taken_at=now, told_at=now)
    replay.plan("messages", {"status": "held"}, reason="a reason", by=access.SYSTEM)
    audit.record("cases.assign", by=access.SYSTEM, subject=ExceptionCase.objects.first(), reason="a reason")
    return traffic


@pytest.fixture
def person(network: Endpoint) -> Callable[..., User]:
    """Make a member of staff with a role, who sees all facilities unless told otherwise."""

    def make(role: str, *facilities: str, name: str = "") -> User:
        user = User.objects.create_user(name or f"the.{role}", password="correct horse battery", is_staff=True)
        if role == "superuser":
            user.is_superuser = True
            user.save()
        elif role:
            user.groups.add(Group.objects.get(name=role))
        for facility in facilities or ("*",):
            FacilityGrant.objects.create(user=user, facility=facility)
        return user

    return make


@pytest.fixture
def login(person: Callable[..., User]) -> Callable[..., Client]:
    """A logged-in browser of somebody with a role."""

    def make(role: str, *facilities: str, name: str = "") -> Client:
        client = Client()
        client.force_login(person(role, *facilities, name=name))
        return client

    return make


@pytest.fixture
def case(traffic: Endpoint) -> ExceptionCase:
    """The open case of the unmapped department."""
    return ExceptionCase.objects.get(code="MAP_MISSING")


def text(response: Any) -> str:
    """The answer's body as text."""
    return str(response.content.decode())


def rows(message: str = "M1") -> Message:
    """A stored message by its control id."""
    return Message.objects.get(control_id=message)
