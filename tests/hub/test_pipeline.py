"""The pipeline among things that change while it runs."""

import pytest

from hub import doorkeys, pipeline, tasks
from hub.models import Message
from tests import world
from tests.world import dft, ft1


@pytest.mark.django_db
def test_a_message_of_a_door_that_was_opened_a_moment_ago_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker knows its doors for two seconds; one that it has never heard of is looked up, and no defect."""
    world.masters()
    world.billing()
    tasks.ensure_lanes()
    world.receive(dft("M1", "A1", ft1("T1", "STENT", "1", "2000")))
    doorkeys.forget()
    known = doorkeys.inbound()
    monkeypatch.setattr(doorkeys._cache, "doors", {})  # as it was before the door was opened
    assert known
    assert doorkeys.inbound() == {}

    assert pipeline.drain() == 1

    assert list(Message.objects.values_list("control_id", "status")) == [("M1", "applied")]
