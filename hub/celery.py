"""Celery: the alarm clock. A task says "there may be work"; PostgreSQL says what it is."""

import os

from celery import Celery
from celery.schedules import crontab
from celery.signals import task_prerun
from django.db import close_old_connections
from kombu import Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hub.settings")

app = Celery("throughline", broker=os.environ.get("REDIS_URL"))
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    task_ignore_result=True,
    task_serializer="json",
    accept_content=["json"],
    task_default_queue="work",
    task_queues=[Queue("work"), Queue("send")],
    task_time_limit=120,
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        # Longer than any task; the sweep rings again anyway.
        "visibility_timeout": 300,
        # Without these two kombu hands a task out again while its own sweep of unacknowledged ones is slow.
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 1,
        # A Redis that does not answer must not hold a listener or a web page.
        "socket_timeout": 5,
        "socket_connect_timeout": 2,
    },
    worker_hijack_root_logger=False,
    # Celery would close the database's connection around every task, and the plans of our statements with it.
    CELERY_DB_REUSE_MAX=1_000_000_000,
    timezone="UTC",
    beat_schedule={
        "sweep": {"task": "hub.tasks.sweep", "schedule": 5.0, "options": {"expires": 30}},
        "retain": {"task": "hub.tasks.retain", "schedule": 6 * 3600.0, "options": {"expires": 3000}},
        "watch": {"task": "hub.tasks.watch", "schedule": 30.0, "options": {"expires": 25}},
        "look-for-late": {"task": "hub.tasks.look_for_late", "schedule": 60.0, "options": {"expires": 50}},
        # Receivers may be slow: their calls wait where calls to partners wait, in threads.
        "call-webhooks": {
            "task": "hub.tasks.call_webhooks",
            "schedule": 10.0,
            "options": {"queue": "send", "expires": 9},
        },
        # Every few minutes from its hour on; each recipient's row of the day says whether it was sent.
        "digest": {"task": "hub.tasks.digest", "schedule": 300.0, "options": {"expires": 250}},
        "forget-answers": {"task": "hub.tasks.forget_answers", "schedule": 3600.0, "options": {"expires": 3000}},
        # In UTC, when little happens in most hospitals; a night that is missed is made up for by the next one.
        "verify": {"task": "hub.tasks.verify", "schedule": crontab(hour=3, minute=17), "options": {"expires": 10_000}},
        "make-partitions": {"task": "hub.tasks.make_partitions", "schedule": 3600.0, "options": {"expires": 3000}},
    },
)
app.autodiscover_tasks(["hub"])


@task_prerun.connect
def _check_connections(**_: object) -> None:
    """A connection that died or is too old is not used again, as in a web request."""
    close_old_connections()
