"""Actions of a person on a reminder: send it (again), now; or withdraw it."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from uuid import UUID

from django.db import transaction

from dispensary import audit
from dispensary.actors import Actor
from dispensary.errors import Conflict, NotFound
from dispensary.models import Reminder, ReminderState, Resolution, Withdrawal, WorklistItem, WorkState
from dispensary.models.reminders import ReminderKind
from dispensary.policies import may_send_reminders, require
from dispensary.reminders.schedule import LAPSE_LIMIT

STILL_GOOD = timedelta(hours=12)


@transaction.atomic
def send_reminder(*, public_id: UUID, despite_quiet: bool = False, by: Actor, now: datetime) -> Reminder:
    """Send a reminder now, for the first time or again. `despite_quiet`: the person has decided that it may not wait.

    Consent is not bent: without an allowed address it will not leave. Raises NotFound, NotAllowed, Conflict.
    """
    reminder = _held(public_id, by, "send a reminder")
    if reminder.state == ReminderState.LEASED:
        raise Conflict("A worker has it in hand at this moment.")
    if reminder.plan.ended_at:
        raise Conflict("It belongs to a supply that has been replaced or taken back.")
    _still_true(reminder, now)
    again = reminder.attempts > 0
    reminder.round += again
    reminder.state, reminder.last_error, reminder.lost_workers = ReminderState.SCHEDULED, "", 0
    reminder.due_at, reminder.despite_quiet = now, despite_quiet
    if reminder.useful_until <= now:
        reminder.useful_until = now + STILL_GOOD
    reminder.save()
    WorklistItem.objects.filter(reminder=reminder).exclude(state=WorkState.RESOLVED).update(
        state=WorkState.RESOLVED, resolution=Resolution.SENT_AGAIN, resolved_at=now, resolved_by=by.name
    )
    _tell(audit.Event.REMINDER_PLANNED, reminder, by, now, "sent-again" if again else "sent-early")
    return reminder


def _still_true(reminder: Reminder, now: datetime) -> None:
    """Raise Conflict for a message that would be wrong by the time it is sent."""
    over, kind = reminder.useful_until <= now, ReminderKind(reminder.kind)
    if kind in {ReminderKind.DOSE_CHANGE, ReminderKind.CHANGE_DAY} and over:
        raise Conflict("The day of this change has come: the message would be wrong. Call the patient.")
    if kind is ReminderKind.START_DAY and over:
        raise Conflict("The first day has passed: the message would be wrong. Call the patient.")
    if kind is ReminderKind.LAST_DAY and over:
        raise Conflict("The last day has passed: the message would be wrong. Call the patient.")
    if not kind.about_refill:
        return
    today, uncovered_on = reminder.pharmacy.local_day(now), date.fromisoformat(reminder.params["date"])
    if not kind.matters_for_safety and today >= uncovered_on:
        raise Conflict("The supply has ended: a message to order in time would be wrong. Call the patient.")
    if today > uncovered_on + LAPSE_LIMIT:
        raise Conflict(f"The supply ended more than {LAPSE_LIMIT.days} days ago: nothing about it is sent any more.")


@transaction.atomic
def withdraw_reminder(*, public_id: UUID, by: Actor, now: datetime) -> Reminder:
    """Withdraw one reminder that is still owed, or failed. Raises NotFound, NotAllowed, Conflict."""
    reminder = _held(public_id, by, "withdraw a reminder")
    if reminder.sending_since:
        raise Conflict("It is on its way at this moment.")
    if reminder.state in {ReminderState.SENT, ReminderState.DELIVERED, ReminderState.WITHDRAWN}:
        raise Conflict(f"It is {reminder.get_state_display().lower()} already.")
    reminder.state = ReminderState.WITHDRAWN
    reminder.let_go()
    reminder.save()
    WorklistItem.objects.filter(reminder=reminder).exclude(state=WorkState.RESOLVED).update(
        state=WorkState.RESOLVED, resolution=Resolution.NOT_NEEDED, resolved_at=now, resolved_by=by.name
    )
    _tell(audit.Event.REMINDER_WITHDRAWN, reminder, by, now, Withdrawal.BY_HAND)
    return reminder


def _held(public_id: UUID, by: Actor, doing: str) -> Reminder:
    require(may_send_reminders(by), by, doing, "technicians, pharmacists and managers")
    reminders = Reminder.objects.select_for_update(of=("self",)).select_related("plan", "pharmacy")
    reminder = reminders.filter(public_id=public_id, pharmacy_id=by.pharmacy_id).first()
    if reminder is None:
        raise NotFound("There is no such reminder here.")
    return reminder


def _tell(event: audit.Event, reminder: Reminder, by: Actor, now: datetime, reason: str) -> None:
    audit.record(
        event,
        pharmacy=reminder.pharmacy_id,
        by=by,
        now=now,
        subject=audit.Subject("reminder", str(reminder.public_id)),
        patient=reminder.patient_id,
        reason_code=reason,
        body={"kind": reminder.kind, "round": reminder.round, "despite_quiet": reminder.despite_quiet},
    )
