"""The carrier: messages, facts, questions and cases. It knows no domain."""

from hub.celery import app as celery_app

__all__ = ["celery_app"]
