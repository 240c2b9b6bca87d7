"""Looks for what is late, while others look and workers work: one case, no row twice, and nothing late is left over."""

from datetime import timedelta

from django.utils import timezone

from hub import lateness, outbox, pipeline
from hub.models import Endpoint, ExceptionCase, Overdue
from tests import world
from tests.races.kit import at_once
from tests.world import dft, ft1


def test_four_looks_at_once_open_one_case_and_file_everything_once(committed_network: Endpoint) -> None:
    """Two beats and two slow workers: one of them looks, the others go away; the next look changes nothing."""
    world.receive(*(dft(f"M{n}", f"A{n}", ft1(f"T{n}", "STENT", "1", "2000")) for n in range(30)))
    pipeline.drain()
    later = timezone.now() + timedelta(minutes=20)
    assert at_once(*[lambda: lateness.look(later)] * 4) == [None] * 4
    assert Overdue.objects.filter(late_at__isnull=False, over_at=None).count() == 30
    before = ExceptionCase.objects.get()
    lateness.look(later + timedelta(seconds=60))
    case = ExceptionCase.objects.get()
    assert (case.status, case.seen, case.text) == ("open", 1, before.text)


def test_what_comes_through_while_it_is_looked_at_is_over_at_the_next_look(committed_network: Endpoint) -> None:
    """Workers settle deliveries while three looks file them; whatever they met, the last look closes."""
    world.receive(*(dft(f"M{n}", f"A{n}", ft1(f"T{n}", "STENT", "1", "2000")) for n in range(60)))
    pipeline.drain()
    later = timezone.now() + timedelta(minutes=20)
    looks = [lambda: lateness.look(later)] * 3
    answers = at_once(*looks, outbox.drain)
    assert not [answer for answer in answers if isinstance(answer, Exception)]
    lateness.look(later)
    assert Overdue.objects.filter(over_at=None).count() == 0
    assert ExceptionCase.objects.filter(status="open").count() == 0
    assert ExceptionCase.objects.count() <= 1
