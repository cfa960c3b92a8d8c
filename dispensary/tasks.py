"""Celery tasks. Each calls one action; no argument names a person.

A task is a hint that there may be work. Losing every one of them costs a tick of delay and nothing else. When each is started, and the
queues they may have: `dispensary.schedule`.
"""

from __future__ import annotations

import time

from celery import shared_task

from dispensary import reminders
from dispensary.actions import limit_trials, long_exports, retention, settings_changes, staff_alerts, summaries
from dispensary.audit.checks.counts import count_missing_days
from dispensary.clock import read_clock
from dispensary.conf import conf

HINT_SECONDS = 60
"""A hint not taken within this many seconds is dropped: the next tick gives another."""

SLICE_SECONDS = 40
"""A task that goes on where it stopped ends its slice after this: a reminder may wait for its worker."""


@shared_task(name="dispensary.reminders.tick", ignore_result=True)
def tick_reminders() -> None:
    """Put settings into force whose day is over, recover interrupted reminders and publish hints of what is due: one for each batch, at most one for each lane.

    Then, for some seconds, count again the therapies that a new day or changed settings have made old: no message waits
    for that.
    """
    settings_changes.apply_due(now=read_clock())
    due = reminders.tick().due
    batches = -(-due // conf().reminder_batch)
    for _ in range(min(batches, conf().reminder_lanes)):
        drain_reminders.apply_async(expires=HINT_SECONDS)
    summaries.refresh_outdated(now=read_clock())


@shared_task(name="dispensary.reminders.drain", ignore_result=True)
def drain_reminders() -> None:
    """Send what is due until nothing is, or the time is up."""
    reminders.drain()


@shared_task(name="dispensary.receipts.ask", ignore_result=True)
def poll_missing_receipts() -> None:
    """Poll providers for messages without a delivery receipt after 24 hours."""
    reminders.poll_missing_receipts()


@shared_task(name="dispensary.desk.count", ignore_result=True)
def count_days() -> None:
    """Count the days that are over, for the review desk."""
    for _ in count_missing_days(read_clock()):
        pass


@shared_task(name="dispensary.desk.try", ignore_result=True)
def try_limits() -> None:
    """Go on with the trials of limits that somebody asked for at the review desk, for less than a task may last."""
    ends = time.monotonic() + SLICE_SECONDS
    while limit_trials.run_next(read_clock, lambda: time.monotonic() > ends):
        pass


@shared_task(name="dispensary.desk.export", ignore_result=True)
def prepare_exports() -> None:
    """Go on with the long exports that somebody asked for at the review desk, for less than a task may last."""
    ends = time.monotonic() + SLICE_SECONDS
    while long_exports.prepare_next(read_clock, lambda: time.monotonic() > ends):
        pass


@shared_task(name="dispensary.alerts.tell", ignore_result=True)
def tell_alerts() -> None:
    """Open the alerts of the staff that are due, and tell the next people of those that nobody has answered."""
    staff_alerts.open_found(now=read_clock())
    while staff_alerts.tell_next(read_clock):
        pass


@shared_task(name="dispensary.retention.apply", ignore_result=True)
def delete_expired() -> None:
    """Delete working data past its term."""
    for _ in retention.delete_expired(now=read_clock()):
        pass
