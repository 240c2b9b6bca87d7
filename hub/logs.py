"""Structured logs: one JSON object a line, constant event names, ids bound once at the door. Never a payload."""

import logging.config
from typing import Any

import structlog
from django.conf import settings


def configure() -> None:
    """Send structlog and the standard library's loggers through one renderer to standard error."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
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
