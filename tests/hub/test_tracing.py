"""Spans: nothing at all unless they are switched on; then one trace from the sender's header to the partner's call."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.exceptions import ImproperlyConfigured

from hub import arrivals, doors, inbox, tracing
from hub.models import Endpoint
from tests import world
from tests.faults.conftest import books, cheap_passwords, erp_process, network, no_kept_connections
from tests.faults.kit import Books, run_through
from tests.world import ROOT, dft, ft1

__all__ = ["books", "cheap_passwords", "erp_process", "network", "no_kept_connections"]
TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


@pytest.fixture
def spans() -> Iterator[Any]:
    """Tracing is on, and what it tells is kept in memory."""
    pytest.importorskip("opentelemetry.sdk", reason='the extra "otel" is not installed')
    telemetry = pytest.importorskip("hub.telemetry")
    trace = pytest.importorskip("opentelemetry.sdk.trace")
    export = pytest.importorskip("opentelemetry.sdk.trace.export")
    memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter").InMemorySpanExporter()
    provider = trace.TracerProvider()
    provider.add_span_processor(export.SimpleSpanProcessor(memory))
    tracing.use(telemetry.Telemetry(provider))
    yield memory
    tracing.use(None)


def hand_in(door: Endpoint, *bodies: tuple[bytes, dict[str, str]]) -> None:
    """Messages at a door in one group, each with the headers it came with."""
    entrance = doors.Entrance((doors.terms(door),))
    found = [one for raw, headers in bodies for one in arrivals.look(raw, entrance, doors.Peer(), headers)]
    inbox.receive(found, now=world.timezone.now())


def test_switched_off_our_telemetry_is_not_imported() -> None:
    """A process that set everything up has no such module of ours, and its spans are one shared object.

    (The Redis client imports OpenTelemetry by itself, wherever it is installed.)
    """
    code = (
        "import django, sys; django.setup(); from hub import tracing;"
        "assert tracing.span('a') is tracing.span('b', x=1); assert tracing.carrier() == {};"
        "assert 'hub.telemetry' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_asked_for_without_the_extra_it_says_what_to_install(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody believes that there are traces when there are none."""
    settings.TRACES = True

    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(tracing, "import_module", missing)
    with pytest.raises(ImproperlyConfigured, match=r"Install throughline\[otel\]"):
        tracing.configure()


def test_a_lone_message_continues_its_senders_trace_and_several_are_linked(network: Endpoint, spans: Any) -> None:
    """One trace: a child of it. Two: a span of its own that links to both."""
    world.doorkeys.forget()
    hand_in(network, (dft("M1", "A1", ft1("T1", "STENT")), {"traceparent": PARENT}))
    (alone,) = spans.get_finished_spans()
    assert (alone.name, f"{alone.context.trace_id:032x}", f"{alone.parent.span_id:016x}") == (
        "door", TRACE, "b7ad6b7169203331",
    )  # fmt: skip
    spans.clear()
    other = PARENT.replace(TRACE, "1" * 32)
    hand_in(
        network, (dft("M2", "A1", ft1("T2", "STENT")), {"traceparent": PARENT}),
        (dft("M3", "A1", ft1("T3", "STENT")), {"traceparent": other}), (dft("M4", "A1", ft1("T4", "STENT")), {}),
    )  # fmt: skip
    (several,) = spans.get_finished_spans()
    assert several.parent is None
    assert [f"{link.context.trace_id:032x}" for link in several.links] == [TRACE, "1" * 32]
    assert dict(several.attributes) == {"messages": 3}


def test_a_charge_has_spans_for_its_batches_and_its_call_and_nothing_about_the_patient(
    books: Books, spans: Any
) -> None:
    """Door, read, react, call, react; no span says an account, a name or an amount."""
    world.receive(dft("M1", "A1ZZ", ft1("T1", "STENT", "2", "4000")))
    run_through()
    told = spans.get_finished_spans()
    assert [(span.name, span.attributes.get("queue", "")) for span in told] == [
        ("door", ""), ("batch", "inbox"), ("batch", "journals.allocate"), ("call", ""), ("batch", "charges.posted"),
    ]  # fmt: skip
    everything = " ".join(f"{span.name} {dict(span.attributes)} {span.status.description}" for span in told)
    assert not [word for word in ("ZZCANARY", "A1ZZ", "SYNTHETIC", "4000") if word in everything]


def test_an_error_is_told_by_its_type_alone(spans: Any) -> None:
    """What an exception says may quote a document."""
    with pytest.raises(ValueError, match="ZZCANARY"), tracing.span("batch"):
        raise ValueError("ZZCANARY")
    (span,) = spans.get_finished_spans()
    assert (span.status.description, span.events) == ("ValueError", ())


def test_the_trace_goes_on_in_the_task_that_a_ring_wakes(spans: Any) -> None:
    """The carrier of the ring is the parent of the task's span."""
    telemetry = pytest.importorskip("hub.telemetry")

    class Request:
        headers: dict[str, str]

    class Task:
        name = "hub.tasks.work"
        request = Request()

    with tracing.span("door"):
        Task.request.headers = tracing.carrier()
    assert set(Task.request.headers) == {"traceparent"}
    telemetry._task_begins("id", Task)
    telemetry._task_ends("id")
    telemetry._task_ends("never begun")
    door, task = spans.get_finished_spans()
    assert task.name == "task hub.tasks.work"
    assert (task.context.trace_id, task.parent.span_id) == (door.context.trace_id, door.context.span_id)
