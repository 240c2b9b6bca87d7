"""What a code means on a day: precedence, dates, reasons, and one query however many are asked."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.models import Partner
from hub.routing import MissingCode
from mappings import crosswalk
from mappings.crosswalk import CodeRequest, Crosswalk, Meaning, Row, choose
from mappings.models import SharedCodes
from tests.mappings import network

DAY = date(2026, 11, 20)
START = date(2026, 1, 1)


def ask(code: str, facility: str = "RIVER", on: date = DAY, domain: str = "department") -> Meaning | MissingCode:
    """One code, translated."""
    return crosswalk.translate([CodeRequest("carebill", domain, code, on, facility, "text")])[0]


def test_many_codes_of_many_kinds_cost_one_query(carebill: Partner, django_assert_num_queries: Any) -> None:
    """Nine hundred requests of three domains and two partners are one query, answered in the order asked."""
    requests = [
        CodeRequest(partner, domain, code, DAY, facility)
        for partner in ("carebill", "other")
        for domain, code in (("department", "CATHLAB"), ("charge_code", "2701001"), ("facility", "RIVER"))
        for facility in ("RIVER", "NORTH", "")
    ] * 50
    with django_assert_num_queries(1):
        answers = crosswalk.translate(requests)
    assert len(answers) == 900
    assert answers[0] == Meaning("R110")
    assert sum(isinstance(answer, Meaning) for answer in answers) == 50 * 7


def test_nothing_asked_costs_nothing(django_assert_num_queries: Any, db: None) -> None:
    """No request, no query."""
    with django_assert_num_queries(0):
        assert crosswalk.translate([]) == []


def test_a_facilitys_own_row_beats_the_general_one(carebill: Partner) -> None:
    """The row limited to the sender's facility is heard first, the general one for everybody else."""
    network.approved(carebill, "department", "OR", "N110")
    network.approved(carebill, "department", "OR", "R110", facility="RIVER")
    assert ask("OR") == Meaning("R110")
    assert ask("OR", "NORTH") == Meaning("N110")


def test_a_missing_code_says_who_maps_it(carebill: Partner) -> None:
    """The answer to an unknown code carries case, owner, facility, day and the sender's text."""
    assert ask("CATHLAB2") == MissingCode(
        "department", "CATHLAB2", "RIVER", "unknown", "text", DAY, "finance", "MAP_MISSING"
    )
    assert ask("X", domain="item") == MissingCode(
        "item", "X", "RIVER", "unknown", "text", DAY, "supply_chain", "ITEM_UNKNOWN"
    )


@pytest.mark.parametrize(
    ("dates", "reason"),
    [({"valid_to": date(2026, 11, 19)}, "expired"), ({"valid_from": date(2026, 11, 21)}, "not_yet_valid"),
     ({"status": "retired"}, "unknown"), ({"status": "proposed", "approved_by": None, "approved_at": None}, "unknown")],
)  # fmt: skip
def test_a_row_that_does_not_hold_gives_its_reason(carebill: Partner, dates: dict[str, Any], reason: str) -> None:
    """Expired, not yet valid, withdrawn or merely proposed rows translate nothing, and say so."""
    network.approved(carebill, "department", "OR", "R110", **dates)
    found = ask("OR")
    assert isinstance(found, MissingCode)
    assert found.reason == reason


def test_first_and_last_day_are_included(carebill: Partner) -> None:
    """A mapping holds on both of its bounds and on no day beside them."""
    network.approved(carebill, "department", "OR", "R110", valid_from=DAY, valid_to=DAY)
    one = timedelta(days=1)
    assert [isinstance(ask("OR", on=day), Meaning) for day in (DAY - one, DAY, DAY + one)] == [False, True, False]


def test_a_retired_row_speaks_for_the_days_before_its_end(carebill: Partner) -> None:
    """What was retired with a last day still explains a late charge; a row in force beats it where both could."""
    network.approved(carebill, "department", "OR", "R110", status="retired", valid_to=DAY)
    assert ask("OR") == Meaning("R110")
    network.approved(carebill, "department", "OR", "R120")
    assert ask("OR") == Meaning("R120")


def test_shared_codes_stand_for_themselves_unless_somebody_mapped_them(carebill: Partner) -> None:
    """A partner that speaks our codes needs no mapping; a mapping beats the shared code, an expired one hides it."""
    assert ask("2701001", domain="charge_code") == Meaning("2701001", shared=True)
    network.approved(carebill, "charge_code", "2701001", "2706014")
    assert ask("2701001", domain="charge_code") == Meaning("2706014")
    network.approved(carebill, "charge_code", "OLD", "2706014", valid_to=START)
    found = ask("OLD", domain="charge_code")
    assert isinstance(found, MissingCode)
    assert found.reason == "expired"


def test_the_default_row_answers_last_and_is_flagged(carebill: Partner) -> None:
    """The default "*" answers what nothing else does, the facility's before the general one, and says so."""
    network.approved(carebill, "department", "*", "N110")
    assert ask("NEW") == Meaning("N110", by_default=True)
    network.approved(carebill, "department", "*", "R110", facility="RIVER")
    assert ask("NEW") == Meaning("R110", by_default=True)
    assert ask("CATHLAB") == Meaning("R110")
    assert ask("*") == ask("") == Meaning("R110", by_default=True)
    network.approved(carebill, "charge_code", "*", "2706014")
    assert ask("NOPE", domain="charge_code") == Meaning("NOPE", shared=True, otherwise="2706014")


def test_two_rows_that_disagree_are_never_settled_by_a_default() -> None:
    """Two meanings of one rank are ambiguous, whatever the default row says."""
    rows = {
        ("p", "department", "OR"): [Row("", "A", START, None), Row("", "B", START, None)],
        ("p", "department", "*"): [Row("", "C", START, None)],
    }
    assert Crosswalk(rows, frozenset()).meaning("p", "department", "RIVER", "OR", DAY) == "ambiguous"


def test_a_code_that_was_not_sent_is_never_shared(carebill: Partner) -> None:
    """An absent code is missing even where the partner shares our codes."""
    SharedCodes.objects.create(partner=carebill, domain="department")
    found = ask("")
    assert isinstance(found, MissingCode)


OFFSETS = st.integers(min_value=0, max_value=8)
HOMES = st.sampled_from(["", "RIVER", "NORTH"])
ROWS = st.lists(st.tuples(HOMES, st.sampled_from("AB"), OFFSETS, st.none() | OFFSETS, st.booleans()), max_size=6)


def day(offset: int) -> date:
    """A day of the model."""
    return START + timedelta(days=offset)


@given(rows=ROWS, facility=st.sampled_from(["", "RIVER", "SOUTH"]), on=OFFSETS)
def test_effective_dating_agrees_with_a_naive_model(
    rows: list[tuple[str, str, int, int | None, bool]], facility: str, on: int
) -> None:
    """For any rows, facility and day the answer is that of a model that lists every single day."""
    made = [
        Row(
            home, target, START + timedelta(days=first), None if last is None else START + timedelta(days=last), retired
        )
        for home, target, first, last, retired in rows
    ]
    meanings: set[str] = set()
    for rank in [(home, retired) for home in dict.fromkeys([facility, ""]) for retired in (False, True)]:
        meanings = {
            target
            for home, target, first, last, retired in rows
            if (home, retired) == rank and on in range(first, 9 if last is None else last + 1)
        }
        if meanings:
            break
    found = choose(made, facility, day(on))
    if len(meanings) == 1:
        assert isinstance(found, Row)
        assert {found.target} == meanings
    elif meanings:
        assert found == "ambiguous"
    else:
        reachable = [row for row in rows if row[0] in {facility, ""}]
        assert found in ({"unknown"} if not reachable else {"expired", "not_yet_valid"})
