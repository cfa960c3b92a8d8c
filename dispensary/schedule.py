"""The schedule of the app's Celery tasks and the queues they may have: for the settings of a site's own Celery application.

Imports nothing of Django, so that a settings module can use it.
"""

from __future__ import annotations

from typing import Any

TICK_QUEUE = "rem-tick"
SEND_QUEUE = "rem-send"
TASK_ROUTES = {
    "dispensary.reminders.tick": {"queue": TICK_QUEUE},
    "dispensary.reminders.drain": {"queue": SEND_QUEUE},
    "dispensary.receipts.ask": {"queue": SEND_QUEUE},
    "dispensary.retention.apply": {"queue": TICK_QUEUE},
    "dispensary.desk.count": {"queue": SEND_QUEUE},
    "dispensary.desk.try": {"queue": SEND_QUEUE},
    "dispensary.desk.export": {"queue": SEND_QUEUE},
    "dispensary.alerts.tell": {"queue": SEND_QUEUE},
}
"""Queues of their own, for a site with much to send: a tick behind a backlog is late by the whole backlog. Each queue then needs a
worker. Without them the tasks go to the application's default queue."""


def beat_schedule(tick_seconds: float = 15.0) -> dict[str, dict[str, Any]]:
    """Return what beat has to start. Ticks not taken in time are dropped, so they do not pile up; two beats do no harm.

    Args:
        tick_seconds: how often to look for reminders that are due.
    """
    from celery.schedules import schedule  # not at the top: who asks for a queue's name need not wait for Celery

    return {
        "dispensary-reminders": {
            "task": "dispensary.reminders.tick",
            "schedule": schedule(tick_seconds),
            "options": {"expires": max(1.0, tick_seconds - 1)},
        },
        "dispensary-receipts": {
            "task": "dispensary.receipts.ask",
            "schedule": schedule(3600),
            "options": {"expires": 1800},
        },
        "dispensary-desk": {
            "task": "dispensary.desk.count",
            "schedule": schedule(3600),
            "options": {"expires": 1800},
        },
        "dispensary-trials": {
            "task": "dispensary.desk.try",
            "schedule": schedule(30),
            "options": {"expires": 29},
        },
        "dispensary-exports": {
            "task": "dispensary.desk.export",
            "schedule": schedule(30),
            "options": {"expires": 29},
        },
        "dispensary-alerts": {
            "task": "dispensary.alerts.tell",
            "schedule": schedule(60),
            "options": {"expires": 59},
        },
        "dispensary-retention": {
            "task": "dispensary.retention.apply",
            "schedule": schedule(6 * 3600),
            "options": {"expires": 3600},
        },
    }
