"""Plan the messages that a therapy makes owing, in the transaction of what changed it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.metadata import version
from zoneinfo import ZoneInfo

from baclofen_rules.therapy import Therapy
from dispensary import audit
from dispensary.actors import Actor
from dispensary.models import Patient, Pharmacy, Reminder, ReminderPlan, ReminderState, Withdrawal
from dispensary.models.pharmacy import QuietHours
from dispensary.models.reminders import ReminderKind
from dispensary.reminders import plans
from dispensary.reminders.quiet_hours import manners, place, resolve
from dispensary.reminders.schedule import (
    LAPSE_LIMIT,
    Hours,
    Planned,
    Standing,
    is_still_true,
    schedule_messages,
    schedule_standing,
)
from dispensary.statements import new_row

_UNSENT = frozenset({ReminderState.SCHEDULED, ReminderState.LEASED, ReminderState.SUPPRESSED})
_LOOK_BACK = LAPSE_LIMIT + timedelta(days=60)
"""What was due longer ago cannot be owed again: a supply lapses, and a first call comes at most 60 days before its end."""


@cache
def tzdb_version() -> str:
    """The version of the time zone data that a `due_at` was derived with."""
    return version("tzdata")


def manners_of(patient: Patient) -> tuple[ZoneInfo, QuietHours]:
    """The patient's zone and the hours in which no message leaves."""
    pharmacy = patient.pharmacy
    return manners(patient.zone, pharmacy.time_zone, pharmacy.quiet_from, pharmacy.quiet_until)


def hours_of(pharmacy: Pharmacy) -> Hours:
    """Return when the messages of a pharmacy leave, and its open days."""
    return Hours(pharmacy.message_at, pharmacy.opening)


@dataclass(frozen=True, slots=True)
class _Changes:
    """The changes to the reminders of a plan, and what is added to them."""

    carried: Sequence[Reminder]
    """Still true, and sent, begun, due, decided by a person, or planned just so: they stay as they are."""
    withdrawn: Sequence[Reminder]
    left_behind: Sequence[Reminder]
    """No longer true, but they have ended or their send has begun."""
    added: Sequence[Reminder]

    @property
    def is_empty(self) -> bool:
        return not (self.withdrawn or self.left_behind or self.added)


def plan_messages(
    *,
    therapy: Therapy,
    patient: Patient,
    newest: ReminderPlan | None,
    standing: Sequence[Standing] = (),
    reason: Withdrawal = Withdrawal.FACTS_CHANGED,
    by: Actor,
    now: datetime,
) -> ReminderPlan | None:
    """Bring what a patient is owed in line with what the patient takes, and with what stands. Returns the plan in force.

    Runs in the transaction of what changed the therapy, under its lock on the patient; `reason` says what that was, `newest`
    is the patient's newest plan, in force or ended.
    Planning again with an equal therapy does nothing. What has left, is leaving, has come due or was decided by a person
    stays as it is while it is true, and is not planned a second time.
    """
    in_force = newest if newest and newest.ended_at is None else None
    # Without any plan there is no reminder.
    rows = plans.lock_reminders(patient_id=patient.pk, plan=in_force, since=now - _LOOK_BACK) if newest else []
    changes = _compare(therapy=therapy, patient=patient, standing=standing, in_force=in_force, rows=rows, now=now)
    if changes.is_empty:
        return in_force
    new = None
    if changes.carried or changes.added:
        new = new_row(
            ReminderPlan,
            pharmacy_id=patient.pharmacy_id,
            patient_id=patient.pk,
            version=newest.version + 1 if newest else 1,
            planned_at=now,
        )
    if in_force:
        carried = [row.pk for row in changes.carried]
        plans.end(plan_id=in_force.pk, new=new, carried=carried, reason=reason, by=by.name, now=now)
        _record_end(in_force, new, changes, reason=reason, by=by, now=now)
    if new:
        plans.write(new, changes.added, tzdb_version())
        held_back = [*changes.carried, *changes.withdrawn]
        if reason != Withdrawal.NEW_DISPENSE and any(_is_held_back(row, now) for row in held_back):
            plans.hold_back(plan_id=new.pk, now=now)
    return new


def _compare(
    *,
    therapy: Therapy,
    patient: Patient,
    standing: Sequence[Standing],
    in_force: ReminderPlan | None,
    rows: Sequence[Reminder],
    now: datetime,
) -> _Changes:
    """Compare what is owed with the reminders of the plan in force, which are locked, and with what has left before: `rows`."""
    zone, quiet = manners_of(patient)
    about_standing = schedule_standing(standing, zone)
    standing_days = {(message.kind, message.local_date) for message in about_standing}
    planned = [*schedule_messages(therapy, hours_of(patient.pharmacy), zone), *about_standing]
    planned_rows = {_meaning(row): row for row in _reminders(planned, patient, now, zone, quiet)}
    over, carried, withdrawn, left_behind = set(), list[Reminder](), list[Reminder](), list[Reminder]()
    for row in rows:
        if in_force is None or row.plan_id != in_force.pk:
            over.add(_meaning(row))
            continue
        is_unsent = row.state in _UNSENT and row.sending_since is None
        if ReminderKind(row.kind).is_standing:
            stays = (ReminderKind(row.kind), row.local_date) in standing_days
        elif is_unsent and not _is_touched(row, zone, now):
            stays = _is_planned_so(row, planned_rows.get(_meaning(row)))
        else:
            stays = is_still_true(ReminderKind(row.kind), row.params, therapy)
        (carried if stays else withdrawn if is_unsent else left_behind).append(row)
    over |= {_meaning(row) for row in carried}
    days = {(row.kind, row.local_date) for row in carried}
    added = [row for key, row in planned_rows.items() if key not in over and (row.kind, row.local_date) not in days]
    return _Changes(carried, withdrawn, left_behind, added)


def _meaning(row: Reminder) -> tuple[str, str]:
    """Return what a message says: one for each call about a supply's end, for each change of dose, for each last day."""
    return row.kind, json.dumps({name: row.params[name] for name in row.params if name != "times"}, sort_keys=True)


def _is_touched(row: Reminder, zone: ZoneInfo, now: datetime) -> bool:
    """Say whether a reminder was tried, has come due, or was moved by a person."""
    has_come_due = row.due_at <= now or resolve(row.local_date, row.local_time, zone) <= now
    return bool(row.attempts) or row.round > 1 or row.despite_quiet or has_come_due


def _is_planned_so(row: Reminder, planned: Reminder | None) -> bool:
    if planned is None:
        return False
    columns = ("local_date", "local_time", "due_at", "useful_until", "tz_name", "params")
    return all(getattr(row, name) == getattr(planned, name) for name in columns)


def _is_held_back(row: Reminder, now: datetime) -> bool:
    """Say whether a message waits because the patient may not be messaged."""
    return row.state == ReminderState.SUPPRESSED and row.due_at > now


def _record_end(
    ended: ReminderPlan, new: ReminderPlan | None, changes: _Changes, *, reason: Withdrawal, by: Actor, now: datetime
) -> None:
    withdrawn = len(changes.withdrawn)
    if reason == Withdrawal.FACTS_CHANGED and new is not None:
        event, plan = audit.Event.REMINDER_PLANNED, new
        counts = {"withdrawn": withdrawn, "carried_over": len(changes.carried), "planned": len(changes.added)}
        is_news = bool(withdrawn or changes.added)
    else:
        event, plan = audit.Event.REMINDER_WITHDRAWN, ended
        on_their_way = sum(row.sending_since is not None for row in changes.left_behind)
        counts = {"withdrawn": withdrawn, "already_on_their_way": on_their_way}
        is_news = any(counts.values())
    if is_news:
        audit.record(
            event,
            pharmacy=ended.pharmacy_id,
            by=by,
            now=now,
            subject=audit.Subject("reminderplan", str(plan.pk)),
            patient=str(ended.patient_id),
            reason_code=reason.value,
            body=counts,
        )


def leaves_at(message: Planned | Reminder, now: datetime, zone: ZoneInfo, quiet: QuietHours) -> datetime | None:
    """Return when a planned message leaves, quiet hours regarded; `None` if it cannot while it is true."""
    due = resolve(message.local_date, message.local_time, zone)
    return place(due, message.useful_until, now, zone, quiet, on_its_day=ReminderKind(message.kind).before_its_day)


def _reminders(
    planned: Iterable[Planned], patient: Patient, now: datetime, zone: ZoneInfo, quiet: QuietHours
) -> Iterator[Reminder]:
    for message in planned:
        due = leaves_at(message, now, zone, quiet)
        if due is not None:
            yield new_row(
                Reminder,
                pharmacy_id=patient.pharmacy_id,
                patient_id=patient.pk,
                kind=message.kind,
                occurrence=message.occurrence,
                local_date=message.local_date,
                local_time=message.local_time,
                tz_name=str(zone),
                due_at=due.astimezone(UTC),
                useful_until=message.useful_until,
                params=dict(message.params),
            )
