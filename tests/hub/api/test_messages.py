"""Messages over the API: who sees which, in pages, with filters; the bytes apart; retry and waive."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from hub import bodies
from hub.models import AuditEntry, Message
from tests.hub.api import rows

pytestmark = pytest.mark.django_db
READ = "hub.view_message"


def reader(facility: str = "*", *more: str) -> rows.Caller:
    """Somebody who may look at messages."""
    return rows.Caller(rows.user(READ, *more, facility=facility))


def ids_of(answer: object) -> list[str]:
    """The ids on a page."""
    return [row["id"] for row in answer.json()["results"]]  # type: ignore[attr-defined]


def test_a_message_is_shown_without_its_bytes() -> None:
    """What a patient's chart holds is not in any list or page."""
    made = rows.message("RIVER", notes=["amount missing"])
    answer = reader().get(f"/messages/{made.pk}")
    assert answer.status_code == 200
    body = answer.json()
    assert (body["endpoint"], body["partner"], body["facility"]) == ("in-river", "carebill", "RIVER")
    assert (body["status"], body["notes"], body["sha256"]) == ("stopped", ["amount missing"], "01" * 32)
    assert b"ZZCANARY" not in answer.content
    assert answer.headers["Cache-Control"] == "no-store"


def test_lists_show_only_the_callers_facilities_and_the_newest_first() -> None:
    """Rows of another facility, and of no facility, do not exist for somebody who sees one."""
    river = [rows.message("RIVER") for _ in range(3)]
    rows.message("NORTH")
    rows.message("")
    assert ids_of(reader("RIVER").get("/messages")) == [str(row.pk) for row in reversed(river)]
    assert len(ids_of(reader("*").get("/messages"))) == 5
    assert ids_of(reader("").get("/messages")) == []


def test_pages_follow_each_other_without_gap_or_repeat_and_without_count() -> None:
    """Walking forth and back shows each row once a way; new rows do not shift the pages; nothing is counted."""
    made = [str(rows.message("RIVER").pk) for _ in range(7)][::-1]
    caller = reader()
    seen, answer = [], caller.get("/messages", page_size=3)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        while True:
            seen.append(ids_of(answer))
            rows.message("RIVER")
            link = answer.json()["next"]
            if not link:
                break
            answer = caller.client.get(link)
    assert seen == [made[:3], made[3:6], made[6:]]
    assert ids_of(caller.client.get(answer.json()["previous"])) == made[3:6]
    assert not [query["sql"] for query in queries if "COUNT(" in query["sql"]]


def test_a_list_costs_the_same_queries_however_long_its_page() -> None:
    """No query per row."""
    caller = reader("RIVER")
    counts = []
    for _ in range(2):
        rows.message("RIVER")
        with CaptureQueriesContext(connection) as queries:
            assert caller.get("/messages").status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 6


@pytest.mark.parametrize("size", ["0", "201", "-1", "ten", "1e1", "٣", "99999999999"])
def test_a_page_size_that_is_not_one_is_refused(size: str) -> None:
    """Nothing is guessed."""
    answer = reader().get("/messages", page_size=size)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "page_size")


@pytest.mark.parametrize("position", ["p=abc", "p=1", "o=x", "p=%00", "garbage", "r=1&p=2026-01-01"])
def test_a_cursor_that_we_did_not_make_is_refused(position: str) -> None:
    """A forged cursor is a 400, never a 500."""
    cursor = base64.b64encode(position.encode()).decode()
    for text in (cursor, position):
        answer = reader().get("/messages", cursor=text)
        assert answer.status_code in {200, 400}
    assert reader().get("/messages", cursor=base64.b64encode(b"p=abc").decode()).status_code == 400


def test_an_unknown_filter_is_refused_and_the_known_ones_are_named() -> None:
    """A typo must not widen a list; Django's own look-ups and keywords are no filters."""
    for name in ("stauts", "raw__contains", "_connector", "endpoint__secret", "id__in"):
        answer = reader().get("/messages", **{name: "x"})
        assert answer.status_code == 400
        (problem,) = answer.json()["errors"]
        assert problem["field"] == name
        assert "control_id, cursor, endpoint, kind, page_size, partner, since, status, until" in problem["text"]


def test_a_parameter_given_twice_is_refused() -> None:
    """Two programs would read two different ones."""
    answer = reader().get("/messages", status=["held", "stopped"])
    assert (answer.status_code, answer.json()["errors"]) == (
        400, [{"field": "status", "text": "Give this parameter once."}],
    )  # fmt: skip


def test_filters_narrow_by_door_status_kind_and_control_id() -> None:
    """Each declared filter shows its rows and no other."""
    held = rows.message("RIVER", "held", kind="DFT^P03", control_id="A1")
    other = rows.message("NORTH", "applied", kind="ADT^A03", control_id="A2")
    caller = reader()
    for query, expected in (
        ({"endpoint": "in-river"}, held),
        ({"status": "applied"}, other),
        ({"kind": "ADT^A03"}, other),
        ({"control_id": "A1"}, held),
    ):
        assert ids_of(caller.get("/messages", **query)) == [str(expected.pk)]
    assert ids_of(caller.get("/messages", partner="nobody")) == []
    assert caller.get("/messages", status="strange").status_code == 400


def test_since_and_until_cut_by_the_moment_of_arrival() -> None:
    """The beginning counts in, the end does not: neighbouring spans share no row and lose none."""
    noon = timezone.now().replace(microsecond=0) - timedelta(minutes=30)
    early, exact, late = (rows.message("RIVER", at=noon + timedelta(seconds=s)) for s in (-1, 0, 1))
    caller = reader()
    assert ids_of(caller.get("/messages", since=noon.isoformat())) == [str(late.pk), str(exact.pk)]
    assert ids_of(caller.get("/messages", until=noon.isoformat())) == [str(early.pk)]
    assert ids_of(caller.get("/messages", since="0001-01-01T00:00:00Z", until="9999-12-31T23:59:59Z"))[0] == str(
        late.pk
    )


@pytest.mark.parametrize("moment", ["2026-11-22", "2026-11-22T08:00:00", "yesterday", "2026-13-01T00:00:00Z", "1"])
def test_a_moment_without_an_offset_is_refused(moment: str) -> None:
    """Eight o'clock is another hour to each reader."""
    answer = reader().get("/messages", since=moment)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "since")


def test_the_raw_bytes_need_their_own_permission_and_scope_and_every_look_is_audited() -> None:
    """Exactly the stored bytes, for those who may, and the audit trail tells who looked."""
    made = rows.message("RIVER")
    assert reader("RIVER").get(f"/messages/{made.pk}/raw").status_code == 403
    seer = rows.user(READ, "hub.view_raw_message")
    assert rows.Caller(seer, "messages.read").get(f"/messages/{made.pk}/raw").status_code == 403
    assert not AuditEntry.objects.filter(verb="messages.view_raw").exists()
    answer = rows.Caller(seer, "messages.raw").get(f"/messages/{made.pk}/raw")
    assert base64.b64decode(answer.json()["base64"]) == bodies.of(made)
    entry = AuditEntry.objects.get(verb="messages.view_raw")
    assert (entry.subject_id, entry.actor[:13]) == (str(made.pk), "api:a machine")


def test_a_stopped_message_is_waived_with_a_reason() -> None:
    """The answer is the message as it is now; the reason is in the audit trail."""
    made = rows.message("RIVER")
    answer = reader("RIVER", "hub.waive_message").post(f"/messages/{made.pk}/waive", {"reason": "sent by mistake"})
    assert (answer.status_code, answer.json()["status"]) == (200, "waived")
    assert AuditEntry.objects.get(verb="messages.waive").reason == "sent by mistake"


@pytest.mark.parametrize("body", [None, {}, {"reason": ""}, {"reason": "  "}, {"reason": 5 * [1]}, {"raeson": "x"}])
def test_a_waiver_without_a_reason_moves_nothing(body: object) -> None:
    """400 names the field, and the message stays where it was."""
    made = rows.message("RIVER")
    answer = reader("RIVER", "hub.waive_message").post(f"/messages/{made.pk}/waive", body)
    assert answer.status_code == 400
    assert Message.objects.get().status == "stopped"
    assert not AuditEntry.objects.exists()


def test_retry_puts_a_stopped_message_back_and_refuses_one_that_is_applied() -> None:
    """What the rules forbid is a 409 that says why, and nothing moved."""
    stopped, applied = rows.message("RIVER"), rows.message("RIVER", "applied")
    caller = reader("RIVER", "hub.retry_message")
    assert caller.post(f"/messages/{stopped.pk}/retry").json()["status"] == "received"
    waived = rows.message("RIVER", "skipped")
    answer = caller.post(f"/messages/{waived.pk}/retry")
    assert (answer.status_code, answer.json()["code"]) == (409, "STATE_MOVE")
    assert Message.objects.get(pk=waived.pk).status == "skipped"
    assert Message.objects.get(pk=applied.pk).status == "applied"


def test_another_facilitys_message_is_not_there() -> None:
    """404 for looking and for every verb, whatever the permissions."""
    made = rows.message("NORTH")
    caller = reader("RIVER", "hub.view_raw_message", "hub.retry_message", "hub.waive_message")
    assert caller.get(f"/messages/{made.pk}").status_code == 404
    assert caller.get(f"/messages/{made.pk}/raw").status_code == 404
    assert caller.post(f"/messages/{made.pk}/retry").status_code == 404
    assert caller.post(f"/messages/{made.pk}/waive", {"reason": "x"}).status_code == 404
    assert Message.objects.get().status == "stopped"


def test_moments_before_the_epoch_and_after_the_last_id_are_answered() -> None:
    """No moment that can be written down is an error."""
    made = rows.message("RIVER", at=datetime.now(UTC))
    for since in ("1800-01-01T00:00:00+00:00", "1969-12-31T23:59:59Z"):
        assert ids_of(reader().get("/messages", since=since)) == [str(made.pk)]
    assert ids_of(reader().get("/messages", since="9999-12-31T23:59:59-12:00")) == []


def test_the_way_of_a_message_is_told_hop_by_hop() -> None:
    """One that stopped: received is done, read is stuck with the open case that keeps it there, nothing is promised."""
    made = rows.message("RIVER", problem_code="IF_SEGMENT", problem="no FT1")
    case = rows.case(code="IF_SEGMENT", subject=f"message:{made.pk}", message_id=made.pk)
    see = ("hub.view_fact", "hub.view_delivery", "hub.view_dispatch", "hub.view_exceptioncase")
    body = reader("RIVER", *see).get(f"/messages/{made.pk}/lineage").json()
    assert (body["message_id"], body["correlation_id"]) == (str(made.pk), str(made.correlation_id))
    told = [(hop["name"], hop["state"], [one["id"] for one in hop["cases"]]) for hop in body["hops"]]
    assert told[:2] == [("received", "done", []), ("read", "stuck", [case.pk])]
    assert {state for _, state, _ in told[2:]} == {"ahead"}
    assert reader("NORTH", *see).get(f"/messages/{made.pk}/lineage").status_code == 404
    assert reader("RIVER").get(f"/messages/{made.pk}/lineage").status_code == 403


def test_a_sender_s_own_ids_are_shown_as_given() -> None:
    """Beside ours, which they never are."""
    made = rows.message("RIVER", origin={"correlation_id": "order-1"})
    body = reader().get(f"/messages/{made.pk}").json()
    assert (body["origin"], body["correlation_id"]) == ({"correlation_id": "order-1"}, str(made.correlation_id))
