"""The inbox: what is stored, what is recognised, what is refused; on real PostgreSQL."""

import hashlib
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from hub import arrivals, bodies, inbox
from hub.doors import Entrance, Peer
from hub.inbox import Receipt
from hub.models import ExceptionCase, Message, MessageKey
from tests.hub.door_kit import code, dft, endpoint, entrance, errors, one, stored

pytestmark = pytest.mark.django_db


def hand_in(door: Entrance, *bodies: bytes, peer: Peer | None = None, days: int = 0) -> list[Receipt]:
    """Everything in one batch, as it would come from many connections at once; `days` from now."""
    found = [one for body in bodies for one in arrivals.look(body, door, peer or Peer("127.0.0.1"))]
    return inbox.receive(found, now=timezone.now() + timedelta(days=days))


def answer(receipt: Receipt) -> bytes:
    """The one acknowledgement of a message."""
    (reply,) = receipt.replies()
    return reply


@pytest.fixture
def door() -> Entrance:
    """A production endpoint of one named sender."""
    return entrance(endpoint(sending_application="CAREBILL", sending_facility="NORTH", facility="NORTH"))


def test_R_1_a_stored_message_keeps_its_bytes_and_what_the_worker_needs(door):
    """What is acknowledged is in the table with its exact bytes, their hash, its key and its lane."""
    body = dft("M1", account="ACC77")
    (receipt,) = hand_in(door, body)
    assert code(answer(receipt)) == "AA M1"
    row = one(pk=receipt.message_id)
    assert bodies.of(row) == body
    assert bytes(row.sha256) == hashlib.sha256(body).digest()
    assert (row.status, row.kind, row.key, row.sender) == ("received", "DFT^P03", "ACC77", "CAREBILL|NORTH")
    assert 0 <= row.lane < 16
    assert (row.attempts, row.parts, row.correlation_id, row.notes) == (0, 0, row.pk, [])


def test_R_1_one_key_has_one_lane(door):
    """All messages of an account go through the same lane, so that their order is kept."""
    hand_in(door, *(dft(f"M{number}", account="ACC9") for number in range(20)))
    assert Message.objects.values("lane").distinct().count() == 1
    assert Message.objects.count() == 20


def test_R_1_a_batch_is_committed_durably_even_where_the_role_is_configured_for_speed(door):
    """A database that is set to asynchronous commits still commits messages synchronously."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")
        hand_in(door, dft("M1"))
        cursor.execute("SHOW synchronous_commit")
        assert cursor.fetchone() == ("on",)


def test_R_2_the_same_bytes_get_the_same_answer_and_no_second_row(door):
    """A resend is answered byte for byte as the first time, however much later, and stores nothing."""
    (first,) = hand_in(door, dft("M1"))
    (again,) = hand_in(door, dft("M1"), days=90)
    assert answer(again) == answer(first)
    assert (first.fresh, again.fresh) == (True, False)
    assert stored() == {"received": 1}
    assert MessageKey.objects.count() == 1


def test_R_2_other_bytes_under_a_known_control_id_are_refused_kept_and_told(door):
    """The first message stands; the other is kept, answered with AR 205 each time, and one case tells of it."""
    (first,) = hand_in(door, dft("M1", charge="100"))
    (other,) = hand_in(door, dft("M1", charge="999"))
    (again,) = hand_in(door, dft("M1", charge="999"))
    (third,) = hand_in(door, dft("M1", charge="500"))
    assert code(answer(other)) == "AR M1"
    assert errors(answer(other)) == ["205"]
    assert answer(again) == answer(other)
    assert code(answer(third)) == "AR M1"
    assert stored() == {"received": 1, "refused": 2}
    assert one(pk=first.message_id).status == "received"
    assert one(pk=other.message_id).problem_code == "IF_CONFLICT"
    case = ExceptionCase.objects.get()
    assert (case.code, case.owner, case.subject) == (
        "IF_CONFLICT", "integration", "control_id:carebill-dft:CAREBILL|NORTH:M1",
    )  # fmt: skip


def test_R_2_equal_messages_in_one_batch_are_one_message(door):
    """Two copies and a conflicting one that arrive during the same commit behave as if they had come in turn."""
    first, copy, other, new = hand_in(door, dft("M1"), dft("M1"), dft("M1", charge="7"), dft("M2"))
    assert answer(first) == answer(copy)
    assert [code(answer(one)) for one in (first, other, new)] == ["AA M1", "AR M1", "AA M2"]
    assert stored() == {"received": 2, "refused": 1}


def test_R_2_the_same_control_id_of_another_sender_is_another_message():
    """Control ids belong to their sender and endpoint."""
    door = entrance(endpoint())
    receipts = hand_in(door, dft("M1"), dft("M1", app="OTHER"), dft("M1", facility="SOUTH"))
    assert [code(answer(receipt)) for receipt in receipts] == ["AA M1"] * 3
    assert stored() == {"received": 3}


def test_R_2_a_corrected_message_may_come_under_the_control_id_of_its_refusal(door):
    """A refused message does not own its control id: corrected and sent again it is taken."""
    (refused,) = hand_in(door, dft("M1", processing="T"))
    (corrected,) = hand_in(door, dft("M1", processing="P"))
    assert [code(answer(one)) for one in (refused, corrected)] == ["AR M1", "AA M1"]
    assert stored() == {"received": 1, "refused": 1}
    assert not ExceptionCase.objects.exists()


def test_R_2_a_refusal_is_answered_the_same_again_without_a_second_row(door):
    """The same refused bytes get the same AR, byte for byte."""
    (first,) = hand_in(door, dft("M1", processing="T"))
    (again,) = hand_in(door, dft("M1", processing="T"))
    assert answer(first) == answer(again)
    assert stored() == {"refused": 1}


def test_R_3_a_control_id_may_come_again_after_the_window(door, settings):
    """Senders' counters wrap: after the window the id belongs to the new message, and its resend is recognised."""
    settings.CONTROL_ID_WINDOW_DAYS = 30
    (old,) = hand_in(door, dft("M1", charge="1"))
    (too_early,) = hand_in(door, dft("M1", charge="2"), days=29)
    (new,) = hand_in(door, dft("M1", charge="3"), days=31)
    (again,) = hand_in(door, dft("M1", charge="3"))
    assert [code(answer(receipt)) for receipt in (old, too_early, new)] == ["AA M1", "AR M1", "AA M1"]
    assert answer(again) == answer(new)
    assert stored() == {"received": 2, "refused": 1}


def test_a_message_without_control_id_is_known_by_its_bytes(door):
    """An empty MSH-10 is tolerated and noted; equal bytes are one message, other bytes another."""
    first, again, other = hand_in(door, dft(""), dft(""), dft("", charge="7"))
    assert first.message_id == again.message_id != other.message_id
    row = one(pk=first.message_id)
    assert row.control_id == f"sha256:{hashlib.sha256(dft('')).hexdigest()}"
    assert row.notes == ["control_id_missing"]


def test_two_control_ids_that_differ_far_behind_are_two(door):
    """A control id that is too long for its column is never cut short into another one."""
    receipts = hand_in(door, dft("X" * 300 + "1"), dft("X" * 300 + "2"))
    assert {code(answer(receipt))[:2] for receipt in receipts} == {"AA"}
    assert stored() == {"received": 2}


@pytest.mark.parametrize(
    ("message", "number", "problem"),
    [
        (dft(kind="ZZZ^Z01"), "200", "IF_TYPE"),
        (dft(kind="DFT^P99"), "201", "IF_EVENT"),
        (dft(processing="T"), "202", "IF_PROCESSING_ID"),
        (dft(processing="D"), "202", "IF_PROCESSING_ID"),
        (dft(version="3.0"), "203", "IF_VERSION"),
        (dft(version="2.0"), "203", "IF_VERSION"),
        (dft(app="STRANGER"), "103", "IF_UNKNOWN_SENDER"),
        (dft(facility="ELSEWHERE"), "103", "IF_UNKNOWN_SENDER"),
    ],
)
def test_what_cannot_be_taken_is_refused_and_kept(door, message, number, problem):
    """AR with the code of table 0357; the bytes are stored with the reason, and no worker touches them."""
    (receipt,) = hand_in(door, message)
    assert code(answer(receipt)) == "AR M1"
    assert errors(answer(receipt)) == [number]
    row = one(pk=receipt.message_id)
    assert (row.status, row.problem_code, bodies.of(row)) == ("refused", problem, message)
    assert row.problem
    assert row.settled_at is not None


@pytest.mark.parametrize("version", ["2.1", "2.3.1", "2.5.1", "2.8", "2.8.2", "2.9", ""])
def test_versions_that_are_taken(door, version):
    """HL7 2.1 to 2.9; an empty MSH-12 is tolerated."""
    (receipt,) = hand_in(door, dft(version=version))
    assert code(answer(receipt)) == "AA M1"


def test_a_training_message_is_taken_where_the_endpoint_is_not_for_production():
    """MSH-11 T is refused at production doors alone."""
    (receipt,) = hand_in(entrance(endpoint(production=False)), dft(processing="T"))
    assert code(answer(receipt)) == "AA M1"


def test_an_unknown_sender_opens_one_case_however_often_it_comes():
    """Strangers are written down under the port's catch-all, with one case for each name."""
    named = endpoint(sending_application="CAREBILL")
    catch_all = endpoint("everyone-else")
    receipts = hand_in(entrance(named, catch_all), dft("M1", app="EVIL"), dft("M2", app="EVIL"), dft("M3"))
    assert [code(answer(receipt)) for receipt in receipts] == ["AR M1", "AR M2", "AA M3"]
    assert [one(pk=receipt.message_id).endpoint_id for receipt in receipts] == [catch_all.pk, catch_all.pk, named.pk]
    case = ExceptionCase.objects.get()
    assert (case.code, case.subject) == ("IF_UNKNOWN_SENDER", "sender:everyone-else:EVIL|NORTH")


def test_F_M8_a_known_name_from_another_address_is_refused():
    """The endpoint of a sender must admit its address too, even where another endpoint of the port does."""
    here = endpoint(sending_application="CAREBILL", allowed_peers="10.1.0.0/16")
    there = endpoint("other", sending_application="OTHER", allowed_peers="127.0.0.1")
    (receipt,) = hand_in(entrance(here, there), dft("M1"), peer=Peer("127.0.0.1"))
    assert code(answer(receipt)) == "AR M1"
    assert ExceptionCase.objects.get().code == "IF_UNKNOWN_SENDER"
    (receipt,) = hand_in(entrance(here, there), dft("M2"), peer=Peer("10.1.2.3"))
    assert code(answer(receipt)) == "AA M2"


def test_F_M8_a_known_name_with_another_certificate_is_refused():
    """Where an endpoint names client certificates, the sender has to come with one of them."""
    door = entrance(endpoint(settings={"tls": {"client_names": ["carebill.example"]}}))
    (stranger,) = hand_in(door, dft("M1"), peer=Peer("127.0.0.1", frozenset({"other.example"})))
    (known,) = hand_in(door, dft("M2"), peer=Peer("127.0.0.1", frozenset({"carebill.example"})))
    assert [code(answer(one)) for one in (stranger, known)] == ["AR M1", "AA M2"]


def test_F_M7_a_batch_with_one_bad_member_keeps_the_good_ones(door):
    """Each member is stored and answered by itself; they share a correlation id and say which of how many they are."""
    bad = b"MSH|\r"
    body = b"BHS|^~\\&|||||||||B77\r" + dft("M1") + bad + dft("M2", processing="T") + dft("M3") + b"BTS|4\r"
    receipts = hand_in(door, body)
    assert [one(pk=receipt.message_id).status for receipt in receipts] == ["received", "refused", "refused", "received"]
    assert [code(answer(receipts[index])) for index in (0, 2, 3)] == ["AA M1", "AR M2", "AA M3"]
    assert Message.objects.values("correlation_id").distinct().count() == 1
    assert "batch_member_4_of_4" in one(control_id="M3").notes
    assert [case.code for case in ExceptionCase.objects.all()] == ["IF_PARSE"]


def test_F_M7_a_batch_that_lacks_messages_opens_a_case(door):
    """The trailer's count is compared; what came is taken, and a person is told that something may be missing."""
    receipts = hand_in(door, b"BHS|^~\\&|||||||||B77\r" + dft("M1") + dft("M2") + b"BTS|3\r")
    assert [code(answer(receipt)) for receipt in receipts] == ["AA M1", "AA M2"]
    case = ExceptionCase.objects.get()
    assert (case.code, case.subject) == ("IF_BATCH_COUNT", "batch:carebill-dft:B77")
    assert "BTS-1 says 3, found 2" in case.text


def test_F_M7_a_batch_that_is_sent_again_gets_the_same_answers(door):
    """Sending a batch again stores nothing and repeats every answer."""
    body = b"BHS|^~\\&|||||||||B77\r" + dft("M1") + dft("M2", processing="T") + b"BTS|2\r"
    first, again = hand_in(door, body), hand_in(door, body)
    assert [answer(one) for one in first] == [answer(one) for one in again]
    assert stored() == {"received": 1, "refused": 1}


def test_what_cannot_be_read_is_kept_with_a_case_and_no_answer(door):
    """Without an MSH there is nobody to answer; the bytes are evidence all the same."""
    (receipt,) = hand_in(door, b"hello, is anybody there?")
    assert receipt.replies() == []
    row = one(pk=receipt.message_id)
    assert (row.status, row.problem_code, bodies.of(row)) == ("refused", "IF_PARSE", b"hello, is anybody there?")
    assert ExceptionCase.objects.get().code == "IF_PARSE"


@pytest.mark.parametrize(
    ("modes", "good", "bad"),
    [
        ("||", ["AA"], ["AR"]),
        ("|||AL|NE", ["CA"], ["CR"]),
        ("|||AL|AL", ["CA", "AA"], ["CR"]),
        ("|||NE|AL", ["AA"], ["AR"]),
        ("|||ER|NE", [], ["CR"]),
        ("|||SU|NE", ["CA"], []),
        ("|||NE|NE", [], []),
        ("|||SU|ER", ["CA"], ["AR"]),
        ("|||AL", ["CA"], ["CR"]),
        ("||||AL", ["AA"], ["AR"]),
    ],
)
def test_answers_follow_the_mode_that_the_sender_asks_for(door, modes, good, bad):
    """MSH-15 asks for the accept acknowledgement, MSH-16 for the application's; both empty is original mode."""
    stored_, refused = hand_in(door, dft("M1", modes=modes), dft("M2", modes=modes, processing="T"))
    assert [code(reply) for reply in stored_.replies()] == [f"{one} M1" for one in good]
    assert [code(reply) for reply in refused.replies()] == [f"{one} M2" for one in bad]


def test_two_answers_to_one_message_have_control_ids_of_their_own(door):
    """The accept and the application acknowledgement differ in MSH-10, which fits the 20 characters of old versions."""
    (receipt,) = hand_in(door, dft("M1", modes="|||AL|AL"))
    first, second = (reply.split(b"|")[9] for reply in receipt.replies())
    assert first != second
    assert {len(first), len(second)} == {20}


def test_hostile_texts_fit_their_columns(door):
    """Long names, NUL bytes and undecodable bytes neither fail the batch nor the neighbours."""
    long = dft("M1", account="A" * 900)
    nul = dft("M2").replace(b"ACC1", b"AC\x00C")
    latin = dft("M3").replace(b"JANE", b"J\xe4NE")
    kind = dft("M4", kind="DFT" * 50 + "^P03")
    receipts = hand_in(door, long, nul, latin, kind)
    assert [code(answer(receipt)) for receipt in receipts] == ["AA M1", "AA M2", "AA M3", "AR M4"]
    assert bodies.of(one(pk=receipts[2].message_id)) == latin


def test_a_case_carries_no_patient_data(door):
    """Neither title nor text nor data of a door's case holds what stands in the message."""
    hand_in(door, dft("M1", app="EVIL"), dft("M2"), dft("M2", charge="5"), b"DOE^JANE 7001 ACC1")
    told = str(list(ExceptionCase.objects.values()))
    assert ExceptionCase.objects.count() == 3
    assert not [word for word in ("DOE", "JANE", "7001", "ACC1") if word in told]
