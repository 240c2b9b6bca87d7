"""The HTTP door and the health answers: real keys, real PostgreSQL, what each status means."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone
from redis import Redis

from hub import access, health, inbox, machines, views
from hub.models import ApiKey, ExceptionCase, FacilityGrant, Message
from tests.hub.door_kit import code, dft, endpoint, errors, stored

pytestmark = pytest.mark.django_db
ER7 = "x-application/hl7-v2+er7"
URL = "/in/carebill-http"


@pytest.fixture(autouse=True)
def door(monkeypatch):
    """An HTTP endpoint with room."""
    monkeypatch.setattr(views._backlog, "full", frozenset())
    monkeypatch.setattr(views._backlog, "next_at", float("-inf"))
    return endpoint("carebill-http", transport="http", facility="NORTH")


def key(*scopes: str, permitted: bool = True, facility: str = "NORTH") -> str:
    """The header of a new key of a service account."""
    user = User.objects.create_user(f"machine-{User.objects.count()}")
    if permitted:
        user.user_permissions.add(Permission.objects.get(codename="post_inbound"))
    FacilityGrant.objects.create(user=user, facility=facility)
    _, text = machines.issue(user, "CareBill", scopes, timezone.now() + timedelta(days=30), by=access.SYSTEM)
    return f"Bearer {text}"


def post(body: bytes, header: str, *, url: str = URL, content_type: str = ER7, **extra: str):
    """One request without cookies, CSRF checks on as in production."""
    client = Client(enforce_csrf_checks=True)
    headers = {"Authorization": header} if header else {}
    return client.post(url, body, content_type=content_type, headers={**headers, **extra})


def test_a_message_is_stored_and_its_acknowledgement_is_the_answer():
    """200, the ACK as ER7, one row; sent again, the same bytes come back and nothing is stored."""
    header = key("in.carebill-http")
    first, again = post(dft("M1"), header), post(dft("M1"), header)
    assert first.status_code == 200
    assert first.headers["Content-Type"] == ER7
    assert code(first.content) == "AA M1"
    assert again.content == first.content
    assert stored() == {"received": 1}


@pytest.mark.parametrize("content_type", [ER7, f"{ER7}; charset=utf-8", "text/plain", "application/octet-stream"])
def test_the_media_types_that_are_taken(content_type):
    """Named as HL7, as text, or as bytes."""
    assert post(dft("M1"), key("in.*"), content_type=content_type).status_code == 200


def test_a_conflict_is_409_and_a_refusal_422_each_with_its_ack():
    """The status tells programs what MSA-1 tells HL7 engines."""
    header = key("in.*")
    assert post(dft("M1"), header).status_code == 200
    conflict, refusal = post(dft("M1", charge="7"), header), post(dft("M2", processing="T"), header)
    assert (conflict.status_code, errors(conflict.content)) == (409, ["205"])
    assert (refusal.status_code, errors(refusal.content)) == (422, ["202"])
    assert stored() == {"received": 1, "refused": 2}


def test_F_M7_a_batch_is_answered_member_by_member():
    """Good members are stored whatever their neighbours are; the status says that somebody has to look."""
    body = b"BHS|^~\\&\r" + dft("M1") + dft("M2", processing="T") + dft("M3") + b"BTS|3\r"
    response = post(body, key("in.*"))
    assert response.status_code == 422
    answers = response.content.replace(b"\rMSH", b"\r\nMSH").split(b"\n")
    assert [code(answer) for answer in answers] == ["AA M1", "AR M2", "AA M3"]
    assert stored() == {"received": 2, "refused": 1}


@pytest.mark.parametrize("header", ["", "Bearer nonsense", "Basic dXNlcjpwYXNz", "Bearer tl_000000000000_" + "A" * 43])
def test_without_a_valid_key_nothing_is_read(header):
    """401 as a problem document; nothing is stored."""
    response = post(dft("M1"), header)
    assert response.status_code == 401
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert stored() == {}


def test_a_key_that_has_ended_or_belongs_elsewhere_is_refused():
    """Revoked or expired: 401. Another scope, no permission, another facility: 403. Nothing is stored."""
    ended = key("in.*")
    ApiKey.objects.update(revoked_at=timezone.now())
    assert post(dft("M1"), ended).status_code == 401
    assert post(dft("M1"), key("in.other")).status_code == 403
    assert post(dft("M1"), key("charges.read")).status_code == 403
    assert post(dft("M1"), key("in.*", permitted=False)).status_code == 403
    assert post(dft("M1"), key("in.*", facility="SOUTH")).status_code == 403
    assert stored() == {}


def test_doors_that_are_not_there():
    """Unknown, outbound, MLLP, or switched off: 404, and only for those whose key would fit."""
    header = key("in.*")
    endpoint("mllp-door")
    endpoint("off-door", transport="http", active=False)
    endpoint("out-door", transport="http", direction="out")
    for name in ("nowhere", "mllp-door", "off-door", "out-door"):
        assert post(dft("M1"), header, url=f"/in/{name}").status_code == 404
    assert post(dft("M1"), key("in.carebill-http"), url="/in/nowhere").status_code == 403


def test_the_allow_list_counts_here_too(door):
    """A valid key from an address that is not on the endpoint's list is refused."""
    door.allowed_peers = "10.0.0.0/8"
    door.save()
    assert post(dft("M1"), key("in.*")).status_code == 403
    assert stored() == {}


def test_F_R5_bodies_that_are_not_taken(settings):
    """Wrong kind, compressed, too large, empty, no HL7 at all: a 4xx that says what to do, and never a 5xx."""
    settings.MAX_MESSAGE_BYTES = 2000
    header = key("in.*")
    assert post(dft("M1"), header, content_type="application/json").status_code == 415
    assert post(dft("M1"), header, **{"Content-Encoding": "gzip"}).status_code == 415
    assert post(dft("M1") + b"X" * 3000, header).status_code == 413
    assert post(b"\r\n", header).status_code == 422
    assert stored() == {}
    response = post(b'{"resourceType": NaN} \x00\xff', header)
    assert (response.status_code, response.json()["code"]) == (422, "IF_PARSE")
    assert stored() == {"refused": 1}
    assert ExceptionCase.objects.get().code == "IF_PARSE"


def test_only_post_is_answered():
    """GET shows nothing."""
    assert Client().get(URL).status_code == 405


def test_R_11_a_full_hub_answers_503_and_when_to_come_back(door):
    """Over the backlog limit: 503 with Retry-After and AE, and nothing is stored."""
    header = key("in.*")
    door.backlog_limit = 1
    door.save()
    assert post(dft("M1"), header).status_code == 200
    views._backlog.next_at = float("-inf")
    response = post(dft("M2"), header)
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    assert code(response.content) == "AE M2"
    assert stored() == {"received": 1}


def test_F_M5_without_the_database_the_answer_is_503(monkeypatch):
    """A database that goes away under a request: 503 with Retry-After as a problem document."""
    header = key("in.*")

    def away(*_: object, **__: object) -> None:
        raise views.psycopg.OperationalError("gone, DOE^JANE")

    monkeypatch.setattr(inbox, "receive", away)
    monkeypatch.setattr(views.connection, "close", lambda: None)  # it is the test's own transaction
    response = post(dft("M1"), header)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert b"JANE" not in response.content
    assert Message.objects.count() == 0


def test_enhanced_mode_that_asks_for_no_answer_gets_an_empty_one():
    """MSH-15 and MSH-16 NE: stored, 200, no acknowledgement."""
    response = post(dft("M1", modes="|||NE|NE"), key("in.*"))
    assert (response.status_code, response.content) == (200, b"")
    assert stored() == {"received": 1}


def test_livez_answers_without_a_database(monkeypatch):
    """Alive means that the process answers; nothing else is asked."""
    monkeypatch.setattr(health, "readiness", None)
    response = Client().get("/livez")
    assert (response.status_code, response.json()) == (200, {"status": "alive"})


def test_readyz_tells_ready_degraded_and_not_ready(monkeypatch):
    """Redis away is a degradation, a database away or unmigrated is not ready."""
    response = Client().get("/readyz")
    assert response.status_code == 200
    assert response.json() == {"status": "ready", "checks": {"database": True, "migrations": True, "redis": True}}
    with monkeypatch.context() as patched:
        patched.setattr(Redis, "ping", lambda self: (_ for _ in ()).throw(OSError("away")))
        response = Client().get("/readyz")
        assert (response.status_code, response.json()["status"]) == (200, "degraded")
    with monkeypatch.context() as patched:
        patched.setattr(health, "NEEDED", {"database": lambda: False, "migrations": lambda: True})
        response = Client().get("/readyz")
        assert (response.status_code, response.json()["status"]) == (503, "not ready")
        assert response.json()["checks"]["migrations"] is False


def test_readyz_notices_a_missing_migration(monkeypatch):
    """Code that is newer than its database does not say that it is ready."""
    monkeypatch.setattr(health._Found, "migrated", False)
    monkeypatch.setattr(health.MigrationExecutor, "migration_plan", lambda self, targets: [("hub", "0009")])
    response = Client().get("/readyz")
    assert (response.status_code, response.json()["checks"]["migrations"]) == (503, False)


def test_the_senders_correlation_id_and_trace_are_kept_with_each_message_of_the_body():
    """As given, for both messages; the hub's own correlation ids are its own."""
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = {"X-Correlation-Id": "order-4711", "traceparent": trace}
    answer = post(dft("M1") + dft("M2"), key("in.*"), **headers)
    assert answer.status_code == 200
    assert answer.headers["X-Correlation-Id"] != "order-4711"
    kept = list(Message.objects.values_list("origin", flat=True))
    assert kept == [{"correlation_id": "order-4711", "traceparent": trace}] * 2
