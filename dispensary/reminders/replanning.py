"""Plan again after a change of a pharmacy's settings or of time zone data.

A change of settings raises the pharmacy's `timing_version` and touches no plan: a pharmacy can have a hundred thousand.
Each plan carries the version that it was made with, so the rows say themselves which are behind, whoever else plans
meanwhile, and the ticks plan them again, each in a transaction of its own. Until then nothing wrong leaves: the zone, the
quiet hours and whether a message is still true are asked again at the send.
"""

from __future__ import annotations

import logging
import time
import uuid
from datetime import datetime

from django.db import DatabaseError, connection, transaction

from dispensary.actors import Actor
from dispensary.models import Dispense, Reminder
from dispensary.models.reminders import ReminderState as State
from dispensary.reminders.planning import leaves_at, manners_of, plan_after_dispense, tzdb_version
from dispensary.reminders.plans import SQL
from dispensary.reminders.queue import count

log = logging.getLogger(__name__)

SECONDS = 8.0
"""Time in which one tick plans again, after it has hinted at what is due. The next tick goes on where the rows say."""
BATCH = 200

_OF_SUPPLY = ("id", "prescription_id", "number", "starts_on", "handed_over_at", "run_out_on", "strength_mg")


def plan_outdated(*, now: datetime, seconds: float = SECONDS) -> int:
    """Plan again what is behind, until nothing is or the time is up. Returns how many plans were looked at.

    A patient in whose record somebody is at work is left for the next tick; a plan that cannot be planned again is left as
    it is, told in the program's log and by the gauge of plans behind. Two of these at once share the work.
    """
    until, passed, done = time.monotonic() + seconds, list[uuid.UUID](), 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(SQL["list_outdated_plans"], [passed, BATCH, BATCH])
            outdated = cursor.fetchall()
        for plan_id, patient_id, pharmacy_id in outdated:
            if time.monotonic() >= until:
                return _count_planned(done)
            passed.append(plan_id)
            done += _plan_one(plan_id, patient_id, pharmacy_id, now)
        if not outdated:
            return _count_planned(done)


def _count_planned(done: int) -> int:
    count({"planned-again": done})
    return done


def _plan_one(plan_id: uuid.UUID, patient_id: uuid.UUID, pharmacy_id: uuid.UUID, now: datetime) -> bool:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(SQL["lock_patient_if_free"], [patient_id])
            free = cursor.fetchone() is not None
            cursor.execute(SQL["read_supply"], [plan_id])
            supply = cursor.fetchone()
            if not free or supply is None:
                return False
            dispense = Dispense(patient_id=patient_id, **dict(zip(_OF_SUPPLY, supply, strict=True)))
            plan_after_dispense(dispense=dispense, by=Actor.system("reminders", pharmacy_id), now=now)
            return True
    except DatabaseError:
        raise
    except Exception as error:  # one plan that cannot be made must not keep the others from being made
        log.error("plan %s could not be made again: %s", plan_id, type(error).__name__)
        return False


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
