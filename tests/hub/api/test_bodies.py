"""F-R5: whatever bytes arrive as a body, the answer is a 4xx that says why, and nothing moves."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.api import parsers, problems
from hub.models import AuditEntry, ExceptionCase
from tests.hub.api import rows

HOSTILE = {
    "not JSON": (b"reason=x", 400),
    "cut short": (b'{"reason": "x"', 400),
    "two objects": (b'{"reason": "x"} {}', 400),
    "NaN": (b'{"reason": NaN}', 400),
    "Infinity": (b'{"reason": -Infinity}', 400),
    "a float that overflows": (b'{"reason": 1e999}', 400),
    "a name twice": (b'{"reason": "x", "reason": "y"}', 400),
    "a name twice, deeper": (b'{"reason": {"a": 1, "a": 2}}', 400),
    "a list": (b"[]", 400),
    "a text": (b'"reason"', 400),
    "null": (b"null", 400),
    "an unknown field": (b'{"reason": "x", "status": "resolved"}', 400),
    "a wrong type": (b'{"reason": {"text": "x"}}', 400),
    "true": (b'{"reason": true}', 400),
    "NUL": (b'{"reason": "x\\u0000"}', 400),
    "half a surrogate pair": (b'{"reason": "\\ud800"}', 400),
    "invalid UTF-8": (b'{"reason": "\xff"}', 400),
    "UTF-16": ('{"reason": "x"}'.encode("utf-16"), 400),
    "a byte order mark": (b'\xef\xbb\xbf{"reason": "x"}', 400),
    "deep lists": (b'{"reason": ' + b"[" * 200_000 + b"]" * 200_000 + b"}", 400),
    "just too deep": (b'{"reason": ' + b"[" * 17 + b"]" * 17 + b"}", 400),
    "a long number": (b'{"reason": ' + b"9" * 100_000 + b"}", 400),
    "a long reason": (b'{"reason": "' + b"x" * 2001 + b'"}', 400),
    "a megabyte and more": (b'{"reason": "' + b"x" * parsers.MAX_BYTES + b'"}', 413),
}


@pytest.fixture
def caller(db: None) -> rows.Caller:
    """Somebody who may waive cases."""
    return rows.Caller(rows.user("hub.view_exceptioncase", "hub.waive_exceptioncase"))


@pytest.mark.parametrize("name", HOSTILE)
def test_F_R5_a_hostile_body_is_refused_and_moves_nothing(caller: rows.Caller, name: str) -> None:
    """4xx, a problem, no word of the body in it, and the case as it was."""
    data, status = HOSTILE[name]
    case = rows.case()
    answer = caller.post_raw(f"/cases/{case.pk}/waive", data)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert len(answer.content) < 2000
    assert ExceptionCase.objects.get().status == "open"
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/xml", "multipart/form-data; boundary=x", "a/b", ""]
)
def test_only_json_is_taken(caller: rows.Caller, content_type: str) -> None:
    """415 names what is taken."""
    answer = caller.post_raw(f"/cases/{rows.case().pk}/waive", b'{"reason": "x"}', content_type)
    assert (answer.status_code, answer.json()["code"]) == (415, "API_MEDIA_TYPE")
    assert ExceptionCase.objects.get().status == "open"


def test_a_compressed_body_is_not_unpacked(caller: rows.Caller) -> None:
    """A small body cannot become a large one."""
    answer = caller.post_raw(f"/cases/{rows.case().pk}/waive", b"\x1f\x8b", **{"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.json()["code"]) == (415, "API_MEDIA_TYPE")


def test_a_verb_takes_no_query_parameters(caller: rows.Caller) -> None:
    """What stands behind the question mark would be lost in silence."""
    case = rows.case()
    answer = caller.post(f"/cases/{case.pk}/waive?reason=x", {"reason": "x"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "reason")


@pytest.mark.parametrize("path", ["0", "9" * 18, "9" * 40, "-1", "1.0", "x", "%00", "1%00", "1 or 1=1", "%F0%9F%92%A9"])
def test_an_id_that_is_none_is_a_404(caller: rows.Caller, path: str) -> None:
    """No path is an error of ours."""
    assert caller.get(f"/cases/{path}").status_code == 404
    assert caller.post(f"/cases/{path}/waive", {"reason": "x"}).status_code == 404


@given(data=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_read_or_refused_with_a_problem(data: bytes) -> None:
    """The strict reader raises nothing but our problems."""
    try:
        parsers.loads(data)
        status = 200
    except problems.Problem as problem:
        status = problem.status_code
    assert status in {200, 400}
