"""Work for people: opened in the transaction of its cause, closed by a person or by what happened since."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from dispensary import audit
from dispensary.actors import Actor
from dispensary.errors import Conflict, InvalidInput, NotFound, Problem
from dispensary.models import Resolution, WorkKind, WorklistItem, WorkState
from dispensary.policies import may_send_reminders, require, require_same_pharmacy

DUE_WITHIN = {
    WorkKind.WITHDRAWAL_RISK: timedelta(0),
    WorkKind.UNREACHABLE: timedelta(hours=4),
    WorkKind.FAILED: timedelta(hours=4),
    WorkKind.MAYBE_SENT: timedelta(hours=4),
    WorkKind.EXPIRED: timedelta(hours=1),
    WorkKind.REPLY: timedelta(hours=8),
    WorkKind.WRONG_PERSON: timedelta(hours=24),
    WorkKind.ORDER_WITHDRAWN: timedelta(hours=1),
}


def open_work(
    kind: WorkKind,
    *,
    pharmacy_id: UUID,
    patient_id: UUID,
    reason: str,
    by: Actor,
    now: datetime,
    reminder_id: int | None = None,
) -> bool:
    """Open one piece of work unless the same is open already. Returns whether it is new. Call inside a transaction."""
    item = WorklistItem(
        pharmacy_id=pharmacy_id,
        patient_id=patient_id,
        reminder_id=reminder_id,
        kind=kind,
        reason=reason,
        opened_at=now,
        due_by=now + DUE_WITHIN[kind],
    )
    WorklistItem.objects.bulk_create([item], ignore_conflicts=True)
    if not WorklistItem.objects.filter(pk=item.pk).exists():
        return False
    audit.record(
        audit.Event.WORKLIST_OPENED,
        pharmacy=pharmacy_id,
        by=by,
        now=now,
        subject=item,
        patient=patient_id,
        reason_code=kind.value,
        body={"reason": reason},
    )
    return True


def open_or_add(kind: WorkKind, *, pharmacy_id: UUID, patient_id: UUID, reason: str, by: Actor, now: datetime) -> bool:
    """Open work about a patient or, where it is open already, put the news before what it says. Returns whether it is new.

    Work that was put off is open again: whoever put it off did not know this. Call inside a transaction.
    """
    if open_work(kind, pharmacy_id=pharmacy_id, patient_id=patient_id, reason=reason, by=by, now=now):
        return True
    held = WorklistItem.objects.select_for_update().exclude(state=WorkState.RESOLVED)
    item = held.filter(patient_id=patient_id, kind=kind, reminder__isnull=True).first()
    if item is None:  # done by somebody in this very moment
        return open_work(kind, pharmacy_id=pharmacy_id, patient_id=patient_id, reason=reason, by=by, now=now)
    if reason in item.reason:  # the same news, acted on twice at once
        return False
    item.reason = f"{reason} Before that: {item.reason}"[:300]
    item.state, item.put_off_until, item.due_by = WorkState.OPEN, None, min(item.due_by, now + DUE_WITHIN[kind])
    item.save(update_fields=["reason", "state", "put_off_until", "due_by"])
    _tell(audit.Event.WORKLIST_ANSWERED, item, by, now, "news", {"reason": reason})
    return False


def close_by_event(*, reminder_id: int, by: Actor, now: datetime) -> None:
    """Close the work about one reminder that what has happened since has answered. Call inside a transaction."""
    waiting = WorklistItem.objects.select_for_update().filter(reminder_id=reminder_id).exclude(state=WorkState.RESOLVED)
    for item in waiting:
        item.state, item.resolution, item.resolved_at = WorkState.RESOLVED, Resolution.BY_EVENT, now
        item.resolved_by, item.put_off_until = by.name, None
        item.save()
        _tell(audit.Event.WORKLIST_CLOSED, item, by, now, Resolution.BY_EVENT.value, {})


@transaction.atomic
def resolve_work(*, item_id: UUID, resolution: Resolution, note: str = "", by: Actor, now: datetime) -> WorklistItem:
    """Close a piece of work, saying what was done. Raises NotFound, NotAllowed, Conflict, InvalidInput."""
    item = _held(item_id, by)
    if resolution not in set(Resolution.values) - {Resolution.BY_EVENT.value}:
        raise InvalidInput("What was done?", Problem("resolution", str(resolution), "one of the listed resolutions"))
    resolution = Resolution(resolution)
    item.state, item.resolution, item.note = WorkState.RESOLVED, resolution, note[:500]
    item.resolved_at, item.resolved_by, item.put_off_until = now, by.name, None
    item.save()
    _tell(audit.Event.WORKLIST_CLOSED, item, by, now, resolution.value, {"note": note[:500]})
    return item


@transaction.atomic
def put_off_work(*, item_id: UUID, until: datetime, note: str, by: Actor, now: datetime) -> WorklistItem:
    """Leave a piece of work until a later time, saying why. Raises NotFound, NotAllowed, Conflict, InvalidInput."""
    item = _held(item_id, by)
    if not note.strip():
        raise InvalidInput("Why is it put off?", Problem("note", "nothing", "a reason in words"))
    if not now < until <= now + timedelta(days=31):
        raise InvalidInput("Until when?", Problem("until", until.isoformat(), "a time within the next 31 days"))
    item.state, item.put_off_until, item.due_by, item.note = WorkState.PUT_OFF, until.date(), until, note[:500]
    item.save()
    _tell(audit.Event.WORKLIST_ANSWERED, item, by, now, "put-off", {"until": until.date(), "note": note[:500]})
    return item


def _held(item_id: UUID, by: Actor) -> WorklistItem:
    require(may_send_reminders(by), by, "work on the list", "technicians, pharmacists and managers")
    item = WorklistItem.objects.select_for_update().filter(pk=item_id, pharmacy_id=by.pharmacy_id).first()
    if item is None:
        raise NotFound("There is no such piece of work here.")
    require_same_pharmacy(by, item.pharmacy_id)
    if item.state == WorkState.RESOLVED:
        raise Conflict("Somebody has done this already.")
    return item


def _tell(  # noqa: PLR0917  (the parts of one line, in the order of the sentence)
    event: audit.Event, item: WorklistItem, by: Actor, now: datetime, reason: str, body: dict[str, object]
) -> None:
    audit.record(
        event,
        pharmacy=item.pharmacy_id,
        by=by,
        now=now,
        subject=item,
        patient=item.patient_id,
        reason_code=reason,
        body={"work": item.kind, **body},
    )
