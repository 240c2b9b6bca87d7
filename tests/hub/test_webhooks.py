"""Webhooks: told once, signed so that anybody can check, tried again by rows, and stopped where nobody wants them."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.utils import timezone

from hub import access, vault
from hub.alerts import posting, signing, webhooks
from hub.alerts.posting import Answer
from hub.alerts.watch import watch
from hub.errors import NotAllowed, Refused
from hub.models import (
    AlertRule,
    AuditEntry,
    Dispatch,
    Endpoint,
    ExceptionCase,
    Webhook,
    WebhookCall,
    WebhookTry,
)
from tests import world
from tests.hub.receiver import Receiver, receiver
from tests.hub.test_alerts import door, old_call, rule

__all__ = ["door"]
pytestmark = pytest.mark.django_db
NOW = timezone.now()
SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
OTHER = base64.b64encode(b"fedcba9876543210fedcba9876543210").decode()


@pytest.fixture
def there() -> Iterator[Receiver]:
    """A receiver that answers 204."""
    with receiver() as running:
        yield running


def hook(url: str) -> Webhook:
    """A webhook with a secret."""
    made = Webhook.objects.create(name="pager", url=url)
    return webhooks.set_secret(made, secret=SECRET, by=access.SYSTEM)


def begin(door: Endpoint, webhook: Webhook) -> AlertRule:
    """A call that is not settled for hours, and a rule that calls the webhook for it."""
    made = rule("oldest_call", webhook=webhook, mail_to="", owner="")
    old_call(door)
    watch(NOW)
    return made


def checked(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """The receiver's own check, written from the specification and not from our code."""
    raw = base64.b64decode(secret.removeprefix("whsec_"))
    said = headers["webhook-id"] + "." + headers["webhook-timestamp"] + "." + body.decode()
    wanted = base64.b64encode(hmac.new(raw, said.encode(), hashlib.sha256).digest()).decode()
    versions = [one.split(",", 1) for one in headers["webhook-signature"].split(" ")]
    return any(version == "v1" and hmac.compare_digest(given, wanted) for version, given in versions)


def due() -> None:
    """The time of every waiting call has come."""
    WebhookCall.objects.filter(status="waiting").update(due_at=NOW - timedelta(days=1))


def test_the_signature_is_that_of_the_specification() -> None:
    """The example that Standard Webhooks' own libraries are tested with."""
    signature = signing.sign(
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_F_H1_a_beginning_and_an_end_are_told_once_each_and_signed(door: Endpoint, there: Receiver) -> None:
    """The receiver checks them with its own code; looking again tells nothing again."""
    begin(door, hook(there.url))
    assert webhooks.drain() == 1
    watch(NOW + timedelta(seconds=30))
    assert webhooks.drain() == 0
    Dispatch.objects.update(status="delivered", settled_at=NOW)
    watch(NOW + timedelta(seconds=60))
    watch(NOW + timedelta(seconds=90))
    assert webhooks.drain() == 1
    told = [json.loads(body) for _, body in there.got]
    assert [one["type"] for one in told] == ["alert.began", "alert.ended"]
    assert told[0]["data"]["subject"] == door.code
    assert (told[0]["data"]["ended_at"], told[1]["data"]["ended_at"] is None) == (None, False)
    assert all(checked(SECRET, headers, body) for headers, body in there.got)
    assert not checked(SECRET, there.got[0][0], there.got[0][1] + b" ")
    assert not checked(OTHER, *there.got[0])
    assert len({headers["webhook-id"] for headers, _ in there.got}) == 2
    assert set(WebhookCall.objects.values_list("status", flat=True)) == {"delivered"}


def test_F_H1_what_is_not_taken_is_tried_again_under_the_same_id_with_an_attempt_row_each(
    door: Endpoint, there: Receiver
) -> None:
    """Id and body stay, time and signature are those of the try; in the end it is delivered."""
    there.answers = [(500, {}), (302, {"Location": there.url}), (204, {})]
    begin(door, hook(there.url))
    for _ in range(3):
        assert webhooks.drain() == 1
        due()
    assert webhooks.drain() == 0
    assert len({headers["webhook-id"] for headers, _ in there.got}) == 1
    assert len({body for _, body in there.got}) == 1
    assert all(checked(SECRET, headers, body) for headers, body in there.got)
    tries = list(WebhookTry.objects.order_by("number").values_list("number", "status"))
    assert tries == [(1, 500), (2, 302), (3, 204)]
    assert WebhookCall.objects.get().status == "delivered"
    assert all(headers.get("method") != "GET" for headers, _ in there.got)  # the redirect was not followed


def test_F_H1_nobody_there_is_a_try_and_not_an_error(door: Endpoint) -> None:
    """A port on which nobody listens: the row says so, and when it is tried again."""
    begin(door, hook("http://127.0.0.1:9/"))
    assert webhooks.drain() == 1
    call = WebhookCall.objects.get()
    assert (call.status, call.attempts, call.problem) == ("waiting", 1, "no answer: ConnectError")
    assert call.due_at > timezone.now()


@pytest.mark.parametrize(
    "address", ["http://169.254.169.254/latest/meta-data", "http://10.1.2.3/", "http://[fe80::1]/"]
)
def test_F_H4_an_address_inside_is_not_called(door: Endpoint, address: str) -> None:
    """Metadata services and inner networks that the site did not name: nothing is sent, and the row says why."""
    begin(door, hook(address))
    webhooks.drain()
    call = WebhookCall.objects.get()
    assert (call.status, "nothing was sent" in call.problem) == ("waiting", True)


def test_F_H2_410_switches_it_off_with_a_case_and_what_waits_is_kept(door: Endpoint, there: Receiver) -> None:
    """Nothing is called any more; switched on again, what was due goes out and the case closes."""
    there.answers = [(410, {}), (204, {})]
    webhook = hook(there.url)
    begin(door, webhook)
    webhooks.drain()
    webhook.refresh_from_db()
    assert webhook.active is False
    case = ExceptionCase.objects.get(code="DELIVERY_WEBHOOK")
    assert (case.status, case.owner) == ("open", "integration")
    due()
    assert webhooks.drain() == 0
    assert len(there.got) == 1
    Webhook.objects.update(active=True)
    assert webhooks.drain() == 1
    case.refresh_from_db()
    assert (case.status, WebhookCall.objects.get().status) == ("resolved", "delivered")
    assert AuditEntry.objects.filter(verb="webhooks.switch_off").count() == 1


def test_F_H2_the_receivers_own_time_to_wait_is_kept(door: Endpoint, there: Receiver) -> None:
    """429 with Retry-After: not before that."""
    there.answers = [(429, {"Retry-After": "7200"})]
    begin(door, hook(there.url))
    webhooks.drain()
    assert WebhookCall.objects.get().due_at > timezone.now() + timedelta(seconds=7190)


def test_R_7_the_whole_schedule_and_then_it_is_given_up() -> None:
    """Ten tries over three days; each wait is the schedule's, at most a tenth longer."""
    waits = []
    for attempts in range(1, 10):
        judged = webhooks.judge(attempts, Answer(500, ""), NOW, chance=lambda: 0.0)
        assert judged.due is not None
        waits.append(int((judged.due - NOW).total_seconds()))
        late = webhooks.judge(attempts, Answer(None, ""), NOW, chance=lambda: 1.0)
        assert late.due is not None
        assert (late.due - NOW).total_seconds() == pytest.approx(waits[-1] * 1.1)
    assert waits == [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]
    assert webhooks.judge(10, Answer(500, ""), NOW).status == "given_up"
    assert webhooks.judge(10, Answer(299, ""), NOW).status == "delivered"


def test_what_was_given_up_has_a_case_and_can_be_sent_again(door: Endpoint, there: Receiver) -> None:
    """The tenth try fails: a case; a person lets it be tried once more, and it goes through under its id."""
    there.answers = [(500, {}), (204, {})]
    begin(door, hook(there.url))
    WebhookCall.objects.update(attempts=9)
    webhooks.drain()
    call = WebhookCall.objects.get()
    assert (call.status, call.attempts) == ("given_up", 10)
    assert ExceptionCase.objects.get(code="DELIVERY_WEBHOOK").status == "open"
    with pytest.raises(NotAllowed):
        webhooks.send_again(call, by=access.person(world.user("nobody")))
    webhooks.send_again(call, by=access.SYSTEM)
    webhooks.drain()
    call.refresh_from_db()
    assert call.status == "delivered"
    assert ExceptionCase.objects.get(code="DELIVERY_WEBHOOK").status == "resolved"


def test_the_end_is_never_told_before_the_beginning(door: Endpoint, there: Receiver) -> None:
    """While the beginning waits to be tried again, the end of the same alert waits behind it."""
    there.answers = [(500, {}), (204, {})]
    begin(door, hook(there.url))
    webhooks.drain()
    Dispatch.objects.update(status="delivered", settled_at=NOW)
    watch(NOW + timedelta(seconds=60))
    WebhookCall.objects.filter(event="alert.ended").update(due_at=NOW - timedelta(days=1))
    assert webhooks.drain() == 0
    due()
    assert webhooks.drain() == 2
    assert [json.loads(body)["type"] for _, body in there.got] == ["alert.began", "alert.began", "alert.ended"]


def test_a_caller_that_died_is_followed_by_another_and_writes_nothing_late(door: Endpoint, there: Receiver) -> None:
    """Its lease runs out, the call goes out again under its id; the late record of the first one changes nothing."""
    begin(door, hook(there.url))
    WebhookCall.objects.update(status="sending", attempts=1, due_at=NOW - timedelta(seconds=1))
    call = WebhookCall.objects.get()
    assert webhooks.drain() == 1
    webhooks._record(call, 1, NOW, Answer(500, "late"))
    call.refresh_from_db()
    assert (call.status, call.attempts) == ("delivered", 2)
    assert list(WebhookTry.objects.values_list("number", flat=True)) == [2]


def test_F_H4_after_a_change_of_the_secret_both_sign_for_a_day(door: Endpoint, there: Receiver) -> None:
    """A receiver with the old one and one with the new one both accept; after the day only the new one signs."""
    webhook = hook(there.url)
    webhook = webhooks.set_secret(webhook, secret=OTHER, by=access.SYSTEM)
    begin(door, webhook)
    webhooks.drain()
    assert checked(SECRET, *there.got[0])
    assert checked(OTHER, *there.got[0])
    Webhook.objects.update(old_secret_until=NOW - timedelta(days=2))
    Dispatch.objects.update(status="delivered", settled_at=NOW)
    watch(NOW + timedelta(seconds=60))
    webhooks.drain()
    assert (checked(SECRET, *there.got[1]), checked(OTHER, *there.got[1])) == (False, True)


@pytest.mark.parametrize(
    "secret", ["", "short", "whsec_MTIz", "not base64 at all!", base64.b64encode(b"x" * 65).decode()]
)
def test_a_secret_that_cannot_sign_is_refused_and_not_repeated(secret: str) -> None:
    """Nothing changes, and the answer does not say what was typed."""
    webhook = Webhook.objects.create(name="pager", url="https://pager.example/")
    with pytest.raises(Refused, match="VAULT_SECRET") as refused:
        webhooks.set_secret(webhook, secret=secret, by=access.SYSTEM)
    assert not secret or secret not in refused.value.text
    webhook.refresh_from_db()
    assert webhook.secret == ""


def test_without_a_secret_nothing_is_sent(door: Endpoint, there: Receiver) -> None:
    """It waits until somebody sets one."""
    begin(door, Webhook.objects.create(name="pager", url=there.url))
    assert webhooks.drain() == 0
    assert there.got == []


@pytest.mark.parametrize(
    "url",
    ["pager.example.org", "ftp://x/", "https://", "https://me:secret@pager.example/", "https://a b/", "http://[::1"],
)
def test_an_address_that_cannot_be_called_is_refused_at_its_field(url: str) -> None:
    """The person who types it sees it; a password does not belong there."""
    with pytest.raises(ValidationError) as refused:
        Webhook(name="pager", url=url).full_clean()
    assert list(refused.value.message_dict) == ["url"]


def test_secrets_are_sealed_and_rotated_with_all_others(settings: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """No column holds them in the clear; the rotation seals both anew, and they still open."""
    webhook = hook("https://pager.example/")
    webhook = webhooks.set_secret(webhook, secret=OTHER, by=access.SYSTEM)
    assert SECRET not in webhook.old_secret + webhook.secret
    settings.VAULT_KEYS = ["new:" + base64.b64encode(b"n" * 32).decode(), *settings.VAULT_KEYS]
    call_command("rotate_vault")
    webhook.refresh_from_db()
    assert [vault.stale(one) for one in (webhook.secret, webhook.old_secret)] == [False, False]
    assert (vault.open_(webhook.secret), vault.open_(webhook.old_secret)) == (OTHER, SECRET)


def test_F_H1_an_answer_that_comes_byte_by_byte_is_cut_off(there: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """No receiver holds a sender's thread for longer than the whole time it has."""
    monkeypatch.setattr(posting, "TOTAL_S", 0.3)
    there.drip_s = 0.05
    answer = posting.post(there.url, {}, b"{}")
    assert (answer.status, answer.text.startswith("no answer")) == (None, True)
