"""Alerts: a condition begins once, is told once, ends once, and that is told too; whatever the mail server does."""

import itertools
from collections.abc import Callable
from datetime import UTC, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.core.exceptions import ValidationError
from django.core.mail.backends.locmem import EmailBackend
from django.utils import timezone

from hub import bulk, ids, tasks
from hub.alerts import notices, sensors
from hub.alerts.watch import watch
from hub.models import AlertEpisode, AlertRule, Breaker, Delivery, Dispatch, Endpoint, ExceptionCase, FeedState, Message
from tests import world
from tests.world import dft, ft1

pytestmark = pytest.mark.django_db
NOW = timezone.now()


@pytest.fixture
def door() -> Endpoint:
    """A feed's door into the small network, watched by nobody yet."""
    world.masters()
    tasks.ensure_lanes()
    AlertRule.objects.all().update(active=False)
    return world.billing()


def rule(kind: str, **changes: Any) -> AlertRule:
    """A rule that writes to one person."""
    said = {"name": f"our {kind}", "kind": kind, "mail_to": "ines@hospital.example", "owner": "integration"}
    return AlertRule.objects.create(**{**said, **changes})


def subjects(mailoutbox: list[Any]) -> list[str]:
    """What was written so far."""
    return [mail.subject for mail in mailoutbox]


def test_a_silent_feed_is_told_once_and_its_return_once(door: Endpoint, mailoutbox: list[Any]) -> None:
    """Two hours of silence are one message and one case; the first message after them is the other one."""
    rule("silent_feed")
    watch(NOW)
    assert subjects(mailoutbox) == []
    for minutes in (30, 61, 62, 90, 120):
        watch(NOW + timedelta(minutes=minutes))
    assert subjects(mailoutbox) == [f"[Throughline] our silent_feed: {door.code}"]
    assert "has sent nothing for 1 h" in mailoutbox[0].body
    case = ExceptionCase.objects.get(code="ALERT")
    assert (case.status, case.owner, case.facility) == ("open", "integration", door.facility)

    world.receive(dft("M1", "A1", ft1("T1", "STENT")))
    heard = timezone.now()
    Message.objects.update(received_at=heard)
    FeedState.objects.update(last_at=heard - timedelta(minutes=61))
    for seconds in (1, 2, 3):
        watch(heard + timedelta(seconds=seconds))
    assert subjects(mailoutbox)[1:] == [f"[Throughline] Over: our silent_feed: {door.code}"]
    case.refresh_from_db()
    assert case.status == "resolved"
    assert AlertEpisode.objects.count() == 1


def test_a_feed_that_is_paused_or_endlessly_patient_is_not_silent(door: Endpoint) -> None:
    """Staff know that it is quiet."""
    quiet_rule = rule("silent_feed")
    watch(NOW)
    later = NOW + timedelta(days=2)
    Endpoint.objects.filter(pk=door.pk).update(paused=True)
    assert sensors.readings(quiet_rule, later) == []
    Endpoint.objects.filter(pk=door.pk).update(paused=False, silent_after_minutes=0)
    assert sensors.readings(quiet_rule, later) == []


def old_delivery(door: Endpoint) -> None:
    """A refusal of three days ago that nobody decided about."""
    fact = ids.uuid7()
    bulk.run(
        "INSERT INTO hub_fact (id, name, key, payload, correlation_id, published_at)"
        " VALUES (%s, 'x/1', 'k', '{}', %s, %s)",
        [fact, fact, NOW - timedelta(days=3)],
    )
    Delivery.objects.create(id=ids.uuid7(), fact_id=fact, route="a.route", key="k", lane=0, status="stopped")


def old_call(door: Endpoint) -> None:
    """A call that its partner does not settle."""
    Dispatch.objects.create(
        id=ids.uuid7(), route="a.route", endpoint=door, lane=0, status="waiting", deliveries=1, weight=1, attempts=3,
        due_at=NOW, created_at=NOW - timedelta(hours=3),
    )  # fmt: skip


def open_circuit(door: Endpoint) -> None:
    """Nobody has called it for an hour."""
    past = NOW - timedelta(hours=1)
    Breaker.objects.create(endpoint=door, status="open", failures=5, opened_at=past, probe_at=NOW, text="no answer")


def many_errors(door: Endpoint) -> None:
    """Three of twenty messages stop."""
    world.receive(*[dft(f"M{n}", f"A{n}", ft1(f"T{n}", "STENT")) for n in range(20)])
    Message.objects.filter(control_id__in=["M1", "M2", "M3"]).update(status="stopped")


def old_message(door: Endpoint) -> None:
    """A message that nobody reads."""
    world.receive(dft("M1", "A1", ft1("T1", "STENT")))
    Message.objects.update(received_at=NOW - timedelta(minutes=10))


def stuck_lane(door: Endpoint) -> None:
    """A worker that does not come back."""
    bulk.run(
        "UPDATE hub_lane SET token = gen_random_uuid(), leased_until = clock_timestamp() - interval '1 hour'"
        " WHERE queue = 'inbox' AND number = 3"
    )


def old_case(door: Endpoint) -> None:
    """A defect that nobody has taken."""
    ExceptionCase.objects.create(
        code="BUG", subject="x", title="A defect", severity=2, owner="integration", opened_at=NOW - timedelta(days=1),
        last_seen_at=NOW,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "cause", "threshold", "about"),
    [
        ("oldest_delivery", old_delivery, None, "a.route"),
        ("oldest_call", old_call, None, "carebill"),
        ("circuit", open_circuit, None, "carebill"),
        ("error_share", many_errors, None, "carebill"),
        ("oldest_message", old_message, None, "inbox"),
        ("backlog", old_message, 0, "carebill"),
        ("stuck_lane", stuck_lane, None, "inbox:3"),
        ("case_age", old_case, None, "case:"),
    ],
)
def test_each_condition_is_found_and_only_above_its_threshold(
    door: Endpoint, kind: str, cause: Callable[[Endpoint], None], threshold: float | None, about: str
) -> None:
    """Nothing before the cause, one subject after it, nothing where the threshold is higher than the figure."""
    looked = rule(kind, threshold=threshold)
    assert sensors.readings(looked, timezone.now()) == []
    cause(door)
    (found,) = sensors.readings(looked, timezone.now())
    assert found.subject.startswith(door.code if about == "carebill" else about)
    assert found.value > (sensors.SENSORS[kind].usual if threshold is None else threshold)
    looked.threshold = found.value + 1000
    assert sensors.readings(looked, timezone.now()) == []


def certificate(folder: Path, days: int) -> Path:
    """A self-signed certificate that ends so many days from now."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hub")])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(7)
        .not_valid_before(NOW.astimezone(UTC) - timedelta(days=1))
        .not_valid_after(NOW.astimezone(UTC) + timedelta(days=days)).sign(key, hashes.SHA256())
    )  # fmt: skip
    path = folder / f"{days}.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return path


def test_a_certificate_is_told_before_it_runs_out(door: Endpoint, tmp_path: Path, settings: Any) -> None:
    """Thirty days before, and at once where the file cannot be read; a fresh one is not told."""
    looked = rule("certificate")
    settings.MLLP_TLS = {"certificate": str(certificate(tmp_path, 300))}
    assert sensors.readings(looked, NOW) == []
    soon = certificate(tmp_path, 12)
    Endpoint.objects.filter(pk=door.pk).update(settings={"tls": {"certificate": str(soon)}})
    assert [reading.subject for reading in sensors.readings(looked, NOW)] == [str(soon)[-200:]]
    soon.write_text("not a certificate")
    assert "cannot be read" in sensors.readings(looked, NOW)[0].text


class Away(EmailBackend):
    """A mail server that is away the first times."""

    failures = itertools.repeat(ConnectionRefusedError)

    def send_messages(self, messages: Any) -> int:
        """Refuses as long as there are failures left."""
        failure = next(Away.failures, None)
        if failure:
            raise failure
        return int(super().send_messages(messages))


def test_what_could_not_be_told_is_told_by_a_later_look(door: Endpoint, mailoutbox: list[Any], settings: Any) -> None:
    """The mail server is away three times: the episode says so, nothing is lost, and it is told once in the end."""
    settings.EMAIL_BACKEND = f"{__name__}.Away"
    Away.failures = iter([ConnectionRefusedError] * 3)
    rule("oldest_call")
    old_call(door)
    watch(NOW)
    assert AlertEpisode.objects.get().problem.startswith("Not told yet: ConnectionRefusedError")
    for seconds in range(1, 6):
        watch(NOW + timedelta(seconds=seconds))
    episode = AlertEpisode.objects.get()
    assert (len(mailoutbox), episode.problem) == (1, "")
    assert episode.began_told_at is not None


def test_in_quiet_hours_only_what_is_urgent_is_told(door: Endpoint, mailoutbox: list[Any]) -> None:
    """What began and was over in the night is one message in the morning."""
    night = timezone.localtime(NOW).replace(hour=23, minute=30)
    hours = {"quiet_from": time(22), "quiet_to": time(6)}
    rule("oldest_call", **hours)
    rule("stuck_lane", urgent=True, **hours)
    old_call(door)
    Dispatch.objects.update(created_at=night - timedelta(hours=3))
    stuck_lane(door)
    watch(night)
    assert subjects(mailoutbox) == ["[Throughline] our stuck_lane: inbox:3"]
    Dispatch.objects.update(status="delivered", settled_at=NOW)
    watch(night + timedelta(hours=1))
    assert len(mailoutbox) == 1
    watch(night + timedelta(hours=7))
    assert subjects(mailoutbox)[1:] == [f"[Throughline] Over: our oldest_call: {door.code}"]
    assert AlertEpisode.objects.filter(ended_told_at=None, ended_at__isnull=False).count() == 0


def test_what_begins_together_is_one_message(door: Endpoint, mailoutbox: list[Any]) -> None:
    """A person gets one mail for two alerts, and another one only when something changes."""
    rule("oldest_call")
    rule("oldest_delivery")
    old_call(door)
    old_delivery(door)
    watch(NOW)
    watch(NOW + timedelta(seconds=30))
    assert subjects(mailoutbox) == ["[Throughline] 2 alerts"]


def test_a_rule_that_is_switched_off_ends_what_it_found(door: Endpoint) -> None:
    """Its case closes, too."""
    looked = rule("oldest_call")
    old_call(door)
    watch(NOW)
    AlertRule.objects.filter(pk=looked.pk).update(active=False)
    watch(NOW + timedelta(seconds=30))
    assert AlertEpisode.objects.get().ended_at is not None
    assert ExceptionCase.objects.get(code="ALERT").status == "resolved"


def test_one_rule_that_cannot_be_looked_at_does_not_blind_the_others(
    door: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its query fails; the next rule is looked at all the same."""
    rule("backlog")
    rule("oldest_call")
    broken = sensors.Sensor("", 0, lambda *_: bulk.fetch("SELECT 1 FROM nowhere"), "")
    monkeypatch.setattr(sensors, "SENSORS", {**sensors.SENSORS, "backlog": broken})
    old_call(door)
    watch(NOW)
    assert AlertEpisode.objects.get().rule.kind == "oldest_call"


@pytest.mark.parametrize(
    ("at", "begins", "ends", "is_quiet"),
    [
        (time(23), time(22), time(6), True),
        (time(5, 59), time(22), time(6), True),
        (time(6), time(22), time(6), False),
        (time(12), time(22), time(6), False),
        (time(13), time(12), time(14), True),
        (time(14), time(12), time(14), False),
        (time(3), None, None, False),
        (time(3), time(3), time(3), False),
    ],
)
def test_quiet_hours(at: time, begins: time | None, ends: time | None, is_quiet: bool) -> None:
    """They may go over midnight; their end does not belong to them."""
    assert notices.quiet(at, begins, ends) is is_quiet


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"mail_to": "ines@hospital.example\nnobody"}, "mail_to"), ({"quiet_from": time(22)}, "quiet_to")],
)
def test_a_rule_that_could_tell_nobody_is_refused_at_its_field(changes: dict[str, Any], field: str) -> None:
    """The person who sets it up sees what is wrong, where."""
    with pytest.raises(ValidationError) as refused:
        AlertRule(name="x", kind="backlog", **changes).full_clean()
    assert field in refused.value.message_dict


def test_a_fresh_install_watches_and_writes_to_nobody() -> None:
    """Every usual rule has an owner who gets a case; no address is made up."""
    usual = AlertRule.objects.all()
    assert usual.count() == 7
    assert all(each.owner and not each.mail_to and each.active for each in usual)
    assert {kind for kind, _ in AlertRule._meta.get_field("kind").choices} == set(sensors.SENSORS)
