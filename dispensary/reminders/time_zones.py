"""Derive the moments of reminders anew after a change of time zone data."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from dispensary.models import Reminder
from dispensary.models.reminders import ReminderState as State
from dispensary.reminders.planning import leaves_at, manners_of, tzdb_version


def derive_again(*, now: datetime, limit: int = 1000) -> int:
    """Derive `due_at` anew for reminders placed with other time zone data. Returns how many; call again until none is."""
    with transaction.atomic():
        rows = list(
            Reminder.objects.select_for_update(of=("self",), skip_locked=True)
            .select_related("patient__pharmacy")
            .filter(state=State.SCHEDULED, due_at__gt=now, attempts=0)
            .exclude(tzdb_version=tzdb_version())
            .order_by("due_at")[:limit]
        )
        for row in rows:
            zone, quiet = manners_of(row.patient)
            due = leaves_at(row, now, zone, quiet)
            row.due_at, row.tz_name, row.tzdb_version = due or row.due_at, str(zone), tzdb_version()
        Reminder.objects.bulk_update(rows, ["due_at", "tz_name", "tzdb_version"])
    return len(rows)
