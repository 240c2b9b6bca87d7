"""Finders: every business key leads to its messages, through an index or a few segments, for whoever may see them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from hub import access, finders, ids
from hub.errors import HubError, Refused
from hub.models import Message
from tests import world
from tests.hub.api import rows
from tests.hub.search.conftest import Store, cut_all
from tests.world import dft, ft1

pytestmark = pytest.mark.django_db
FEBRUARY = datetime(2024, 2, 1, tzinfo=UTC)


def find(name: str, value: str, by: access.Actor = access.SYSTEM, **more: Any) -> list[UUID]:
    """The ids of a page."""
    return finders.find(name, value, by=by, **more).ids


def ordered(transaction: str, order: str) -> str:
    """An FT1 with a filler order number (FT1-23)."""
    fields = ft1(transaction, "STENT", "1", "2000").split("|")
    padded = [*fields, *[""] * 23][:23]
    return "|".join([*padded, order])


def test_every_key_finds_its_messages() -> None:
    """Account, charge, order, item, control id, correlation id and key: each finds exactly what it should."""
    world.masters()
    world.billing()
    world.receive(
        dft("M1", "A1", ordered("T1", "ORD-4711")), dft("M2", "A1", ft1("T2", "GAUZE", "1", "9")),
        dft("M3", "A2", ft1("T3", "STENT", "1", "2000")),
    )  # fmt: skip
    world.run_until_quiet()
    ids_ = dict(Message.objects.values_list("control_id", "pk"))
    assert find("account", "A1") == find("key", "A1") == [ids_["M2"], ids_["M1"]]
    assert find("charge", "T3") == [ids_["M3"]]
    assert find("order", "ORD-4711") == [ids_["M1"]]
    assert find("item", "GAUZE") == [ids_["M2"]]
    assert find("control_id", "M2") == [ids_["M2"]]
    assert find("correlation_id", str(ids_["M3"])) == [ids_["M3"]]
    assert find("account", "A9") == find("order", "ORD") == []
    assert finders.anything("A1", by=access.SYSTEM) == [ids_["M2"], ids_["M1"]]
    assert finders.anything("ORD-4711", by=access.SYSTEM) == [ids_["M1"]]


def test_a_column_is_found_through_the_filters(store: Store) -> None:
    """In segments and in what is not cut yet, the newest first, page after page."""
    made = store(1000, FEBRUARY - timedelta(seconds=1000))
    again = store(1000, FEBRUARY + timedelta(seconds=5))
    cut_all()
    assert find("key", "A77") == [again[77], made[77]]
    assert find("key", "A77", size=1) == [again[77]]
    assert find("key", "A77", before=again[77]) == [made[77]]


def test_the_facilities_of_the_actor_hold(store: Store) -> None:
    """Another facility's message with the same key is not found, by a filter or by an index."""
    mine, other = store(1, facility="RIVER"), store(1, FEBRUARY, facility="NORTH")
    for id_ in (*mine, *other):
        rows.charge(message_id=id_, account="A0")
    who = access.person(rows.user("hub.view_message", facility="RIVER"))
    for name in ("key", "account"):
        assert find(name, "A0", who) == mine
        assert find(name, "A0") == other + mine
    assert find("account", "A0", who, size=1) == mine


@pytest.mark.parametrize(("name", "value"), [("nobody", "1"), ("journal", "x"), ("key", ""), ("key", "x" * 201)])
def test_what_cannot_be_a_key_is_refused(name: str, value: str) -> None:
    """With a sentence that says what can be."""
    with pytest.raises(Refused) as error:
        find(name, value)
    assert error.value.code == "FIND_KEY"


def test_two_finders_of_one_name_are_a_mistake() -> None:
    """The second is refused when its app is loaded."""
    with pytest.raises(HubError, match="IF_FINDER"):
        finders.register([finders.finders["key"]])


@pytest.mark.parametrize("name", sorted(finders.finders))
def test_no_finder_reads_a_whole_big_table(name: str) -> None:
    """The plan of each, with sequential scans made dear: none is left, so each has its index."""
    finder = finders.finders[name]
    value: Any = ids.uuid7() if finder.read is finders.as_id else "A1"
    params = {"value": value, "before": finders.LAST, "low": ids.floor(FEBRUARY), "limit": 50}
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {finder.sql}", params)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    big = ("hub_message", "hub_fact", "hub_delivery", "billing_charge", "erp_allocation", "erp_journalline")
    assert [line for line in plan.splitlines() if "Seq Scan" in line and any(table in line for table in big)] == []
    assert "Index Cond" in plan
