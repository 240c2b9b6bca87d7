"""Draining an outbound endpoint: open calls are settled, no new one is made, whatever a sender knew of it."""

from datetime import timedelta

from django.utils import timezone

from hub import access, draining, outbox, pipeline, sending
from hub.models import Delivery, Dispatch, Endpoint
from tests import world
from tests.faults.kit import Books, run_through
from tests.world import dft, ft1

WHY = "the partner moves tonight"
ONE = dft("M1", "A1", ft1("T1", "STENT", "1", "2000"))
TWO = dft("M2", "A1", ft1("T2", "STENT", "1", "2000"))


def long_ago(endpoint: Endpoint) -> Endpoint:
    """It was told to drain some minutes ago."""
    Endpoint.objects.filter(pk=endpoint.pk).update(draining_since=timezone.now() - timedelta(minutes=5))
    endpoint.refresh_from_db()
    return endpoint


def test_an_outbound_one_settles_its_open_calls_and_makes_no_new_one(books: Books) -> None:
    """A call that waits to be tried again goes out; what came later waits, and goes out when it takes again."""
    erp = Endpoint.objects.get(code="summit")
    world.receive(ONE)
    books.fault("unavailable", times=1)
    world.run_until_quiet()
    assert Dispatch.objects.get().status == "waiting"
    draining.drain(erp, reason=WHY, by=access.SYSTEM)
    world.receive(TWO)
    world.run_until_quiet()
    erp = long_ago(erp)
    assert draining.left(erp) == draining.Left(1, 1, 0)
    assert draining.state(erp) == "draining"
    run_through()
    assert [call.status for call in Dispatch.objects.all()] == ["delivered"]
    assert draining.left(erp) == draining.Left(0, 1, 0)
    assert draining.state(erp) == "drained"
    assert "1 delivery waits until it takes again" in draining.told(erp)
    books.agree(ONE, TWO, posted=1)

    draining.take_again(erp, by=access.SYSTEM)
    run_through()
    books.agree(ONE, TWO, posted=2)
    books.settled()


def test_a_sender_that_has_not_heard_of_it_makes_no_call_either(books: Books) -> None:
    """It read the endpoint before it was drained: the row decides at the moment of the claim."""
    stale = Endpoint.objects.select_related("partner").get(code="summit")
    world.receive(ONE)
    pipeline.drain()
    outbox.drain()
    draining.drain(stale, reason=WHY, by=access.SYSTEM)
    assert stale.draining_since is None
    assert sum(sending.step(route, stale) for route in sending.roads(stale)) == 0
    assert Dispatch.objects.count() == 0
    assert Delivery.objects.get(route="journals.post").status == "pending"
