"""Spans around what takes time: a door's batch, a worker's batch, a call to a partner, a task.

Switched off, which is the default, all of this is one shared object that does nothing, and we import nothing of
OpenTelemetry. `THROUGHLINE_TRACES=true` needs the extra (`throughline[otel]`) and puts `hub.telemetry` here.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from typing import Any, Protocol

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


class Tracer(Protocol):
    """What stands behind `span` and `carrier`."""

    def span(self, name: str, of: Sequence[Any], attributes: Mapping[str, Any]) -> AbstractContextManager[Any]: ...
    def carrier(self) -> dict[str, str]: ...


class _Nothing:
    """Tracing that is switched off."""

    _span = nullcontext()

    def span(self, name: str, of: Sequence[Any], attributes: Mapping[str, Any]) -> AbstractContextManager[Any]:
        return self._span

    def carrier(self) -> dict[str, str]:
        return {}


class _Current:
    tracer: Tracer = _Nothing()


def use(tracer: Tracer | None) -> None:
    """Trace with this from now on; None for not at all."""
    _Current.tracer = tracer or _Nothing()


def span(name: str, of: Sequence[Any] = (), **attributes: Any) -> AbstractContextManager[Any]:
    """A span over a `with` block. `of`: arrivals with the trace contexts of their senders, which it links to.

    Attributes are ids, names and counts: never a payload, an account or a person.
    """
    return _Current.tracer.span(name, of, attributes)


def carrier() -> dict[str, str]:
    """Headers that carry the current trace context to a task or a partner; {} where there is none."""
    return _Current.tracer.carrier()


def configure() -> None:
    """Switch tracing on where the settings say so; whoever asks for it without the extra is told how to get it."""
    if not settings.TRACES:
        return
    try:
        telemetry = import_module("hub.telemetry")
    except ModuleNotFoundError as error:
        text = (
            "THROUGHLINE_TRACES is on, and OpenTelemetry is not installed. Install throughline[otel], or switch it off."
        )
        raise ImproperlyConfigured(text) from error
    telemetry.start()
