"""Calls of the statements in `planning.sql`."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from django.db import connection

from dispensary.models import Pharmacy, Reminder, ReminderPlan
from dispensary.reminders.quiet_hours import manners
from dispensary.reminders.reach import NOT_ALLOWED
from dispensary.statements import build_rows, insert, load_statements, run

SQL = load_statements(Path(__file__).with_name("planning.sql"))


def lock_reminders(*, patient_id: uuid.UUID, plan: ReminderPlan | None, since: datetime) -> list[Reminder]:
    """Return, locked, the reminders of a plan, and what of a patient has left, is leaving or may have left since a moment."""
    names = {"patient": patient_id, "plan": plan.pk if plan else None, "since": since}
    return build_rows(Reminder, run(SQL["lock_reminders"], names))


def end(
    *, plan_id: uuid.UUID, new: ReminderPlan | None, carried: Sequence[int], reason: str, by: str, now: datetime
) -> None:
    """End a plan, move the reminders that stay to the new one, withdraw the others and close what waits because of them."""
    names: dict[str, Any] = {
        "plan": plan_id,
        "new": new.pk if new else None,
        "carried": list(carried),
        "reason": reason,
        "by": by,
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(SQL["end_plan"], names)


def list_outdated(*, passed: Sequence[uuid.UUID], limit: int, now: datetime) -> list[tuple[uuid.UUID, uuid.UUID]]:
    """Return patients, with their pharmacies, whose therapy was counted on an earlier day or with other settings."""
    with connection.cursor() as cursor:
        cursor.execute(SQL["list_outdated"], {**_days(now), "passed": list(passed), "limit": limit})
        return [(patient, pharmacy) for patient, pharmacy in cursor.fetchall()]


def count_outdated(now: datetime) -> int:
    """Count the same, to the first hundred thousand of each pharmacy."""
    with connection.cursor() as cursor:
        cursor.execute(SQL["count_outdated"], _days(now))
        return int(cursor.fetchone()[0])


def _days(now: datetime) -> dict[str, Any]:
    """Return the pharmacies with their versions of the settings and their days, as arrays of equal length."""
    pharmacies = Pharmacy.objects.only("time_zone", "timing_version", "quiet_from", "quiet_until")
    return {
        "pharmacies": [pharmacy.pk for pharmacy in pharmacies],
        "versions": [pharmacy.timing_version for pharmacy in pharmacies],
        "days": [_day_at(pharmacy, now) for pharmacy in pharmacies],
    }


def _day_at(pharmacy: Pharmacy, now: datetime) -> date:
    """Return the day at a pharmacy, in UTC where its zone is unknown: one such pharmacy holds up no other."""
    zone, _quiet = manners(pharmacy.time_zone, "UTC", pharmacy.quiet_from, pharmacy.quiet_until)
    return now.astimezone(zone).date()


def hold_back(*, plan_id: uuid.UUID, now: datetime) -> None:
    """Suppress what is to come until the patient allows messages; what is due the engine decides."""
    with connection.cursor() as cursor:
        cursor.execute(SQL["hold_back"], [NOT_ALLOWED, plan_id, now])


def write(plan: ReminderPlan, reminders: Sequence[Reminder], tzdb: str) -> None:
    """Store a plan and what it owes, in one statement."""
    for row in reminders:
        row.plan_id, row.tzdb_version = plan.pk, tzdb
    insert([plan, *reminders])
