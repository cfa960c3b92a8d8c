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

from dispensary.courses import SupplyDays
from dispensary.models import Dispense, Phase, Reminder, ReminderPlan
from dispensary.models.reminders import LET_GO, Withdrawal
from dispensary.models.reminders import ReminderState as State
from dispensary.reminders.reach import NOT_ALLOWED

_SAID = f"{State.SENT}, {State.DELIVERED}, {State.PARKED}"

# The patient's row is the lock under which plans, consent and addresses change.
KNOWN = f"""
SELECT p.died_on, coalesce(nullif(p.time_zone, ''), ph.time_zone), ph.time_zone, ph.quiet_from, ph.quiet_until,
       ph.refill_lead_days, ph.second_call_days, ph.message_at, ph.timing_version, ph.profile, p.pharmacy_id,
       o.then_stop,
       CASE WHEN o.status = 'replaced' THEN o.ended_at END,
       (SELECT json_agg(json_build_array(f.number, f.doses::text[], f.unit, f.days) ORDER BY f.number)
          FROM dispensary_phase f WHERE f.prescription_id = o.id),
       (SELECT json_agg(json_build_array(d.starts_on, d.run_out_on) ORDER BY d.number) FROM dispensary_dispense d
         WHERE d.prescription_id = o.id AND d.status = 'completed' AND d.number < %s),
       (SELECT max(r.version) FROM dispensary_reminderplan r WHERE r.patient_id = p.id),
       (SELECT json_agg(json_build_array(r.id, r.facts_digest, r.dispense_id, d.prescription_id, r.run_out_on,
                                         r.more_needed, d.handed_over_at <= %s, f.status = 'replaced') ORDER BY r.version)
          FROM dispensary_reminderplan r JOIN dispensary_dispense d ON d.id = r.dispense_id
          JOIN dispensary_prescription f ON f.id = d.prescription_id
         WHERE r.patient_id = p.id AND r.ended_at IS NULL),
       (SELECT json_agg(json_build_array(m.kind, m.occurrence))
          FROM dispensary_reminderplan r JOIN dispensary_reminder m ON m.plan_id = r.id
         WHERE r.dispense_id = %s AND (m.state IN ({_SAID}) OR m.sending_since IS NOT NULL))
  FROM dispensary_patient p
  JOIN dispensary_pharmacy ph ON ph.id = p.pharmacy_id
  JOIN dispensary_prescription o ON o.id = %s
 WHERE p.id = %s
   FOR NO KEY UPDATE OF p
"""  # noqa: S608  (members of our own enums)
END = f"""
WITH ended AS (UPDATE dispensary_reminderplan SET ended_at = %(now)s, ended_reason = %(reason)s WHERE id = %(plan)s),
answered AS (
    UPDATE dispensary_worklistitem
       SET state = 'resolved', resolution = 'by-event', resolved_at = %(now)s, resolved_by = %(by)s, put_off_until = NULL
     WHERE patient_id = %(patient)s AND state <> 'resolved'
       AND (reminder_id IN (SELECT id FROM dispensary_reminder WHERE plan_id = %(plan)s)
            OR reminder_id IS NULL AND kind = 'withdrawal-risk' AND %(reason)s <> '{Withdrawal.PRESCRIPTION_REPLACED}')),
withdrawn AS (
    UPDATE dispensary_reminder
       SET state = {State.WITHDRAWN}, {LET_GO}
     WHERE plan_id = %(plan)s AND state IN ({State.SCHEDULED}, {State.LEASED}, {State.SUPPRESSED}) AND sending_since IS NULL
    RETURNING id)
SELECT count(*) FROM withdrawn
"""  # noqa: S608  (members of our own enums)
# The same supply, planned again: what was begun, has come due or was decided by a person goes over to the new plan as it
# stands, with its attempts, its key and the work that waits because of it. Only what nobody has touched is planned anew.
# What a worker has claimed is given back, to be read again with the new settings.
UNTOUCHED = f"""
attempts = 0 AND round = 1 AND NOT despite_quiet AND state IN ({State.SCHEDULED}, {State.SUPPRESSED}) AND due_at > %(now)s
"""
CLAIMED = f"state = {State.LEASED} AND sending_since IS NULL"
REPLACE = f"""
WITH ended AS (UPDATE dispensary_reminderplan SET ended_at = %(now)s, ended_reason = %(reason)s WHERE id = %(plan)s),
carried AS (
    UPDATE dispensary_reminder
       SET plan_id = %(new)s,
           state = CASE WHEN {CLAIMED} THEN {State.SCHEDULED} ELSE state END,
           lease_token = CASE WHEN {CLAIMED} THEN NULL ELSE lease_token END,
           lease_until = CASE WHEN {CLAIMED} THEN NULL ELSE lease_until END,
           lease_owner = CASE WHEN {CLAIMED} THEN '' ELSE lease_owner END
     WHERE plan_id = %(plan)s AND NOT ({UNTOUCHED})
    RETURNING kind, occurrence),
withdrawn AS (UPDATE dispensary_reminder SET state = {State.WITHDRAWN} WHERE plan_id = %(plan)s AND {UNTOUCHED} RETURNING id)
SELECT (SELECT count(*) FROM withdrawn), (SELECT json_agg(json_build_array(kind, occurrence)) FROM carried),
       EXISTS (SELECT 1 FROM dispensary_reminder WHERE plan_id = %(plan)s AND {UNTOUCHED} AND state = {State.SUPPRESSED})
"""  # noqa: S608  (likewise)
HOLD_BACK = f"""
UPDATE dispensary_reminder SET state = {State.SUPPRESSED}, last_error = %s
 WHERE plan_id = %s AND state = {State.SCHEDULED} AND attempts = 0 AND due_at > %s
"""  # noqa: S608  (likewise)
STAMP = "UPDATE dispensary_reminderplan SET timing_version = %s WHERE id = %s"
ON_THEIR_WAY = "SELECT id FROM dispensary_reminder WHERE plan_id = %s AND sending_since IS NOT NULL"
WRITE = f"""
WITH made AS (
    INSERT INTO dispensary_reminderplan (id, pharmacy_id, patient_id, dispense_id, version, facts_digest, run_out_on,
                                         more_needed, timing_version, planned_at, ended_reason)
    VALUES (%(plan)s, %(pharmacy)s, %(patient)s, %(dispense)s, %(version)s, %(digest)s, %(run_out_on)s, %(more)s,
            %(timing)s, %(now)s, ''))
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
    replaced: bool
    """Its order has been replaced by another."""


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
    timing_version: int
    profile: str
    pharmacy_id: uuid.UUID
    then_stop: bool | None
    replaced_at: datetime | None
    """When another order took this one's place."""
    phases_told: Any
    earlier_told: Any
    version: int | None
    plans_told: Any
    said_told: Any

    def said(self) -> set[tuple[str, str]]:
        """Kind and occurrence of what has left, is leaving or may have left because of this very dispense."""
        return {(kind, occurrence) for kind, occurrence in _list(self.said_told)}

    def in_force(self) -> list[InForce]:
        """The plans in force for the patient, the oldest first."""
        return [
            InForce(uuid.UUID(pk), digest, uuid.UUID(dispense), uuid.UUID(order), date.fromisoformat(run_out), *more)
            for pk, digest, dispense, order, run_out, *more in _list(self.plans_told)
        ]

    def earlier_supplies(self) -> list[SupplyDays]:
        """Return the days of the supplies of the same order before this one, oldest first."""
        return [SupplyDays(*map(date.fromisoformat, days)) for days in _list(self.earlier_told)]

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
    values = [dispense.number, dispense.handed_over_at, dispense.pk, dispense.prescription_id, dispense.patient_id]
    with connection.cursor() as cursor:
        cursor.cursor = ServerBindingCursor(cursor.connection)  # stays prepared, as the line of the log does
        cursor.execute(KNOWN, values)
        return Known(*cursor.fetchone())


def end(*, plan_id: uuid.UUID, patient_id: object, reason: str, by: str, now: datetime) -> tuple[int, tuple[int, ...]]:
    """End a plan; how many were withdrawn, and which are on their way and cannot be."""
    names = {"plan": plan_id, "patient": patient_id, "reason": reason, "by": by, "now": now}
    with connection.cursor() as cursor:
        cursor.execute(END, names)
        count = cursor.fetchone()[0]
        cursor.execute(ON_THEIR_WAY, [plan_id])
        return count, tuple(row[0] for row in cursor.fetchall())


@dataclass(frozen=True, slots=True)
class Replaced:
    """What became of a plan's rows when the same supply was planned again."""

    withdrawn: int = 0
    carried: frozenset[tuple[str, str]] = frozenset()
    """Kind and occurrence of what goes over to the new plan as it stands."""
    held_back: bool = False
    """The patient may not be messaged, so that what was to come had been held back."""


def replace(*, plan_id: uuid.UUID, new_id: uuid.UUID, now: datetime) -> Replaced:
    """End a plan for a new one of the same supply."""
    names = {"plan": plan_id, "new": new_id, "reason": Withdrawal.FACTS_CHANGED.value, "now": now}
    with connection.cursor() as cursor:
        cursor.execute(REPLACE, names)
        count, carried, held_back = cursor.fetchone()
    return Replaced(count, frozenset((kind, occurrence) for kind, occurrence in _list(carried)), held_back)


def hold_back(*, plan_id: uuid.UUID, now: datetime) -> None:
    """What is to come waits for a permission, as the plan before it did. What is due is the engine's to decide."""
    with connection.cursor() as cursor:
        cursor.execute(HOLD_BACK, [NOT_ALLOWED, plan_id, now])


def stamp(*, plan_id: uuid.UUID, timing_version: int) -> None:
    """The plan is as these settings would make it."""
    with connection.cursor() as cursor:
        cursor.execute(STAMP, [timing_version, plan_id])


def write(plan: ReminderPlan, rows: Iterable[Reminder], zone: str, tzdb: str) -> None:
    """Store a plan and what it owes, in one statement."""
    owed = list(rows)
    names = {
        "plan": plan.pk, "pharmacy": plan.pharmacy_id, "patient": plan.patient_id, "dispense": plan.dispense_id,
        "version": plan.version, "digest": plan.facts_digest, "run_out_on": plan.run_out_on, "more": plan.more_needed,
        "timing": plan.timing_version,
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
