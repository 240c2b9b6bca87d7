"""S-10, INV-21: every route, for every role, with an object of the own and of another facility, answers as it should.

The table below is written by hand: what each route needs is said here once more, apart from the code. A route that is
added without an entry fails the first test.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from django.urls import get_resolver
from django.utils import timezone

from hub import ids, roles
from hub.access import ROLES
from tests.hub.api import rows

OWN, OTHER = "RIVER", "NORTH"
WHY = {"reason": "an auditor will understand"}
NO_MATTER: dict[str, Any] = {}


class Entry(NamedTuple):
    """What a route needs, an object for it, and what the body is. `moves`: codes that mean "let in"."""

    needs: tuple[str, ...]
    path: Callable[[str], str]  # makes an object of a facility; returns the path below it
    body: dict[str, Any] = NO_MATTER
    let_in: tuple[int, ...] = (200,)
    hides: bool = True  # another facility's object is a 404


def below(name: str, make: Callable[[str], Any], verb: str = "") -> Callable[[str], str]:
    """The path of an object that `make` makes, and of a verb below it."""
    return lambda facility: f"/{name}/{make(facility).pk}" + (f"/{verb}" if verb else "")


def listed(name: str) -> Callable[[str], str]:
    """A path that needs no object."""
    return lambda facility: f"/{name}"


def lineage(facility: str) -> str:
    """A message that caused a fact."""
    made = rows.message(facility, "applied")
    rows.fact(made)
    return f"/lineage/{made.correlation_id}"


def proposed(facility: str) -> Any:
    """A proposal limited to one facility."""
    return rows.mapping(facility)


def taking(facility: str) -> Any:
    """An endpoint that takes what is new."""
    made = rows.endpoint(facility)
    type(made).objects.filter(pk=made.pk).update(draining_since=None)
    return made


def drained(facility: str) -> Any:
    """An endpoint that takes nothing new."""
    made = rows.endpoint(facility)
    type(made).objects.filter(pk=made.pk).update(draining_since=timezone.now())
    return made


def replay_in(status: str) -> Callable[[str], Any]:
    """A replay of one facility in this status."""
    return lambda facility: rows.replay(facility, status)


V_REPLAY = "hub.view_replay"
V_MESSAGE, V_CASE, V_DELIVERY, V_MAPPING = (
    "hub.view_message", "hub.view_exceptioncase", "hub.view_delivery", "mappings.view_mapping",
)  # fmt: skip
MASTERS = tuple(
    f"mappings.view_{name}" for name in ("costcenter", "glaccount", "department", "item", "facility", "serviceline")
)
PROPOSAL = {"partner": "carebill", "domain": "department", "source_code": "CATH", "target_code": "NO-SUCH"}
SEE, PAUSE, DRAIN = "hub.view_endpoint", "hub.pause_endpoint", "hub.drain_endpoint"
MATRIX = {
    ("GET", "endpoints"): Entry((SEE,), listed("endpoints"), hides=False),
    ("GET", "endpoints/{pk}"): Entry((SEE,), below("endpoints", rows.endpoint)),
    ("POST", "endpoints/{pk}/pause"): Entry((SEE, PAUSE), below("endpoints", rows.endpoint, "pause")),
    ("POST", "endpoints/{pk}/resume"): Entry((SEE, PAUSE), below("endpoints", rows.endpoint, "resume")),
    ("POST", "endpoints/{pk}/drain"): Entry((SEE, DRAIN), below("endpoints", taking, "drain"), WHY),
    ("POST", "endpoints/{pk}/take_again"): Entry((SEE, DRAIN), below("endpoints", drained, "take_again")),
    ("GET", "messages"): Entry((V_MESSAGE,), listed("messages"), hides=False),
    ("GET", "messages/{pk}"): Entry((V_MESSAGE,), below("messages", rows.message)),
    ("GET", "messages/{pk}/lineage"): Entry(
        (V_MESSAGE, "hub.view_fact", V_DELIVERY, "hub.view_dispatch"), below("messages", rows.message, "lineage")
    ),
    ("GET", "messages/find"): Entry((V_MESSAGE,), listed("messages/find?by=key&value=ACC1"), hides=False),
    ("GET", "messages/{pk}/raw"): Entry((V_MESSAGE, "hub.view_raw_message"), below("messages", rows.message, "raw")),
    ("POST", "messages/{pk}/retry"): Entry(
        (V_MESSAGE, "hub.retry_message"), below("messages", rows.message, "retry")
    ),
    ("POST", "messages/{pk}/waive"): Entry(
        (V_MESSAGE, "hub.waive_message"), below("messages", rows.message, "waive"), WHY
    ),
    ("POST", "messages/{pk}/resubmit"): Entry(
        (V_MESSAGE, "hub.view_raw_message", "hub.edit_message"), below("messages", rows.message, "resubmit"),
        WHY | {"base64": "TVNI"}, let_in=(409,),  # its door refuses these bytes
    ),
    ("GET", "replays"): Entry((V_REPLAY,), listed("replays"), hides=False),
    ("GET", "replays/{pk}"): Entry((V_REPLAY,), below("replays", rows.replay)),
    ("GET", "replays/{pk}/items"): Entry((V_REPLAY,), below("replays", rows.replay, "items")),
    ("POST", "replays/plan"): Entry(
        (V_REPLAY, "hub.plan_replay"), listed("replays/plan"),
        WHY | {"kind": "messages", "filters": {"status": "stopped", "key": "nobody"}}, let_in=(409,), hides=False,
    ),
    ("POST", "replays/{pk}/approve"): Entry(
        (V_REPLAY, "hub.approve_replay"), below("replays", replay_in("waiting_approval"), "approve")
    ),
    ("POST", "replays/{pk}/reject"): Entry(
        (V_REPLAY, "hub.approve_replay"), below("replays", replay_in("waiting_approval"), "reject"), WHY
    ),
    ("POST", "replays/{pk}/start"): Entry(
        (V_REPLAY, "hub.run_replay"), below("replays", replay_in("planned"), "start")
    ),
    ("POST", "replays/{pk}/pause"): Entry(
        (V_REPLAY, "hub.run_replay"), below("replays", replay_in("running"), "pause")
    ),
    ("POST", "replays/{pk}/resume"): Entry(
        (V_REPLAY, "hub.run_replay"), below("replays", replay_in("paused"), "resume")
    ),
    ("POST", "replays/{pk}/cancel"): Entry(
        (V_REPLAY, "hub.run_replay"), below("replays", replay_in("running"), "cancel"), WHY
    ),
    ("GET", "deliveries"): Entry((V_DELIVERY,), listed("deliveries"), hides=False),
    ("GET", "deliveries/{pk}"): Entry((V_DELIVERY,), below("deliveries", rows.delivery)),
    ("POST", "deliveries/{pk}/retry"): Entry(
        (V_DELIVERY, "hub.retry_delivery"), below("deliveries", rows.delivery, "retry")
    ),
    ("POST", "deliveries/{pk}/waive"): Entry(
        (V_DELIVERY, "hub.waive_delivery"), below("deliveries", rows.delivery, "waive"), WHY
    ),
    ("GET", "dispatches"): Entry(("hub.view_dispatch",), listed("dispatches"), hides=False),
    ("GET", "dispatches/{pk}"): Entry(("hub.view_dispatch",), below("dispatches", rows.dispatch)),
    ("POST", "dispatches/{pk}/resolve"): Entry(
        ("hub.view_dispatch", "hub.resolve_dispatch"), below("dispatches", rows.dispatch, "resolve"),
        {"outcome": "delivered"}, let_in=(409,),  # no reference: refused by the verb itself
    ),
    ("GET", "cases"): Entry((V_CASE,), listed("cases"), hides=False),
    ("GET", "cases/{pk}"): Entry((V_CASE,), below("cases", rows.case)),
    ("POST", "cases/{pk}/assign"): Entry(
        (V_CASE, "hub.assign_exceptioncase"), below("cases", rows.case, "assign"), {"to": "nobody"}, let_in=(400,)
    ),
    ("POST", "cases/{pk}/resolve"): Entry(
        (V_CASE, "hub.resolve_exceptioncase"), below("cases", rows.case, "resolve"), WHY
    ),
    ("POST", "cases/{pk}/retry"): Entry((V_CASE, "hub.retry_exceptioncase"), below("cases", rows.case, "retry")),
    ("POST", "cases/{pk}/waive"): Entry((V_CASE, "hub.waive_exceptioncase"), below("cases", rows.case, "waive"), WHY),
    ("GET", "late"): Entry(("hub.view_overdue",), listed("late"), hides=False),
    ("GET", "late/{pk}"): Entry(("hub.view_overdue",), below("late", rows.overdue)),
    ("GET", "charges"): Entry(("billing.view_charge",), listed("charges"), hides=False),
    ("GET", "charges/{pk}"): Entry(("billing.view_charge",), below("charges", rows.charge)),
    ("GET", "reconciliation"): Entry(("billing.view_charge",), listed("reconciliation"), hides=False),
    ("GET", "journals"): Entry(("erp.view_journal",), listed("journals"), hides=False),
    ("GET", "journals/{pk}"): Entry(
        ("erp.view_journal", "erp.view_journalline"), below("journals", rows.journal)
    ),
    ("GET", "lineage/{correlation_id}"): Entry(
        (V_MESSAGE, "hub.view_fact", V_DELIVERY, "hub.view_dispatch"), lineage
    ),
    ("GET", "mappings"): Entry((V_MAPPING,), listed("mappings"), hides=False),
    ("GET", "mappings/{pk}"): Entry((V_MAPPING,), below("mappings", proposed)),
    ("GET", "mappings/{pk}/impact"): Entry((V_MAPPING, V_CASE), below("mappings", proposed, "impact")),
    ("GET", "mappings/suggestions"): Entry(
        (V_MAPPING,), listed("mappings/suggestions?partner=carebill&domain=department&code=CATH"), hides=False
    ),
    ("POST", "mappings/propose"): Entry(
        (V_MAPPING, "mappings.propose_mapping"), listed("mappings/propose"), PROPOSAL | {"facility": OWN},
        let_in=(409,), hides=False,  # the target does not exist: refused by the verb itself
    ),
    ("POST", "mappings/{pk}/approve"): Entry(
        (V_MAPPING, "mappings.approve_mapping"), below("mappings", proposed, "approve"), let_in=(409,)
    ),
    ("POST", "mappings/{pk}/reject"): Entry(
        (V_MAPPING, "mappings.approve_mapping"), below("mappings", proposed, "reject"), WHY
    ),
    ("POST", "mappings/{pk}/retire"): Entry(
        (V_MAPPING, "mappings.retire_mapping"), below("mappings", proposed, "retire"), WHY | {"on": "2026-11-01"},
        let_in=(409,),  # a proposal cannot be retired
    ),
    ("GET", "dimensions/{kind}/{code}"): Entry(
        MASTERS, lambda facility: f"/dimensions/cost_center/CC-1?on=2026-11-01&facility={facility}"
    ),
}  # fmt: skip
# Routes without objects: the OpenAPI document, its page, and the answer to any other path.
OTHERS = {"schema", "docs", ""}


def routes() -> set[tuple[str, str]]:
    """Every method and path below /api/v1/, as the URLconf has them."""
    (api,) = [entry for entry in get_resolver().url_patterns if str(entry.pattern) == "api/v1/"]
    found = set()
    for entry in api.url_patterns:
        path = str(entry.pattern).lstrip("^").removesuffix(r"\Z").removesuffix("$")
        if path in OTHERS:
            continue
        for name in entry.pattern.regex.groupindex:
            start = path.index(f"(?P<{name}>")
            path = path[:start] + f"{{{name}}}" + path[_end(path, start) :]
        found |= {(method.upper(), path) for method in entry.callback.actions if method != "head"}
    return found


def _end(path: str, start: int) -> int:
    """Behind the bracket that closes the group at `start`."""
    depth, position, in_class = 0, start, False
    while True:
        char = path[position]
        position += 2 if char == "\\" else 1
        in_class = (in_class or char == "[") and char != "]"
        depth += (not in_class) * ((char == "(") - (char == ")"))
        if depth == 0:
            return position


def test_INV_21_every_route_has_an_entry_and_every_entry_a_route() -> None:
    """A new route is told here what it needs, or this fails."""
    assert routes() == set(MATRIX)
    assert len(MATRIX) == 54


@pytest.fixture(scope="module")
def held() -> dict[str, frozenset[str]]:
    """What each role may do, as the table of roles says."""
    return {role: frozenset(names) for role, names in roles.PERMISSIONS.items()}


@pytest.mark.django_db
@pytest.mark.parametrize("role", [*ROLES, "nobody", "roleless"])
def test_S_10_every_route_lets_in_exactly_whom_it_should(role: str, held: dict[str, frozenset[str]]) -> None:
    """Own facility: let in with the permissions, 403 without; another facility: 404; nobody: 401."""
    roles.apply()
    rows.endpoint()
    caller = rows.Caller()
    if role != "nobody":
        caller = rows.Caller(rows.user(facility=OWN, role=role if role in ROLES else ""))
    wrong = []
    for (method, path), entry in MATRIX.items():
        allowed = role in held and held[role].issuperset(entry.needs)
        for facility in (OWN, OTHER):
            hidden = facility == OTHER and entry.hides
            expected = (404,) if hidden else entry.let_in
            if role == "nobody":
                expected = (401,)
            elif not allowed:
                expected = (403,)
            got = ask(caller, method, entry, facility)
            if got not in expected:
                wrong.append((method, path, facility, got, expected))
    assert wrong == []


@pytest.mark.django_db
def test_every_role_may_something_and_none_may_everything(held: dict[str, frozenset[str]]) -> None:
    """The matrix above sees both sides of every door: for each route that moves something, somebody may and may not."""
    for (method, path), entry in MATRIX.items():
        allowed = {role for role in ROLES if held[role].issuperset(entry.needs)}
        assert allowed, (method, path)
        if method == "POST":
            assert allowed != set(ROLES), (method, path)


@pytest.mark.django_db
def test_a_key_takes_the_same_path_as_a_browser_and_is_narrowed_by_its_scopes() -> None:
    """With the right scope each route answers as in the browser; with any other scope it is a 403."""
    roles.apply()
    rows.endpoint()
    account = rows.user(facility=OWN, role="integration")
    account.is_staff = True
    everything, nothing = rows.Caller(account, "*"), rows.Caller(account, "unrelated.read")
    browser = rows.Caller(account)
    for (method, _), entry in MATRIX.items():
        assert ask(everything, method, entry, OWN) == ask(browser, method, entry, OWN)
        assert ask(nothing, method, entry, OWN) == 403


@pytest.mark.django_db
def test_nobody_is_told_what_exists() -> None:
    """An object that is not there and one of another facility answer with the same words."""
    roles.apply()
    caller = rows.Caller(rows.user(facility=OWN, role="integration"))
    absent = caller.get(f"/messages/{ids.uuid7()}").json()
    foreign = caller.get(f"/messages/{rows.message(OTHER).pk}").json()
    for answer in (absent, foreign):
        answer.pop("instance")
    assert absent == foreign


def ask(caller: rows.Caller, method: str, entry: Entry, facility: str) -> int:
    """The status code of one request with a fresh object."""
    path = entry.path(facility)
    answer = caller.get(path) if method == "GET" else caller.post(path, dict(entry.body))
    status: int = answer.status_code
    return status
