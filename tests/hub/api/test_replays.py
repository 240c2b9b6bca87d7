"""Replays and edited copies over the API."""

import base64

import pytest

from hub import replaying
from hub.models import Message, Replay
from tests.hub.api import rows

pytestmark = pytest.mark.django_db
WHY = "the sender's clock was wrong"


@pytest.fixture
def machine() -> rows.Caller:
    """A machine that may plan and run replays of one facility."""
    account = rows.user(
        "hub.view_replay", "hub.plan_replay", "hub.run_replay", "hub.view_message", facility="RIVER"
    )  # fmt: skip
    return rows.Caller(account, "replays.*")


def test_a_plan_is_made_looked_at_started_and_cancelled(machine: rows.Caller) -> None:
    """The answer is the plan; its items come in their order; nothing of another facility is in it."""
    stopped = [rows.message("RIVER", key=f"A{n}") for n in range(3)]
    rows.message("NORTH")
    answer = machine.post("/replays/plan", {"kind": "messages", "filters": {"status": "stopped"}, "reason": WHY})
    assert answer.status_code == 201
    plan = answer.json()
    assert (plan["count"], plan["status"], plan["facilities"]) == (3, "planned", ["RIVER"])
    assert answer.headers["Location"].endswith(f"/replays/{plan['id']}")
    items = machine.get(f"/replays/{plan['id']}/items", result="pending").json()
    assert [item["subject_id"] for item in items["items"]] == [str(message.pk) for message in stopped]
    assert items["next"] is None
    assert machine.post(f"/replays/{plan['id']}/start").json()["status"] == "running"
    replaying.step()
    ended = machine.post(f"/replays/{plan['id']}/cancel", {"reason": WHY}).json()
    assert (ended["status"], ended["results"]["moving"], ended["results"]["pending"]) == ("cancelled", 3, 0)
    assert set(Message.objects.filter(endpoint__facility="RIVER").values_list("status", flat=True)) == {"received"}


def test_two_hundred_items_come_at_a_time(machine: rows.Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """`next` is the `after` of the next page."""
    monkeypatch.setattr("hub.api.replays.PAGE", 2)
    for n in range(3):
        rows.message("RIVER", key=f"A{n}")
    plan = machine.post("/replays/plan", {"kind": "messages", "filters": {"status": "stopped"}, "reason": WHY}).json()
    first = machine.get(f"/replays/{plan['id']}/items").json()
    second = machine.get(f"/replays/{plan['id']}/items", after=first["next"]).json()
    assert [[item["position"] for item in page["items"]] for page in (first, second)] == [[1, 2], [3]]
    assert second["next"] is None


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"kind": "messages", "filters": {}, "reason": WHY}, 409, "from which moment"),
        ({"kind": "facts", "filters": {}, "reason": WHY}, 400, "valid choice"),
        ({"kind": "messages", "filters": {"status": "stopped"}}, 400, "required"),
        ({"kind": "messages", "filters": {"status": "stopped"}, "reason": WHY}, 409, "Nothing matches"),
        ({"kind": "messages", "filters": {"status": "stopped"}, "reason": WHY, "force": True}, 400, "not known"),
    ],
)
def test_a_plan_that_cannot_be_made_says_why(machine: rows.Caller, body: object, status: int, words: str) -> None:
    """And leaves nothing behind."""
    answer = machine.post("/replays/plan", body)
    assert answer.status_code == status
    assert words in answer.content.decode()
    assert not Replay.objects.exists()


def test_an_edited_copy_is_linked_in_both_answers() -> None:
    """The original names its copy, the copy its original; the bytes are in neither."""
    account = rows.user("hub.view_message", "hub.view_raw_message", "hub.edit_message")
    caller = rows.Caller(account, "messages.*")
    door = rows.endpoint("RIVER")
    door.sending_application, door.sending_facility = "CAREBILL", "RIVER"
    door.save()
    raw = b"MSH|^~\\&|CAREBILL|RIVER|HUB|HUB|20261122||DFT^P03|C1|P|2.5.1\rPID|1|||||||||||||||||ACC1\r"
    message = rows.message("RIVER", raw=raw, control_id="C1", key="ACC1")
    changed = raw.replace(b"PID|1", b"PID|2")
    body = {"base64": base64.b64encode(changed).decode(), "reason": WHY}
    answer = caller.post(f"/messages/{message.pk}/resubmit", body)
    assert answer.status_code == 200, answer.content
    original = answer.json()
    copy = caller.get(f"/messages/{original['replaced_by']}").json()
    assert (original["status"], original["replaces"]) == ("replaced", None)
    assert (copy["status"], copy["replaces"], copy["replaced_by"]) == ("received", str(message.pk), None)
    assert caller.post(f"/messages/{message.pk}/resubmit", {"base64": "!", "reason": WHY}).status_code == 400
