"""A mapping changes while a message is being worked on: each message has one meaning, and it keeps it (F-P3)."""

from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import User

from billing.models import Charge
from erp.models import JournalLine
from hub import access, pipeline, replay
from hub.models import Message
from hub.routing import Inbound, Part, registry
from mappings.flows import mappings
from mappings.models import Mapping
from tests import world
from tests.faults.kit import Books, rows, run_through
from tests.faults.test_replays import everything
from tests.races.kit import at_once
from tests.world import TODAY, dft, ft1

OLD, NEW = "R110", "R140"


def remap() -> None:
    """EP meant R110; from today on it means R140, by two people as always."""
    row = Mapping.objects.get(domain="department", source_code="EP")
    Mapping.objects.filter(pk=row.pk).update(target_code=NEW)  # as one commit: in force the moment before and after


def meanings() -> dict[str, str]:
    """What each message's department became, by control id."""
    names = dict(Message.objects.values_list("pk", "control_id"))
    return {names[message]: ours for message, ours in Charge.objects.values_list("message_id", "department")}


def costed_where_charged() -> None:
    """Every leg on the cost side stands on the cost centre of its charge, whatever the mapping says by now."""
    wrong = rows(
        "SELECT c.id FROM billing_charge c JOIN erp_journalline l ON l.charge_id = c.id"
        " WHERE l.debit > 0 AND l.cost_center <> c.cost_center"
    )
    assert wrong == []
    assert JournalLine.objects.exists()


def test_F_P3_a_batch_that_began_under_the_old_mapping_ends_under_it_and_the_next_has_the_new_one(
    committed_books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its translation and its commit somebody changes the mapping: no line of the batch is of two minds."""
    first = [dft(f"M{n}", f"A{n}", ft1(f"T{n}", "STENT", "1", "2000"), ft1(f"U{n}", "STENT", "1", "2000"))
             for n in range(4)]  # fmt: skip
    world.receive(*first)
    real = registry.routes["charges.dft"]
    assert isinstance(real, Inbound)

    def translate(parts: list[Part]) -> None:
        real.translate(parts)
        assert at_once(remap) == [None]  # committed by somebody else, now

    monkeypatch.setitem(registry.routes, real.name, replace(real, translate=translate))
    assert pipeline.process() == 4
    monkeypatch.undo()
    later = dft("M9", "A0", ft1("T9", "STENT", "1", "2000"))
    world.receive(later)
    run_through()
    assert meanings() == {**{f"M{n}": OLD for n in range(4)}, "M9": NEW}
    assert Charge.objects.filter(department=OLD, cost_center="CC-R110").count() == 8
    costed_where_charged()
    committed_books.agree(*first, later, posted=9)


def test_F_P3_a_replay_under_the_new_mapping_books_nothing_again_and_moves_nothing(committed_books: Books) -> None:
    """What was captured keeps its meaning: a replay finds it by its key, and a correction is a credit and a charge."""
    sent = [dft(f"M{n}", f"A{n}", ft1(f"T{n}", "STENT", "1", "2000")) for n in range(3)]
    world.receive(*sent)
    run_through()
    before: Any = rows("SELECT id, department, cost_center, status FROM billing_charge ORDER BY id")
    remap()
    one = everything()
    run_through()
    assert replay.counts(one)["done"] == 3
    assert rows("SELECT id, department, cost_center, status FROM billing_charge ORDER BY id") == before
    costed_where_charged()
    committed_books.agree(*sent, posted=3)


def test_F_P3_lines_that_waited_get_the_meaning_of_the_moment_they_go_on_and_their_neighbours_keep_theirs(
    committed_books: Books,
) -> None:
    """Half of a message was captured under the old meaning; what waited for a code comes under the one approved."""
    both = dft("M1", "A1", ft1("T1", "STENT", "1", "2000"), ft1("T2", "STENT", "1", "2000", "CATHLAB2"))
    world.receive(both)
    run_through()
    remap()
    author = access.person(User.objects.get(username="author"))
    approver = access.person(world.user("second", "mappings.approve_mapping", "hub.retry_exceptioncase"))
    world_author = world.user("third", "mappings.propose_mapping")
    proposed = mappings.propose(
        partner="carebill", domain="department", source_code="CATHLAB2", target_code="R115", valid_from=TODAY,
        by=access.person(world_author),
    )  # fmt: skip
    assert author.name != approver.name
    mappings.approve(proposed, by=approver)
    run_through()
    assert list(Charge.objects.order_by("part").values_list("department", flat=True)) == [OLD, "R115"]
    costed_where_charged()
    committed_books.agree(both, posted=2)
