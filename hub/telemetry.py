"""OpenTelemetry behind `hub.tracing`. Imported only where THROUGHLINE_TRACES is on; needs the extra "otel".

Where spans go is told by OpenTelemetry's own variables (OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SERVICE_NAME, ...). The
exporter's thread is started with the first span of a process, because web servers and Celery fork after this is read.
"""

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from celery.signals import task_postrun, task_prerun
from opentelemetry import context, trace
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from hub import tracing

# A batch of 500 messages may come from as many traces; a span that links to all of them is of no use to anybody.
LINKS = 64
EXPORTER = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
_propagator = TraceContextTextMapPropagator()


class Telemetry:
    """Spans of one provider."""

    def __init__(self, provider: TracerProvider) -> None:
        self.tracer = provider.get_tracer("throughline")

    @contextmanager
    def span(self, name: str, of: Sequence[Any], attributes: Mapping[str, Any]) -> Iterator[trace.Span]:
        """See `tracing.span`. A batch of one trace continues it; one of several links to them."""
        parents = _parents(of)
        alone = len(parents) == 1
        within = _extracted(parents[0]) if alone and not trace.get_current_span().get_span_context().is_valid else None
        links = [trace.Link(trace.get_current_span(_extracted(one)).get_span_context()) for one in parents]
        # An exception's text may quote a document: only its type is told.
        with self.tracer.start_as_current_span(
            name, context=within, links=links, attributes=dict(attributes), record_exception=False,
            set_status_on_exception=False,
        ) as started:  # fmt: skip
            try:
                yield started
            except Exception as error:
                started.set_status(trace.Status(trace.StatusCode.ERROR, type(error).__name__))
                raise

    def carrier(self) -> dict[str, str]:
        """See `tracing.carrier`."""
        headers: dict[str, str] = {}
        _propagator.inject(headers)
        return headers


def _parents(of: Sequence[Any]) -> list[str]:
    """The different trace contexts of these arrivals, in order."""
    found = dict.fromkeys(str(one.origin["traceparent"]) for one in of if one.origin and "traceparent" in one.origin)
    return list(found)[:LINKS]


def _extracted(traceparent: str) -> context.Context:
    return _propagator.extract({"traceparent": traceparent})


class _Process:
    """The provider of this process, made when it is first needed."""

    lock = threading.Lock()
    made_by = 0
    telemetry: Telemetry | None = None

    def here(self) -> Telemetry:
        if self.telemetry is None or self.made_by != os.getpid():
            with self.lock:
                if self.telemetry is None or self.made_by != os.getpid():
                    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: _service()}))
                    provider.add_span_processor(BatchSpanProcessor(import_module(EXPORTER).OTLPSpanExporter()))
                    self.telemetry, self.made_by = Telemetry(provider), os.getpid()
        return self.telemetry

    def span(self, name: str, of: Sequence[Any], attributes: Mapping[str, Any]) -> Any:
        return self.here().span(name, of, attributes)

    def carrier(self) -> dict[str, str]:
        return self.here().carrier()


def _service() -> str:
    return os.environ.get("OTEL_SERVICE_NAME", "throughline")


def start() -> None:
    """Trace this process, and its Celery tasks, from now on."""
    import_module(EXPORTER)  # missing is told at the start, not with the first span
    tracing.use(_Process())
    listen()


def listen() -> None:
    """Every task of this process runs in a span that continues the ring that woke it."""
    task_prerun.connect(_task_begins, dispatch_uid="throughline-traces")
    task_postrun.connect(_task_ends, dispatch_uid="throughline-traces")


_running: dict[str, Any] = {}


def _task_begins(task_id: str, task: Any, **_: Any) -> None:
    headers = getattr(task.request, "headers", None) or {}
    token = context.attach(_propagator.extract(headers))
    span = tracing.span(f"task {task.name}")
    span.__enter__()
    _running[task_id] = (span, token)


def _task_ends(task_id: str, **_: Any) -> None:
    found = _running.pop(task_id, None)
    if found is not None:
        span, token = found
        span.__exit__(None, None, None)
        context.detach(token)
