"""The statements of planning. Four of them on the way of a dispense, since everybody at the counter waits for them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.backends.postgresql.base import ServerBindingCursor

from dispensary.models import Dispense, Phase, Reminder, ReminderPlan
from dispensary.models.reminders import ReminderState as State

# The patient's row is the lock under which plans, consent and addresses change.
KNOWN = """
SELECT p.died_on, coalesce(nullif(p.time_zone, ''), ph.time_zone), ph.time_zone, ph.quiet_from, ph.quiet_until,
       ph.refill_lead_days, ph.second_call_days, ph.message_at, p.pharmacy_id, o.then_stop,
       (SELECT json_agg(json_build_array(f.number, f.doses::text[], f.unit, f.days) ORDER BY f.number)
          FROM dispensary_phase f WHERE f.prescription_id = o.id),
       (SELECT d.starts_on FROM dispensary_dispense d
         WHERE d.prescription_id = o.id AND d.status = 'completed' ORDER BY d.number LIMIT 1),
       (SELECT max(r.version) FROM dispensary_reminderplan r WHERE r.patient_id = p.id),
       (SELECT json_agg(json_build_array(r.id, r.facts_digest, r.dispense_id, d.prescription_id, r.run_out_on,
                                         r.more_needed, d.handed_over_at <= %s) ORDER BY r.version)
          FROM dispensary_reminderplan r JOIN dispensary_dispense d ON d.id = r.dispense_id
         WHERE r.patient_id = p.id AND r.ended_at IS NULL)
  FROM dispensary_patient p
  JOIN dispensary_pharmacy ph ON ph.id = p.pharmacy_id
  JOIN dispensary_prescription o ON o.id = %s
 WHERE p.id = %s
   FOR NO KEY UPDATE OF p
"""
END = f"""
WITH ended AS (UPDATE dispensary_reminderplan SET ended_at = %(now)s, ended_reason = %(reason)s WHERE id = %(plan)s),
answered AS (
    UPDATE dispensary_worklistitem
       SET state = 'resolved', resolution = 'by-event', resolved_at = %(now)s, resolved_by = %(by)s, put_off_until = NULL
     WHERE patient_id = %(patient)s AND state <> 'resolved'
       AND (reminder_id IN (SELECT id FROM dispensary_reminder WHERE plan_id = %(plan)s)
            OR reminder_id IS NULL AND kind = 'withdrawal-risk')),
withdrawn AS (
    UPDATE dispensary_reminder
       SET state = {State.WITHDRAWN}, lease_token = NULL, lease_until = NULL, lease_owner = ''
     WHERE plan_id = %(plan)s AND state IN ({State.SCHEDULED}, {State.LEASED}, {State.SUPPRESSED})
    RETURNING id)
SELECT count(*) FROM withdrawn
"""  # noqa: S608  (members of our own enums)
ON_THEIR_WAY = f"SELECT id FROM dispensary_reminder WHERE plan_id = %s AND state = {State.SENDING}"  # noqa: S608  (likewise)
WRITE = f"""
WITH made AS (
    INSERT INTO dispensary_reminderplan (id, pharmacy_id, patient_id, dispense_id, version, facts_digest, run_out_on,
                                         more_needed, planned_at, ended_reason)
    VALUES (%(plan)s, %(pharmacy)s, %(patient)s, %(dispense)s, %(version)s, %(digest)s, %(run_out_on)s, %(more)s,
            %(now)s, ''))
INSERT INTO dispensary_reminder (public_id, plan_id, pharmacy_id, patient_id, kind, occurrence, local_date, local_time,
       due_at, useful_until, params, tz_name, tzdb_version, state, round, attempts, lost_workers, despite_quiet,
       last_error, lease_owner)
SELECT owed.public_id, %(plan)s, %(pharmacy)s, %(patient)s, owed.kind, owed.occurrence, owed.local_date,
       owed.local_time, owed.due_at, owed.useful_until, owed.params, %(zone)s, %(tzdb)s, {State.SCHEDULED}, 1, 0, 0, false,
       '', ''
  FROM unnest(%(ids)s::uuid[], %(kinds)s::text[], %(occurrences)s::text[], %(dates)s::date[], %(times)s::time[],
              %(due)s::timestamptz[], %(until)s::timestamptz[], %(params)s::jsonb[])
       AS owed (public_id, kind, occurrence, local_date, local_time, due_at, useful_until, params)
"""  # noqa: S608  (likewise)


@dataclass(frozen=True, slots=True)
class InForce:
    """A plan in force, with what decides whether another supply ends it."""

    id: uuid.UUID
    digest: str
    dispense_id: uuid.UUID
    prescription_id: uuid.UUID
    run_out_on: date
    more_needed: bool
    older: bool
    """Handed over before the supply that is being planned."""


@dataclass(frozen=True, slots=True)
class Known:
    """All that planning needs of the database. Field order is that of `KNOWN`."""

    died_on: date | None
    zone_name: str
    pharmacy_zone: str
    quiet_from: time
    quiet_until: time
    refill_lead_days: int
    second_call_days: int
    message_at: time
    pharmacy_id: uuid.UUID
    then_stop: bool | None
    phases_told: Any
    course_began: date | None
    version: int | None
    plans_told: Any

    def in_force(self) -> list[InForce]:
        """The plans in force for the patient, the oldest first."""
        return [
            InForce(uuid.UUID(pk), digest, uuid.UUID(dispense), uuid.UUID(order), date.fromisoformat(run_out), *more)
            for pk, digest, dispense, order, run_out, *more in _list(self.plans_told)
        ]

    def phases(self) -> list[Phase]:
        """The order's phases, in order; not to be saved."""
        return [
            Phase(number=number, doses=[Decimal(dose) for dose in doses], unit=unit, days=days)
            for number, doses, unit, days in _list(self.phases_told)
        ]


def _list(told: Any) -> list[Any]:
    return json.loads(told) if isinstance(told, str) else told or []


def read(dispense: Dispense) -> Known:
    """Lock the patient and read what planning needs."""
    with connection.cursor() as cursor:
        cursor.cursor = ServerBindingCursor(cursor.connection)  # stays prepared, as the line of the log does
        cursor.execute(KNOWN, [dispense.handed_over_at, dispense.prescription_id, dispense.patient_id])
        return Known(*cursor.fetchone())


def end(*, plan_id: uuid.UUID, patient_id: object, reason: str, by: str, now: datetime) -> tuple[int, tuple[int, ...]]:
    """End a plan; how many were withdrawn, and which are on their way and cannot be."""
    names = {"plan": plan_id, "patient": patient_id, "reason": reason, "by": by, "now": now}
    with connection.cursor() as cursor:
        cursor.execute(END, names)
        count = cursor.fetchone()[0]
        cursor.execute(ON_THEIR_WAY, [plan_id])
        return count, tuple(row[0] for row in cursor.fetchall())


def write(plan: ReminderPlan, rows: Iterable[Reminder], zone: str, tzdb: str) -> None:
    """Store a plan and what it owes, in one statement."""
    owed = list(rows)
    names = {
        "plan": plan.pk, "pharmacy": plan.pharmacy_id, "patient": plan.patient_id, "dispense": plan.dispense_id,
        "version": plan.version, "digest": plan.facts_digest, "run_out_on": plan.run_out_on, "more": plan.more_needed,
        "now": plan.planned_at, "zone": zone, "tzdb": tzdb, "ids": [row.public_id for row in owed],
        "kinds": [str(row.kind) for row in owed], "occurrences": [row.occurrence for row in owed],
        "dates": [row.local_date for row in owed], "times": [row.local_time for row in owed],
        "due": [row.due_at for row in owed], "until": [row.useful_until for row in owed],
        "params": [json.dumps(row.params) for row in owed],
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.cursor = ServerBindingCursor(cursor.connection)
        cursor.execute(WRITE, names)
    plan._state.adding = False
