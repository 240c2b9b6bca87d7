"""Faults on request: each does what it says, counts what it did, and ends when it should."""

import http.client
import json
import signal
from collections.abc import Callable
from typing import Any

import pytest

from sandbox.erp.faults import Fault, Faults
from tests.sandbox.erp_client import TOKEN, ErpProcess, journal

Start = Callable[..., ErpProcess]


def test_a_good_erp_injects_nothing(erp: ErpProcess) -> None:
    """Without being asked the ERP has no faults."""
    assert erp.get("/_sandbox/faults") == {"active": [], "injected": {}}


def test_down_resets_the_connection_and_heals_by_count(erp: ErpProcess) -> None:
    """A reset reaches reads and writes alike, nothing is posted, and after `times` all is well."""
    erp.fault(mode="down", times=2)
    with pytest.raises(ConnectionResetError):
        erp.post(journal("k1"))
    with pytest.raises(ConnectionResetError):
        erp.get("/v1/health")
    assert erp.get("/v1/journals?external_key=k1")["items"] == []
    assert erp.injected() == {"down": 2}
    assert erp.get("/_sandbox/faults")["active"] == []


@pytest.mark.parametrize(("mode", "status"), [("unavailable", 503), ("rate_limit", 429)])
def test_refusals_for_now_say_when_to_come_back(erp: ErpProcess, mode: str, status: int) -> None:
    """503 and 429 carry Retry-After, and post nothing."""
    erp.fault(mode=mode, retry_after=7, **({"per_second": 0} if mode == "rate_limit" else {}))
    erp.connection.request("POST", "/v1/journals", b"{}", {"Authorization": f"Bearer {TOKEN}"})
    response = erp.connection.getresponse()
    response.read()
    assert (response.status, response.headers["Retry-After"]) == (status, "7")
    assert erp.call("DELETE", "/_sandbox/faults")[1]["active"] == []
    assert erp.post(journal("k1"))[0] == 201


def test_the_rate_limit_lets_the_allowed_number_through() -> None:
    """With two a second, two pass at once, the third is refused, and half a second later one passes again."""
    now = [100.0]
    fault = Fault({"mode": "rate_limit", "per_second": 2}, clock=lambda: now[0])
    assert [fault.strikes("GET", "/v1/health") for _ in range(3)] == [False, False, True]
    now[0] += 0.5
    assert [fault.strikes("GET", "/v1/health") for _ in range(2)] == [False, True]


def test_a_fault_ends_after_its_seconds() -> None:
    """A fault with `seconds` strikes until then and not after."""
    now = [100.0]
    fault = Fault({"mode": "down", "seconds": 5}, clock=lambda: now[0])
    assert fault.strikes("GET", "/v1/health")
    now[0] += 5
    assert not fault.strikes("GET", "/v1/health")
    assert fault.spent


def test_probability_is_repeatable_by_seed() -> None:
    """The same seed strikes the same requests, about as often as asked."""
    document = {"mode": "down", "probability": 0.25, "seed": 7}
    fault, same = Fault(document), Fault(document)
    first = [fault.strikes("GET", "/v1/x") for _ in range(400)]
    assert first == [same.strikes("GET", "/v1/x") for _ in range(400)]
    assert 60 < sum(first) < 140


def test_slow_answers_late_and_then_truly(erp: ErpProcess) -> None:
    """A client that waits less than the delay times out; the journal is posted all the same."""
    erp.fault(mode="slow", delay_s=1.5, times=1, path="/v1/journals")
    impatient = erp.connect(timeout=0.2)
    impatient.request("GET", "/v1/journals", headers={"Authorization": f"Bearer {TOKEN}"})
    with pytest.raises(TimeoutError):
        impatient.getresponse()
    impatient.close()
    erp.fault(mode="slow", delay_s=0.05, times=1)
    assert erp.post(journal("k1"))[0] == 201
    assert erp.injected() == {"slow": 2}


def test_commit_then_die_has_posted_the_journal(erp: ErpProcess) -> None:
    """The client sees a reset; the journal is in the ledger, and the same journal again is a duplicate."""
    erp.fault(mode="commit_then_die", times=1)
    with pytest.raises(ConnectionResetError):
        erp.post(journal("k1"))
    found = erp.get("/v1/journals?external_key=k1")["items"]
    assert len(found) == 1
    assert erp.post(journal("k1")) == (200, {**found[0], "duplicate": True})
    assert erp.totals()["lines"] == 2
    assert erp.injected() == {"commit_then_die": 1}


def test_a_fault_for_one_request_strikes_one_of_two_that_come_together(erp: ErpProcess) -> None:
    """Both are late, so that both are met by the fault before either has used it up; the other one gets its answer."""
    slow, die = {"mode": "slow", "delay_s": 0.5, "times": 2}, {"mode": "commit_then_die", "times": 1}
    assert erp.call("POST", "/_sandbox/faults", {"faults": [slow, die]})[0] == 200
    both = [erp.connect(), erp.connect()]
    for number, connection in enumerate(both):
        body = json.dumps(journal(f"k{number}")).encode()
        connection.request("POST", "/v1/journals", body, {"Authorization": f"Bearer {TOKEN}"})

    answers = []
    for connection in both:
        try:
            answers.append(connection.getresponse().status)
        except ConnectionResetError:
            answers.append(0)
        connection.close()

    assert sorted(answers) == [0, 201]
    assert erp.injected() == {"slow": 2, "commit_then_die": 1}
    assert erp.post(journal("k2"))[0] == 201


def test_commit_then_die_can_take_the_process_with_it(start_erp: Start) -> None:
    """With `exit` the process is gone like after kill -9, and its next life finds the journal."""
    erp = start_erp()
    erp.fault(mode="commit_then_die", exit=True)
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        erp.post(journal("k1"))
    assert erp.program.finish() == -signal.SIGKILL
    again = start_erp()
    assert len(again.get("/v1/journals?external_key=k1")["items"]) == 1
    assert again.get("/_sandbox/faults")["active"] == []


def test_commit_then_hang_has_posted_the_journal(erp: ErpProcess) -> None:
    """The client hears nothing; the journal is in the ledger."""
    erp.fault(mode="commit_then_hang", times=1)
    impatient = erp.connect(timeout=0.5)
    impatient.request("POST", "/v1/journals", json.dumps(journal("k1")), {"Authorization": f"Bearer {TOKEN}"})
    with pytest.raises(TimeoutError):
        impatient.getresponse()
    impatient.close()
    assert len(erp.get("/v1/journals?external_key=k1")["items"]) == 1


def test_a_fault_of_posting_waits_for_a_journal_that_is_posted(erp: ErpProcess) -> None:
    """A journal that is refused, and a duplicate, do not use up a fault that tells of a commit."""
    erp.post(journal("k1"))
    erp.fault(mode="commit_then_die", times=1)
    assert erp.post(journal("k2", entity="NOWHERE"))[0] == 422
    assert erp.post(journal("k1"))[0] == 200
    assert erp.get("/v1/health")["journals"] == 1
    assert erp.injected() == {}
    with pytest.raises(ConnectionResetError):
        erp.post(journal("k3"))


def test_reject_refuses_with_the_code_asked_for(erp: ErpProcess) -> None:
    """A rejected journal is not in the ledger; look-ups are not rejected."""
    erp.fault(mode="reject", code="unknown_account", message="no such account", times=1)
    assert erp.post(journal("k1")) == (422, {"error": {"code": "unknown_account", "message": "no such account"}})
    assert erp.get("/v1/journals")["items"] == []
    assert erp.post(journal("k1"))[0] == 201


def test_id_missing_posts_but_does_not_say_what(erp: ErpProcess) -> None:
    """A success without an id: the journal stands under its key."""
    erp.fault(mode="id_missing", times=1)
    status, body = erp.post(journal("k1"))
    assert (status, "id" in body, body["external_key"]) == (201, False, "k1")
    assert erp.get("/v1/journals?external_key=k1")["items"][0]["id"]


@pytest.mark.parametrize("body", ["text", "html", "truncated"])
def test_garbage_is_a_success_that_is_no_answer(erp: ErpProcess, body: str) -> None:
    """200 with a body that is not JSON; nothing is posted."""
    erp.fault(mode="garbage", body=body, times=1)
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        erp.post(journal("k1"))
    assert erp.totals()["journals"] == 0


def test_a_huge_answer_is_as_large_as_asked(erp: ErpProcess) -> None:
    """A hostile reply: 200, and a body of the size asked for."""
    erp.fault(mode="garbage", body="huge", size=5_000_000, times=1)
    _, body = erp.post(journal("k1"))
    assert len(body["id"]) == 5_000_000


def test_several_faults_act_together(erp: ErpProcess) -> None:
    """A list of faults: each strikes by its own rule, and a delay comes before the refusal."""
    erp.fault(faults=[{"mode": "unavailable", "times": 1}, {"mode": "slow", "delay_s": 0.01, "times": 2}])
    assert erp.get("/_sandbox/faults")["active"][1]["times"] == 2
    assert erp.call("GET", "/v1/health")[0] == 503
    assert erp.call("GET", "/v1/health")[0] == 200
    assert erp.injected() == {"slow": 2, "unavailable": 1}


def test_faults_can_be_given_at_the_start(start_erp: Start) -> None:
    """`--faults` takes what the route takes."""
    erp = start_erp("--faults", '{"mode": "unavailable", "times": 1}')
    assert [erp.call("GET", "/v1/health")[0] for _ in range(2)] == [503, 200]


@pytest.mark.parametrize(
    "document",
    [
        {"mode": "explode"},
        {"mode": ["down"]},
        {},
        [],
        {"mode": "down", "delay_s": 1},
        {"mode": "slow", "delay_s": "1"},
        {"mode": "slow", "delay_s": -1},
        {"mode": "down", "times": 1.5},
        {"mode": "down", "seed": "x"},
        {"mode": "garbage", "body": "soup"},
        {"mode": "reject", "code": 5},
        {"mode": "down", "path": "/_sandbox/"},
        {"faults": 3},
        {"faults": [{"mode": "down"}, {"mode": "explode"}]},
    ],
)
def test_a_fault_that_is_not_understood_changes_nothing(quiet_erp: ErpProcess, document: Any) -> None:
    """Bad faults are refused with 422, and those that were active stay active."""
    quiet_erp.fault(mode="slow", delay_s=0)
    status, body = quiet_erp.call("POST", "/_sandbox/faults", document)
    assert (status, body["error"]["code"]) == (422, "invalid_field")
    assert [fault["mode"] for fault in quiet_erp.get("/_sandbox/faults")["active"]] == ["slow"]


def test_no_fault_is_kept_after_it_is_spent() -> None:
    """Spent faults leave the table."""
    faults = Faults()
    faults.set({"mode": "down", "times": 1})
    for fault in faults.striking("GET", "/v1/health"):
        faults.injecting(fault)
    assert faults.striking("GET", "/v1/health") == []
    assert not faults
