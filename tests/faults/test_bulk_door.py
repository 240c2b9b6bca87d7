"""A thousand messages in one body, one of them bad: each has its own result, and sending all again is safe (F-R4)."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from billing.models import Charge
from hub import access, inbox, machines, pipeline, views
from hub.models import Endpoint, FacilityGrant, Message
from tests.world import dft, ft1

SIZE, BAD = 1000, 617
BODY = [dft(f"M{n}", f"A{n % 50}", ft1(f"T{n}", "STENT", "1", "2000")) for n in range(SIZE)]
BODY[BAD] = BODY[BAD].replace(b"|P|2.5.1", b"|T|2.5.1")  # a test message at a production door


@pytest.fixture
def header(network: Endpoint, monkeypatch: pytest.MonkeyPatch) -> str:
    """The billing door speaks HTTP; the header of a machine that may post to it."""
    Endpoint.objects.filter(pk=network.pk).update(transport="http")
    monkeypatch.setattr(views._backlog, "full", frozenset())
    monkeypatch.setattr(views._backlog, "next_at", float("-inf"))
    user = User.objects.create_user("machine")
    user.user_permissions.add(Permission.objects.get(codename="post_inbound"))
    FacilityGrant.objects.create(user=user, facility="RIVER")
    end = timezone.now() + timedelta(days=1)
    return f"Bearer {machines.issue(user, 'CareBill', ['in.*'], end, by=access.SYSTEM)[1]}"


def post(bodies: list[bytes], header: str) -> tuple[int, bytes, list[tuple[str, str]]]:
    """Status, body, and (code, control id) of every acknowledgement in it."""
    answer = Client().post(
        "/in/carebill-river", b"".join(bodies), content_type="application/octet-stream",
        headers={"Authorization": header},
    )  # fmt: skip
    told = [line.split("|")[1:3] for line in answer.content.decode().split("\r") if line.startswith("MSA|")]
    return answer.status_code, answer.content, [(code, name) for code, name in told]


def wanted() -> list[tuple[str, str]]:
    """One result for each message, in order."""
    return [("AR" if n == BAD else "AA", f"M{n}") for n in range(SIZE)]


def test_F_R4_each_of_a_thousand_has_its_own_result_and_sending_all_again_adds_nothing(header: str) -> None:
    """999 are stored and acknowledged, one is refused and kept as evidence; the retry gets the same bytes."""
    status, first, told = post(BODY, header)
    assert (status, told) == (422, wanted())
    assert post(BODY, header)[:2] == (422, first)
    assert Message.objects.filter(status="received").count() == SIZE - 1
    assert list(Message.objects.filter(status="refused").values_list("control_id", "problem_code")) == [
        (f"M{BAD}", "IF_PROCESSING_ID")
    ]
    pipeline.drain()
    assert Charge.objects.count() == SIZE - 1


def test_F_R4_the_corrected_one_goes_in_alone_or_with_all_the_others(header: str) -> None:
    """Its sender may correct it under the same control id; the other 999 are recognised."""
    post(BODY, header)
    mended = [*BODY[:BAD], BODY[BAD].replace(b"|T|2.5.1", b"|P|2.5.1"), *BODY[BAD + 1 :]]
    status, _, told = post(mended, header)
    assert (status, told) == (200, [("AA", f"M{n}") for n in range(SIZE)])
    pipeline.drain()
    assert Charge.objects.count() == SIZE
    assert Message.objects.count() == SIZE + 1


@pytest.mark.parametrize("moment", ["before", "after"])
def test_F_R4_a_database_that_goes_in_the_middle_of_the_body_acknowledges_nothing_and_loses_nothing(
    header: str, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """503 without any acknowledgement, whatever was stored by then; the retry has a result for every message."""
    real = inbox._settle

    def away(*args: object) -> None:
        if moment == "after":
            real(*args)  # type: ignore[arg-type]
        raise OperationalError("gone")

    monkeypatch.setattr(inbox, "_settle", away)
    monkeypatch.setattr(views.connection, "close", lambda: None)  # it is the test's own
    status, _, told = post(BODY, header)
    assert (status, told) == (503, [])
    monkeypatch.undo()
    monkeypatch.setattr(views._backlog, "full", frozenset())
    status, _, told = post(BODY, header)
    assert (status, told) == (422, wanted())
    assert Message.objects.count() == SIZE
    pipeline.drain()
    assert Charge.objects.count() == SIZE - 1
