"""Calls of the statements in `planning.sql`."""

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
from dispensary.models.reminders import Withdrawal
from dispensary.reminders.reach import NOT_ALLOWED
from dispensary.reminders.statements import load_statements

SQL = load_statements("planning.sql")


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
class PlanningFacts:
    """The facts that planning reads from the database. Field order is that of `read_facts` in `planning.sql`."""

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
    phases_json: Any
    supplies_json: Any
    version: int | None
    plans_json: Any
    sent_json: Any

    def sent_messages(self) -> set[tuple[str, str]]:
        """Kind and occurrence of what has left, is leaving or may have left because of this very dispense."""
        return {(kind, occurrence) for kind, occurrence in _list(self.sent_json)}

    def in_force(self) -> list[InForce]:
        """The plans in force for the patient, the oldest first."""
        return [
            InForce(uuid.UUID(pk), digest, uuid.UUID(dispense), uuid.UUID(order), date.fromisoformat(run_out), *more)
            for pk, digest, dispense, order, run_out, *more in _list(self.plans_json)
        ]

    def earlier_supplies(self) -> list[SupplyDays]:
        """Return the days of the supplies of the same order before this one, oldest first."""
        return [SupplyDays(*map(date.fromisoformat, days)) for days in _list(self.supplies_json)]

    def phases(self) -> list[Phase]:
        """The order's phases, in order; not to be saved."""
        return [
            Phase(number=number, doses=[Decimal(dose) for dose in doses], unit=unit, days=days)
            for number, doses, unit, days in _list(self.phases_json)
        ]


def _list(value: Any) -> list[Any]:
    return json.loads(value) if isinstance(value, str) else value or []


def read(dispense: Dispense) -> PlanningFacts:
    """Lock the patient and read what planning needs."""
    values: list[Any] = [
        dispense.number,
        dispense.handed_over_at,
        dispense.pk,
        dispense.prescription_id,
        dispense.patient_id,
    ]
    with connection.cursor() as cursor:
        cursor.cursor = ServerBindingCursor(cursor.connection)  # type: ignore[call-arg]  # the stubs lack its constructor; it keeps the statement prepared
        cursor.execute(SQL["read_facts"], values)
        return PlanningFacts(*cursor.fetchone())


def end(*, plan_id: uuid.UUID, patient_id: object, reason: str, by: str, now: datetime) -> tuple[int, tuple[int, ...]]:
    """End a plan; how many were withdrawn, and which are on their way and cannot be."""
    names: dict[str, Any] = {"plan": plan_id, "patient": patient_id, "reason": reason, "by": by, "now": now}
    with connection.cursor() as cursor:
        cursor.execute(SQL["end_plan"], names)
        count = cursor.fetchone()[0]
        cursor.execute(SQL["list_on_their_way"], [plan_id])
        return count, tuple(row[0] for row in cursor.fetchall())


@dataclass(frozen=True, slots=True)
class Replaced:
    """The reminders of a plan after the same supply was planned again."""

    withdrawn: int = 0
    carried: frozenset[tuple[str, str]] = frozenset()
    """Kind and occurrence of what goes over to the new plan as it stands."""
    held_back: bool = False
    """The patient may not be messaged, so that what was to come had been other back."""


def replace(*, plan_id: uuid.UUID, new_id: uuid.UUID, now: datetime) -> Replaced:
    """End a plan for a new one of the same supply."""
    names: dict[str, Any] = {"plan": plan_id, "new": new_id, "reason": Withdrawal.FACTS_CHANGED.value, "now": now}
    with connection.cursor() as cursor:
        cursor.execute(SQL["replace_plan"], names)
        count, carried, held_back = cursor.fetchone()
    return Replaced(count, frozenset((kind, occurrence) for kind, occurrence in _list(carried)), held_back)


def hold_back(*, plan_id: uuid.UUID, now: datetime) -> None:
    """Suppress what is to come until the patient allows messages; what is due the engine decides."""
    with connection.cursor() as cursor:
        cursor.execute(SQL["hold_back"], [NOT_ALLOWED, plan_id, now])


def stamp(*, plan_id: uuid.UUID, timing_version: int) -> None:
    """Note that a plan agrees with these settings."""
    with connection.cursor() as cursor:
        cursor.execute(SQL["stamp_plan"], [timing_version, plan_id])


def write(plan: ReminderPlan, rows: Iterable[Reminder], zone: str, tzdb: str) -> None:
    """Store a plan and what it owes, in one statement."""
    reminders = list(rows)
    names: dict[str, Any] = {
        "plan": plan.pk, "pharmacy": plan.pharmacy_id, "patient": plan.patient_id, "dispense": plan.dispense_id,
        "version": plan.version, "digest": plan.facts_digest, "run_out_on": plan.run_out_on, "more": plan.more_needed,
        "timing": plan.timing_version,
        "now": plan.planned_at, "zone": zone, "tzdb": tzdb, "ids": [row.public_id for row in reminders],
        "kinds": [str(row.kind) for row in reminders], "occurrences": [row.occurrence for row in reminders],
        "dates": [row.local_date for row in reminders], "times": [row.local_time for row in reminders],
        "due": [row.due_at for row in reminders], "until": [row.useful_until for row in reminders],
        "params": [json.dumps(row.params) for row in reminders],
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.cursor = ServerBindingCursor(cursor.connection)  # type: ignore[call-arg]  # the stubs lack its constructor
        cursor.execute(SQL["write_plan"], names)
    plan._state.adding = False
