"""Edit and resubmit: the original stays as it came, the copy takes its place, and both say so."""

import hashlib
import json

import pytest
from django.conf import LazySettings

from billing.models import Charge
from hub import access, bodies, resubmission, tasks, verification
from hub.errors import NotAllowed, Refused
from hub.models import AuditEntry, Endpoint, ExceptionCase, Message, Resubmission, Stop
from tests import world
from tests.world import dft, ft1

pytestmark = pytest.mark.django_db
BAD = ft1("T0", "STENT", "1", "2000", service="not a day")
GOOD = ft1("T0", "STENT", "1", "2000")
WRONG, RIGHT = dft("M0", "A1", BAD), dft("M0", "A1", GOOD)
WHY = "the day of service was no day"


@pytest.fixture(autouse=True)
def door(db: None, settings: LazySettings) -> Endpoint:
    """The small network, with a message that cannot be read and two behind it."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    world.masters()
    made = world.billing()
    made.allowed_peers = "10.9.9.9"  # the sender's address: staff are not asked for theirs
    made.save()
    tasks.ensure_lanes()
    later = (dft("M1", "A1", ft1("T1", "STENT", "1", "2000")), dft("M2", "A1", ft1("T2", "BALLOON", "1", "310")))
    Endpoint.objects.update(allowed_peers="")
    world.receive(WRONG, *later)
    Endpoint.objects.update(allowed_peers="10.9.9.9")
    world.run_until_quiet()
    assert statuses() == ["stopped", "blocked", "blocked"]
    return made


def statuses() -> list[str]:
    """The statuses in the order of ids."""
    return list(Message.objects.order_by("id").values_list("status", flat=True))


def original() -> Message:
    """The message that stopped, or was replaced."""
    return Message.objects.select_related("endpoint__partner").order_by("id")[0]


def test_the_copy_takes_the_originals_place_and_those_behind_it_follow() -> None:
    """Original replaced, copy and the blocked ones applied in their order, the case closed, the stop lifted."""
    first = original()
    copy = resubmission.resubmit(first, raw=RIGHT, reason=WHY, by=access.SYSTEM)
    assert statuses() == ["replaced", "received", "received", "received"]
    assert list(Message.objects.order_by("id"))[1] == copy
    world.run_until_quiet()
    assert statuses() == ["replaced", "applied", "applied", "applied"]
    ordered = Charge.objects.order_by("id").values_list("message_id", flat=True)
    assert list(ordered) == list(Message.objects.order_by("id").values_list("id", flat=True))[1:]
    assert ExceptionCase.objects.get().status == "resolved"
    assert not Stop.objects.exists()


def test_an_edited_message_breaks_no_invariant() -> None:
    """Original and copy share a control id with different bytes, and the nightly look knows why."""
    resubmission.resubmit(original(), raw=RIGHT, reason=WHY, by=access.SYSTEM)
    world.run_until_quiet()
    found = verification.run(verification.Span(verification.OLDEST, verification.OLDEST))
    assert [(one.check.name, one.violations) for one in found if one.state not in {"ok", "nothing"}] == []


def test_the_original_keeps_its_bytes_and_both_are_linked() -> None:
    """What came is what is kept; each finds the other; key and control id are the same."""
    copy = resubmission.resubmit(original(), raw=RIGHT, reason=WHY, by=access.SYSTEM)
    first = original()
    assert (bodies.of(first), bodies.of(copy)) == (WRONG, RIGHT)
    assert bytes(copy.sha256) == hashlib.sha256(RIGHT).digest()
    assert (copy.key, copy.control_id, copy.lane) == (first.key, first.control_id, first.lane)
    assert (copy.correlation_id, copy.notes) == (first.correlation_id, ["edited_copy"])
    assert resubmission.links(first) == (None, copy.pk)
    assert resubmission.links(copy) == (first.pk, None)


def test_the_audit_tells_sizes_and_hashes_and_never_the_content() -> None:
    """Who, why, what changed: in figures."""
    copy = resubmission.resubmit(original(), raw=RIGHT, reason=WHY, by=access.SYSTEM)
    entry = AuditEntry.objects.get(verb="messages.resubmit")
    assert (entry.subject_id, entry.reason, entry.detail["copy"]) == (str(original().pk), WHY, str(copy.pk))
    assert entry.detail["before"] == {"bytes": len(WRONG), "sha256": hashlib.sha256(WRONG).hexdigest()}
    assert entry.detail["after"] == {"bytes": len(RIGHT), "sha256": hashlib.sha256(RIGHT).hexdigest()}
    assert "ZZCANARY" not in json.dumps(entry.detail)


def test_a_copy_that_stops_again_can_be_edited_again() -> None:
    """A chain of three; the last one is applied before those that waited behind the first."""
    second = resubmission.resubmit(original(), raw=WRONG.replace(b"not a day", b"no day"), reason=WHY, by=access.SYSTEM)
    world.run_until_quiet()
    assert statuses() == ["replaced", "stopped", "blocked", "blocked"]
    resubmission.resubmit(Message.objects.get(pk=second.pk), raw=RIGHT, reason=WHY, by=access.SYSTEM)
    world.run_until_quiet()
    assert statuses() == ["replaced", "replaced", "applied", "applied", "applied"]
    assert Resubmission.objects.count() == 2


def test_the_senders_own_correction_is_recognised_and_answered() -> None:
    """The same bytes by the door: AA, and no second charge."""
    resubmission.resubmit(original(), raw=RIGHT, reason=WHY, by=access.SYSTEM)
    Endpoint.objects.update(allowed_peers="")
    assert world.receive(RIGHT) == ["AA"]
    world.run_until_quiet()
    assert statuses() == ["replaced", "applied", "applied", "applied"]
    assert Charge.objects.count() == 3


REFUSED = (
    (WRONG, WHY, "RESUBMIT_SAME"),
    (RIGHT, " ", "RESUBMIT_REASON"),
    (dft("M0", "A2", GOOD), WHY, "RESUBMIT_KEY"),
    (b"no message at all", WHY, "RESUBMIT_DOOR"),
    (b"", WHY, "RESUBMIT_DOOR"),
    (RIGHT + dft("M9", "A1", GOOD), WHY, "RESUBMIT_DOOR"),
    (RIGHT.replace(b"CAREBILL|RIVER", b"OTHER|RIVER"), WHY, "RESUBMIT_DOOR"),
    (RIGHT.replace(b"|P|2.5.1", b"|T|2.5.1"), WHY, "RESUBMIT_DOOR"),
    (RIGHT.replace(b"DFT^P03^DFT_P03", b"ORU^R01^ORU_R01"), WHY, "RESUBMIT_DOOR"),
)


@pytest.mark.parametrize(("raw", "reason", "code"), REFUSED, ids=range(len(REFUSED)))
def test_what_its_door_would_not_take_is_refused_and_nothing_moves(raw: bytes, reason: str, code: str) -> None:
    """Same rules as for the sender, same account, exactly one message, something changed, a reason."""
    with pytest.raises(Refused) as refusal:
        resubmission.resubmit(original(), raw=raw, reason=reason, by=access.SYSTEM)
    assert refusal.value.code == code
    assert statuses() == ["stopped", "blocked", "blocked"]
    assert not Resubmission.objects.exists()


def test_only_a_stopped_message_is_edited_and_only_by_whoever_may() -> None:
    """An applied one stands; retrying is another permission than editing."""
    retrier = access.person(world.user("retrier", "hub.retry_message"))
    with pytest.raises(NotAllowed):
        resubmission.resubmit(original(), raw=RIGHT, reason=WHY, by=retrier)
    stranger = access.person(world.user("stranger", "hub.edit_message", facility="NORTH"))
    with pytest.raises(NotAllowed):
        resubmission.resubmit(original(), raw=RIGHT, reason=WHY, by=stranger)
    resubmission.resubmit(original(), raw=RIGHT, reason=WHY, by=access.SYSTEM)
    other = RIGHT.replace(b"2000", b"2001")
    for message in Message.objects.select_related("endpoint__partner").exclude(status="blocked"):
        with pytest.raises(Refused, match="message is"):
            resubmission.resubmit(message, raw=other, reason=WHY, by=access.SYSTEM)
    assert Message.objects.count() == 4
