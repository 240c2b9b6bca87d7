"""Rows and callers for tests of the API: two facilities, and one of everything in each."""

import json
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.utils import timezone

from billing.models import Charge
from erp.models import Allocation, Journal, JournalLine
from hub import ids, machines
from hub.access import SYSTEM
from hub.models import (
    Delivery,
    Dispatch,
    Endpoint,
    ExceptionCase,
    FacilityGrant,
    Fact,
    Message,
    MessageKey,
    Overdue,
    Partner,
    Replay,
    ReplayItem,
    Waiting,
)
from mappings.models import Mapping

BASE = "/api/v1"


class Caller:
    """A client of the API: a browser session, a machine with a key, or nobody."""

    def __init__(self, user: Any = None, *scopes: str) -> None:
        self.client = Client(raise_request_exception=True)
        self.user = user
        self.headers: dict[str, str] = {}
        if scopes:
            end = timezone.now() + timedelta(days=1)
            self.key, text = machines.issue(user, "a machine", scopes, end, by=SYSTEM)
            self.headers["Authorization"] = f"Bearer {text}"
        elif user is not None:
            self.client.force_login(user)

    def get(self, path: str, **query: Any) -> Any:
        """A GET with query parameters."""
        return self.client.get(BASE + path, query, headers=self.headers)

    def post(self, path: str, body: Any = None, *, key: str | None = None, **headers: str) -> Any:
        """A POST with a JSON body and an Idempotency-Key of its own unless one is given."""
        sent = {**self.headers, "Idempotency-Key": key or str(uuid4()), **headers}
        data = "" if body is None else json.dumps(body)
        return self.client.post(BASE + path, data, content_type="application/json", headers=sent)

    def post_raw(self, path: str, data: bytes, content_type: str = "application/json", **headers: str) -> Any:
        """A POST of these very bytes."""
        sent = {**self.headers, "Idempotency-Key": str(uuid4()), **headers}
        return self.client.post(BASE + path, data, content_type=content_type, headers=sent)


def user(*permissions: str, facility: str = "*", role: str = "", name: str = "") -> Any:
    """An account with these permissions or this role, and one facility ("" for none)."""
    made = get_user_model().objects.create_user(name or f"user-{uuid4().hex[:8]}")
    if facility:
        FacilityGrant.objects.create(user=made, facility=facility)
    for permission in permissions:
        app, _, codename = permission.partition(".")
        made.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    if role:
        made.groups.add(Group.objects.get(name=role))
    return made


def endpoint(facility: str = "", direction: str = "in") -> Endpoint:
    """A door of its own for this facility, of one shared partner."""
    partner = Partner.objects.get_or_create(code="carebill", defaults={"name": "Carebill", "kind": "billing"})[0]
    inbound = direction == "in"
    return Endpoint.objects.get_or_create(
        code=f"{direction}-{facility.lower() or 'all'}",
        defaults={
            "partner": partner,
            "name": f"{direction} {facility}",
            "direction": direction,
            "format": "hl7v2" if inbound else "rest_ledger",
            "transport": "mllp" if inbound else "http",
            "facility": facility,
        },
    )[0]


def message(facility: str = "", status: str = "stopped", at: datetime | None = None, **fields: Any) -> Message:
    """A stored message of this facility's door, with its key row."""
    id_ = ids.uuid7() if at is None else UUID(int=ids.floor(at).int | (uuid4().int & (1 << 74) - 1))
    values: dict[str, Any] = {
        "id": id_, "endpoint": endpoint(facility), "received_at": ids.moment(id_), "sender": "CAREBILL|X",
        "control_id": f"C{id_.hex[-12:]}", "kind": "DFT^P03", "key": "ACC1", "lane": 3, "status": status, "attempts": 1,
        "correlation_id": id_, "sha256": b"\x01" * 32, "raw": b"MSH|^~\\&|SECRET^ZZCANARY\r", "parts": 1,
    }  # fmt: skip
    made = Message.objects.create(**values | fields)
    MessageKey.objects.create(
        endpoint_id=made.endpoint_id, sender=made.sender, control_id=made.control_id, variant="", message_id=made.pk,
        sha256=made.sha256, answer="AA",
    )  # fmt: skip
    return made


def charge(facility: str = "RIVER", status: str = "captured", **fields: Any) -> Charge:
    """A charge line."""
    held = {"hold_code": "MAP_MISSING"} if status == "held" else {}
    values: dict[str, Any] = {
        "message_id": ids.uuid7(), "part": 0, "partner": "carebill", "correlation_id": ids.uuid7(),
        "line_key": uuid4().hex, "kind": "charge", "status": status, "account": "ACC1", "facility": facility,
        "cost_center": "CC-1", "charge_code": "STENT", "quantity": Decimal(2), "amount": Decimal("12.3400"),
        "currency": "USD", "service_date": date(2026, 11, 20), "posting_date": date(2026, 11, 20),
        "captured_at": timezone.now(),
    }  # fmt: skip
    return Charge.objects.create(**values | held | fields)


def journal(facility: str = "RIVER", lines: int = 2, **fields: Any) -> Journal:
    """A journal with one allocation of one charge: half of the lines debit, half credit."""
    made = Journal.objects.create(**{
        "endpoint": endpoint("", "out"), "facility": facility, "currency": "USD", "posting_date": date(2026, 11, 20),
        "lines": lines, "total": Decimal("5.0000") * (lines // 2), "status": "posting", "created_at": timezone.now(),
    } | fields)  # fmt: skip
    allocation = Allocation.objects.create(
        fact_id=ids.uuid7(), account="ACC1", facility=facility, currency="USD", posting_date=made.posting_date,
        total=made.total, journal_id=made.pk, drafted_at=timezone.now(),
    )  # fmt: skip
    charge_id = ids.uuid7()
    for leg in range(lines):
        debit = Decimal(5) if leg % 2 == 0 else Decimal(0)
        JournalLine.objects.create(
            charge_id=charge_id, leg=leg, allocation_id=allocation.pk, account="6210", cost_center="CC-1", debit=debit,
            credit=Decimal(5) - debit, quantity=1, basis="standard",
        )  # fmt: skip
    return made


def fact(source: Message | None = None, **fields: Any) -> Fact:
    """A fact that a message caused."""
    values: dict[str, Any] = {
        "name": "charge.captured/1", "key": "ACC1", "payload": {}, "published_at": timezone.now(),
        "message_id": source.pk if source else None,
        "correlation_id": source.correlation_id if source else ids.uuid7(),
    }  # fmt: skip
    return Fact.objects.create(**values | fields)


def delivery(facility: str = "", status: str = "stopped", **fields: Any) -> Delivery:
    """A delivery to this facility's outbound endpoint."""
    values: dict[str, Any] = {
        "fact_id": ids.uuid7(), "route": "erp.post", "endpoint": endpoint(facility, "out"), "key": "ACC1", "lane": 3,
        "status": status,
    }  # fmt: skip
    return Delivery.objects.create(**values | fields)


def dispatch(facility: str = "", status: str = "in_doubt", **fields: Any) -> Dispatch:
    """A call to this facility's outbound endpoint."""
    settled = timezone.now() if status in {"delivered", "rejected"} else None
    values: dict[str, Any] = {
        "route": "erp.post", "endpoint": endpoint(facility, "out"), "lane": 3, "status": status, "deliveries": 1,
        "weight": 2, "due_at": timezone.now(), "created_at": timezone.now(), "settled_at": settled,
    }  # fmt: skip
    return Dispatch.objects.create(**values | fields)


def case(facility: str = "RIVER", waiting: int = 0, **fields: Any) -> ExceptionCase:
    """An open case for which so many documents of 10.50 USD wait, two of each message."""
    made = ExceptionCase.objects.create(**{
        "code": "MAP_MISSING", "subject": f"mapping:{uuid4()}", "title": "A code is missing", "owner": "finance",
        "facility": facility, "opened_at": timezone.now(), "last_seen_at": timezone.now(),
    } | fields)  # fmt: skip
    waits = []
    for number in range(waiting):
        if number % 2 == 0:
            held = message(facility, "held")
        held_for = {"message_id": held.pk, "part": number % 2, "key": "ACC1", "label": "a charge"}
        waits.append(Waiting(case=made, amount=Decimal("10.50"), currency="USD", since=timezone.now(), **held_for))
    Waiting.objects.bulk_create(waits)
    return made


def overdue(facility: str = "RIVER", **fields: Any) -> Overdue:
    """A step of a journey that is late at this facility."""
    return Overdue.objects.create(**{
        "step": "charge_to_cost.journal_posted", "subject_id": ids.uuid7(), "key": "ACC1", "facility": facility,
        "amount": Decimal("10.50"), "since": timezone.now() - timedelta(hours=5), "late_at": timezone.now(),
    } | fields)  # fmt: skip


def mapping(facility: str = "", proposer: Any = None, **fields: Any) -> Mapping:
    """A proposal that says what a department's code means."""
    return Mapping.objects.create(**{
        "partner": endpoint().partner, "domain": "department", "facility": facility,
        "source_code": f"W{uuid4().hex[:8]}", "target_code": "R110", "proposed_by": proposer or user(),
    } | fields)  # fmt: skip


def replay(facility: str = "", status: str = "planned", **fields: Any) -> Replay:
    """A planned replay of one stopped message of this facility."""
    finished = timezone.now() if status in {"done", "cancelled"} else None
    made = Replay.objects.create(**{
        "kind": "messages", "filters": {"status": "stopped"}, "limit": 10, "reason": "a reason", "status": status,
        "facilities": [facility], "planned_by": user(), "planned_at": timezone.now(), "finished_at": finished,
        "count": 1, "needs_approval": status == "waiting_approval",
    } | fields)  # fmt: skip
    ReplayItem.objects.create(replay=made, position=1, subject_id=message(facility).pk)
    return made
