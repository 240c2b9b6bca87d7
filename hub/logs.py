"""Structured logs: one JSON object a line, constant event names, ids bound once at the door. Never a payload."""

import logging.config
import traceback
from types import TracebackType
from typing import Any

import structlog
from django.conf import settings
from django.db import OperationalError

from hub.errors import HubError

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]

# Whose words are safe to repeat: ours, the system's, and the database's about itself. Others quote the values that they
# met: PostgreSQL a whole row with its account number.
SAFE = (HubError, OSError, OperationalError)


def trace(exc_info: ExcInfo) -> str:
    """A traceback of types and places, newest first; what an exception says only where it cannot quote a document."""
    told: list[str] = []
    error: BaseException | None = exc_info[1]
    while error is not None:
        said = f": {error}" if isinstance(error, SAFE) else ""
        told.append("".join(traceback.format_tb(error.__traceback__)) + type(error).__qualname__ + said)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\nafter\n".join(told)


def configure() -> None:
    """Send structlog and the standard library's loggers through one renderer to standard error."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(trace),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "json": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "processors": [
                        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                        structlog.processors.JSONRenderer(),
                    ],
                    "foreign_pre_chain": shared,
                }
            },
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
            "root": {"handlers": ["stderr"], "level": settings.LOG_LEVEL},
            # Redis being away is latency, not an error on every line; Celery repeats it a hundred times a minute.
            "loggers": {"celery": {"level": "WARNING"}, "kombu": {"level": "WARNING"}, "httpx2": {"level": "WARNING"}},
        }
    )
