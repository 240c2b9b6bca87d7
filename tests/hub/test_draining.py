"""Draining: an endpoint takes nothing new, what is open comes to its end, and then it says that it is drained."""

from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.utils import timezone

from hub import access, arrivals, doors, draining, pipeline, tasks
from hub.alerts import sensors
from hub.backlog import Backlog
from hub.errors import NotAllowed, Refused
from hub.listener.limits import Limits
from hub.listener.writer import Job, Writer
from hub.models import AlertRule, AuditEntry, Endpoint, Message
from tests import world
from tests.world import dft, ft1

pytestmark = pytest.mark.django_db
WHY = "the partner moves tonight"
ONE = dft("M1", "A1", ft1("T1", "STENT", "1", "2000"))
TWO = dft("M2", "A1", ft1("T2", "STENT", "1", "2000"))


@pytest.fixture
def door(settings: LazySettings) -> Endpoint:
    """The small network."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    world.masters()
    made = world.billing()
    tasks.ensure_lanes()
    return made


def long_ago(endpoint: Endpoint) -> Endpoint:
    """It was told to drain some minutes ago: every listener has heard of it."""
    Endpoint.objects.filter(pk=endpoint.pk).update(draining_since=timezone.now() - timedelta(minutes=5))
    endpoint.refresh_from_db()
    return endpoint


def test_R_11_a_drained_door_tells_senders_to_wait_and_stores_nothing(door: Endpoint) -> None:
    """AE 207 in HL7's words, as long as it lasts; taken again, the same message is stored."""
    draining.drain(door, reason=WHY, by=access.SYSTEM)
    backlog = Backlog()
    backlog.refresh()
    assert backlog.over(door.pk)
    writer = Writer(None, Limits(), backlog)  # type: ignore[arg-type]
    (arrival,) = arrivals.look(ONE, doors.Entrance((doors.terms(door),)), doors.Peer("127.0.0.1"))
    job = Job(None, [arrival], len(ONE))  # type: ignore[arg-type]
    assert writer._store([(job, 0)]) is False
    assert b"MSA|AE|M1" in job.replies[0][0]
    assert Message.objects.count() == 0

    draining.take_again(door, by=access.SYSTEM)
    backlog.drained_at = float("-inf")
    backlog.refresh()
    assert writer._store([(job, 0)]) is True
    assert Message.objects.count() == 1


def test_what_is_stored_is_read_while_it_drains_and_then_it_is_drained(door: Endpoint) -> None:
    """The figures go down to nothing; only then, and not in the first seconds, it says drained."""
    world.receive(ONE, TWO)
    door = draining.drain(door, reason=WHY, by=access.SYSTEM)
    assert (draining.state(door), draining.left(door).open) == ("draining", 2)
    assert "2 messages will come to an end by itself" in draining.told(door)
    pipeline.drain()
    assert set(Message.objects.values_list("status", flat=True)) == {"applied"}
    assert draining.left(door) == draining.Left(0, 0, 0)
    assert draining.state(door) == "draining"  # a listener may not have heard of it yet
    assert draining.state(long_ago(door)) == "drained"
    assert "It is drained" in draining.told(door)


def test_what_waits_for_a_person_is_told_and_does_not_keep_it_from_being_drained(door: Endpoint) -> None:
    """A message that stopped has its case; draining does not wait for people."""
    world.receive(dft("BAD", "A1", ft1("T1", "STENT", "1", "2000", service="not a day")), TWO)
    pipeline.drain()
    door = long_ago(draining.drain(door, reason=WHY, by=access.SYSTEM))
    assert draining.left(door) == draining.Left(0, 0, 2)
    assert draining.state(door) == "drained"
    assert "2 messages wait for a person" in draining.told(door)


def test_a_drained_feed_is_not_told_as_silent(door: Endpoint) -> None:
    """Staff know that it takes nothing."""
    rule = AlertRule.objects.create(name="ours", kind="silent_feed")
    draining.drain(door, reason=WHY, by=access.SYSTEM)
    assert sensors.readings(rule, timezone.now() + timedelta(days=2)) == []


def test_verbs_need_the_permission_a_reason_and_the_right_state(door: Endpoint) -> None:
    """Each refusal moves nothing; what is done is audited with its reason."""
    nobody = access.person(world.user("nobody", "hub.pause_endpoint"))
    elsewhere = access.person(world.user("north", "hub.drain_endpoint", facility="NORTH"))
    for who in (nobody, elsewhere):
        with pytest.raises(NotAllowed):
            draining.drain(door, reason=WHY, by=who)
    with pytest.raises(Refused, match="CASE_REASON"):
        draining.drain(door, reason=" ", by=access.SYSTEM)
    with pytest.raises(Refused, match="STATE_MOVE"):
        draining.take_again(door, by=access.SYSTEM)
    door.refresh_from_db()
    assert door.draining_since is None
    draining.drain(door, reason=WHY, by=access.SYSTEM)
    with pytest.raises(Refused, match="STATE_MOVE"):
        draining.drain(door, reason=WHY, by=access.SYSTEM)
    draining.take_again(door, by=access.SYSTEM)
    told = AuditEntry.objects.filter(verb__startswith="endpoints.").order_by("id")
    assert list(told.values_list("verb", "reason")) == [
        ("endpoints.drain", WHY), ("endpoints.take_again", ""),
    ]  # fmt: skip
    assert draining.state(door) == ""
