"""The Celery application: two queues that carry hints, never facts.

What is owed to a patient is a row in PostgreSQL; a message here only says "there may be work". Losing every message costs one tick of
delay. Each setting says what goes wrong without it.
"""

import os
import time
from typing import Any
from urllib.parse import unquote, urlsplit

from celery import Celery
from celery.signals import setup_logging, task_postrun, task_prerun
from celery.utils.time import maybe_iso8601, maybe_make_aware
from django.conf import settings
from django.utils import timezone
from kombu import Queue

from deploy import watchdog  # noqa: F401  (importing connects its receivers)
from deploy.environment import share_metrics
from dispensary.schedule import SEND_QUEUE, TASK_ROUTES, TICK_QUEUE, beat_schedule

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deploy.settings")
os.environ.setdefault("STATEMENT_TIMEOUT", "60s")  # no longer than a task's soft time limit

share_metrics()
from prometheus_client import Counter  # noqa: E402  (it looks for the folder when it is imported)

VISIBILITY_TIMEOUT = 300  # seconds; longer than the hard time limit, so that a running task is never delivered twice
LONGEST_COUNTDOWN = 300  # seconds; see Hints


class Hints(Celery):
    """A Celery that publishes nothing for much later. A receiver of `before_task_publish` could not refuse: Celery logs what it raises."""

    def send_task(  # type: ignore[override]  # the options that we do not read are passed on as they come
        self, name: str, args: Any = None, kwargs: Any = None, **options: Any
    ) -> Any:
        """Publish a task, as every way to publish one does in the end.

        Raises:
            ValueError: its `eta` or `countdown` lies more than 300 s ahead, so that it would be delivered again and again.
        """
        ahead = options.get("countdown") or 0.0
        if eta := maybe_iso8601(options.get("eta")):
            ahead = (maybe_make_aware(eta) - timezone.now()).total_seconds()
        if ahead > LONGEST_COUNTDOWN:
            raise ValueError(
                f"a task for {ahead:.0f} s ahead: expected at most {LONGEST_COUNTDOWN} s; store a row and let the tick find it"
            )
        return super().send_task(name, args, kwargs, **options)


app = Hints("dispensary")
app.conf.update(
    broker_url=settings.REDIS_URL,
    # Acknowledge after the work: a drain is idempotent, and a lost worker's hint comes back.
    task_acks_late=True,
    # Otherwise a child killed for want of memory acknowledges; a poisonous row is bounded by its own count of attempts.
    task_reject_on_worker_lost=True,
    # The next tick is the retry; no loop of requeues.
    task_acks_on_failure_or_timeout=True,
    # No hints hoarded by a busy worker (the second one is for the Redis transport only).
    worker_prefetch_multiplier=1,
    worker_disable_prefetch=True,
    # A guard: some day somebody uses `countdown`, and each such message costs a worker's memory until it is due.
    worker_eta_task_limit=100,
    broker_transport_options={
        "visibility_timeout": VISIBILITY_TIMEOUT,
        # By default unacknowledged messages are looked at only every 10 x 10 seconds.
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 1,
        # Without it a dropped link hangs for ever.
        "socket_timeout": 30,
        "socket_connect_timeout": 5,
        "socket_keepalive": True,
        "health_check_interval": 25,
        "retry_on_timeout": True,
        # Sentinels are asked for the master at each new connection; one that vanished must not hold up the next.
        "master_name": settings.REDIS_MASTER,
        "sentinel_kwargs": {
            "password": unquote(urlsplit(settings.REDIS_URL).password or "") or None,
            "socket_timeout": 0.5,
            "socket_connect_timeout": 0.5,
        },
        # On a Redis that several applications share, the shortest timeout of all of them wins over a common key.
        "global_keyprefix": "rx:",
    },
    # Wherever it can be set it is the same: of several the shortest wins.
    visibility_timeout=VISIBILITY_TIMEOUT,
    result_backend_transport_options={"visibility_timeout": VISIBILITY_TIMEOUT},
    # A drain limits itself to 45 s; these are shorter than a lease (120 s) and the visibility timeout.
    task_time_limit=90,
    task_soft_time_limit=60,
    # On a deploy, finish the message in hand.
    worker_soft_shutdown_timeout=20,
    worker_enable_soft_shutdown_on_idle=True,
    # On a blip of the broker it would kill a sending half-way; the lease's fence makes a hint delivered again harmless.
    worker_cancel_long_running_tasks_on_connection_loss=False,
    # Survive a broker that comes up later, or goes and comes back.
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    # No result is read: one write less.
    task_ignore_result=True,
    result_backend=None,
    # A broker that refuses costs 0.2 s instead of seconds, one that never answers 5 s instead of more than a minute.
    task_publish_retry_policy={"max_retries": 1, "interval_start": 0.1},
    # A tick behind a backlog is late by the whole backlog, so ticks and sendings have workers of their own. Signing the log is no
    # task at all: its key and its database role belong to a process of its own (`manage.py audit seal`).
    task_queues=[Queue(TICK_QUEUE), Queue(SEND_QUEUE)],
    task_routes=TASK_ROUTES,
    task_default_queue=SEND_QUEUE,
    # A misspelled queue is an error at once, not a queue without a worker.
    task_create_missing_queues=False,
    # No daylight saving in the beat: intervals and UTC.
    timezone="UTC",
    enable_utc=True,
    beat_max_loop_interval=5,
    beat_schedule=beat_schedule(settings.REMINDER_TICK_SECONDS),
    # Leaks in providers' libraries. (CELERY_DB_REUSE_MAX stays unset: one connection a drain is cheap, and a new one outlives a restart
    # of the database.)
    worker_max_tasks_per_child=500,
    # Arguments are ids: no patient data in the broker, no pickle.
    task_serializer="json",
    result_serializer="json",
    accept_content=["json"],
    # No gossip between workers: it costs messages and serves nothing here.
    worker_send_task_events=False,
)
app.autodiscover_tasks()


@setup_logging.connect
def keep_django_logging(**_kwargs: Any) -> None:
    """Leave logging as Django set it up: Celery's own would print tasks' arguments and errors as free text."""


TASKS = Counter("dispensary_tasks", "Tasks that ended, by how", ["task", "state"])
TASK_SECONDS = Counter("dispensary_task_seconds", "How long tasks took", ["task"])
_begun_at: dict[str, float] = {}


@task_prerun.connect
def note_begin(task_id: str, **_: Any) -> None:
    """Take note of when a task began."""
    _begun_at[task_id] = time.monotonic()


@task_postrun.connect
def count_task(task_id: str, task: Any, state: str | None = None, **_: Any) -> None:
    """Count a task that ended, and its time."""
    TASKS.labels(task.name, state or "").inc()
    TASK_SECONDS.labels(task.name).inc(time.monotonic() - _begun_at.pop(task_id, time.monotonic()))
