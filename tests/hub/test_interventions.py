"""What people do to stopped documents: order per key is kept, and only the stop that was meant is lifted."""

import pytest
from django.conf import LazySettings

from hub import access, interventions, tasks
from hub.errors import NotAllowed, Refused
from hub.models import AuditEntry, Endpoint, ExceptionCase, Message
from tests import world
from tests.world import dft, ft1

pytestmark = pytest.mark.django_db
BAD = "FT1|1|T0||not a day||CG|STENT|||1|2000"


@pytest.fixture(autouse=True)
def door(db: None, settings: LazySettings) -> Endpoint:
    """The small network."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    world.masters()
    made = world.billing()
    tasks.ensure_lanes()
    return made


def statuses() -> dict[str, str]:
    """Message status by control id."""
    return dict(Message.objects.order_by("id").values_list("control_id", "status"))


def one(control_id: str) -> Message:
    """The message of this control id."""
    return Message.objects.get(control_id=control_id)


@pytest.fixture
def stopped() -> None:
    """A message that cannot be read, two behind it, and one of another account."""
    world.receive(
        dft("M0", "A1", BAD), dft("M1", "A1", ft1("T1", "STENT", "1", "2000")),
        dft("M2", "A1", ft1("T2", "STENT", "1", "2000")), dft("M3", "A2", ft1("T3", "STENT", "1", "2000")),
    )  # fmt: skip
    world.run_until_quiet()
    assert statuses() == {"M0": "stopped", "M1": "blocked", "M2": "blocked", "M3": "applied"}


@pytest.mark.usefixtures("stopped")
def test_waiving_the_stopped_one_lets_those_behind_it_go_in_their_order() -> None:
    """With a reason that is kept; the case is waived with it."""
    interventions.waive_message(one("M0"), reason="sent by mistake", by=access.SYSTEM)
    world.run_until_quiet()
    assert statuses() == {"M0": "waived", "M1": "applied", "M2": "applied", "M3": "applied"}
    assert ExceptionCase.objects.get().status == "waived"
    assert AuditEntry.objects.get(verb="messages.waive").reason == "sent by mistake"


@pytest.mark.usefixtures("stopped")
def test_retrying_what_is_still_wrong_stops_it_again_with_those_behind_it() -> None:
    """Nothing slips past it: the key is stopped anew under a new case."""
    interventions.retry_message(one("M0"), by=access.SYSTEM)
    world.run_until_quiet()
    assert statuses() == {"M0": "stopped", "M1": "blocked", "M2": "blocked", "M3": "applied"}
    assert sorted(ExceptionCase.objects.values_list("status", flat=True)) == ["open", "resolved"]


@pytest.mark.usefixtures("stopped")
def test_retrying_a_refused_message_does_not_lift_the_stop_of_another() -> None:
    """It has the account of a stopped one: it queues up behind it instead of letting everybody past."""
    Message.objects.filter(control_id="M3").update(status="refused", key="A1", lane=one("M0").lane)
    interventions.retry_message(one("M3"), by=access.SYSTEM)
    world.run_until_quiet()
    assert statuses() == {"M0": "stopped", "M1": "blocked", "M2": "blocked", "M3": "blocked"}


@pytest.mark.usefixtures("stopped")
def test_waiving_needs_a_reason_and_verbs_need_a_permission() -> None:
    """On a refusal nothing has moved."""
    with pytest.raises(Refused, match="reason"):
        interventions.waive_message(one("M0"), reason=" ", by=access.SYSTEM)
    nobody = access.person(world.user("nobody"))
    for verb in (interventions.retry_message, interventions.waive_message):
        with pytest.raises(NotAllowed):
            verb(one("M0"), by=nobody, **({"reason": "r"} if verb is interventions.waive_message else {}))
    assert statuses()["M0"] == "stopped"
    assert ExceptionCase.objects.get().status == "open"


@pytest.mark.usefixtures("stopped")
def test_what_is_not_stopped_can_be_neither_retried_nor_waived() -> None:
    """The stored status decides, and the text says which it is."""
    for control_id in ("M1", "M3"):
        with pytest.raises(Refused, match=r"message is (blocked|applied)"):
            interventions.waive_message(one(control_id), reason="r", by=access.SYSTEM)


def test_a_paused_endpoint_is_stored_from_and_not_read_until_it_goes_on(door: Endpoint) -> None:
    """What arrives meanwhile is acknowledged and waits in its order."""
    interventions.pause_endpoint(door, reason="month end", by=access.SYSTEM)
    assert world.receive(dft("M1", "A1", ft1("T1", "STENT", "1", "2000"))) == ["AA"]
    world.run_until_quiet()
    assert statuses() == {"M1": "received"}
    interventions.resume_endpoint(door, by=access.SYSTEM)
    world.run_until_quiet()
    assert statuses() == {"M1": "applied"}
