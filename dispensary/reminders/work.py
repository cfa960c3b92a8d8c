"""Work for people: opened in the transaction of its cause, closed by what happened since."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q, QuerySet

from dispensary import audit
from dispensary.actors import Actor
from dispensary.models import Reminder, ReminderState, Resolution, WorkKind, WorklistItem, WorkState

DUE_WITHIN = {
    WorkKind.RED_FLAG: timedelta(0),
    WorkKind.WITHDRAWAL_RISK: timedelta(0),
    WorkKind.UNREACHABLE: timedelta(hours=4),
    WorkKind.FAILED: timedelta(hours=4),
    WorkKind.MAYBE_SENT: timedelta(hours=4),
    WorkKind.EXPIRED: timedelta(hours=1),
    WorkKind.REPLY: timedelta(hours=1),
    WorkKind.WRONG_PERSON: timedelta(hours=24),
    WorkKind.ORDER_WITHDRAWN: timedelta(hours=1),
    WorkKind.PAPERS_OUTDATED: timedelta(hours=4),
    WorkKind.ORDER_OWED: timedelta(hours=72),
    WorkKind.LATE_ENTRY: timedelta(hours=24),
    WorkKind.ORDER_REQUESTED: timedelta(hours=8),
    WorkKind.NO_ANSWER: timedelta(hours=4),
    WorkKind.CONSENT_AGE: timedelta(days=14),
    WorkKind.RELATION_UNKNOWN: timedelta(hours=24),
}
"""[D]"""
ORDINARY_REPLY_WITHIN = timedelta(hours=8)
"""[D] For a reply that says nothing but yes or thanks."""


def open_work(
    kind: WorkKind,
    *,
    pharmacy_id: UUID,
    patient_id: UUID | None,
    reason: str,
    by: Actor,
    now: datetime,
    reminder_id: int | None = None,
    within: timedelta | None = None,
) -> bool:
    """Open one piece of work unless the same is open already. Returns whether it is new. Call inside a transaction.

    `within`: due after that instead of what `DUE_WITHIN` says of the kind. Work about nobody known is always new, and the
    log, where nobody's details could be erased, does not repeat its words.
    """
    item = WorklistItem(
        pharmacy_id=pharmacy_id,
        patient_id=patient_id,
        reminder_id=reminder_id,
        kind=kind,
        reason=reason,
        opened_at=now,
        due_by=now + (DUE_WITHIN[kind] if within is None else within),
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
        body={"reason": reason if patient_id else "A message from a number on no record."},
    )
    return True


def open_or_add(
    kind: WorkKind,
    *,
    pharmacy_id: UUID,
    patient_id: UUID,
    reason: str,
    by: Actor,
    now: datetime,
    within: timedelta | None = None,
) -> bool:
    """Open work about a patient or, where it is open already, put the news before what it says. Returns whether it is new.

    Work that was put off is open again: whoever put it off did not know this. Call inside a transaction.
    """
    if open_work(kind, pharmacy_id=pharmacy_id, patient_id=patient_id, reason=reason, by=by, now=now, within=within):
        return True
    unresolved = WorklistItem.objects.select_for_update().exclude(state=WorkState.RESOLVED)
    item = unresolved.filter(patient_id=patient_id, kind=kind, reminder__isnull=True).first()
    if item is None:  # done by somebody in this very moment
        return open_work(
            kind, pharmacy_id=pharmacy_id, patient_id=patient_id, reason=reason, by=by, now=now, within=within
        )
    is_said = reason in item.reason
    if is_said and item.reprinted_at is None:  # the same news, acted on twice at once
        return False
    item.reason = item.reason if is_said else f"{reason} Before that: {item.reason}"[:300]
    due_by = now + (DUE_WITHIN[kind] if within is None else within)
    if due_by < item.due_by:  # more urgent than what it said, and so since now
        item.opened_at, item.due_by = now, due_by
    item.state, item.put_off_until = WorkState.OPEN, None
    if kind is WorkKind.PAPERS_OUTDATED:  # what was printed since is outdated, too, and the patient hears of it again
        item.opened_at, item.reprinted_at = now, None
    item.save(update_fields=["reason", "state", "put_off_until", "due_by", "opened_at", "reprinted_at"])
    record_step(audit.Event.WORKLIST_ANSWERED, item, by, now, "news", {"reason": reason})
    return False


def close_by_event(*, reminder_id: int, by: Actor, now: datetime) -> None:
    """Close the work about one reminder that its arrival has answered: not that of its reader's silence. Call inside a transaction."""
    _close(WorklistItem.objects.filter(reminder_id=reminder_id).exclude(kind=WorkKind.NO_ANSWER), by, now)


def close_unanswered(question: Reminder, *, by: Actor, now: datetime) -> None:
    """Close the work about the silence after a question, whichever guardian's copy it is about. Call inside a transaction."""
    copies = Reminder.objects.filter(plan=question.plan_id, kind=question.kind, local_date=question.local_date)
    _close(WorklistItem.objects.filter(reminder__in=copies, kind=WorkKind.NO_ANSWER), by, now)


def close_answered(patient_id: UUID, *, by: Actor, now: datetime) -> None:
    """Close the work about a patient without an address that is answered by one, but for what was not sent meanwhile."""
    unreachable = WorklistItem.objects.filter(patient_id=patient_id, kind=WorkKind.UNREACHABLE)
    _close(unreachable.filter(Q(reminder__isnull=True) | Q(reminder__state=ReminderState.SCHEDULED)), by, now)


def close_patient_work(*, patient_id: UUID, kinds: Iterable[WorkKind], by: Actor, now: datetime) -> None:
    """Close the work of some kinds about a patient that what has happened since has answered. Call inside a transaction."""
    _close(WorklistItem.objects.filter(patient_id=patient_id, kind__in=kinds), by, now)


def _close(items: QuerySet[WorklistItem], by: Actor, now: datetime) -> None:
    for item in items.select_for_update(of=("self",)).exclude(state=WorkState.RESOLVED):
        item.state, item.resolution, item.resolved_at = WorkState.RESOLVED, Resolution.BY_EVENT, now
        item.resolved_by, item.put_off_until = by.name, None
        item.save()
        record_step(audit.Event.WORKLIST_CLOSED, item, by, now, Resolution.BY_EVENT.value, {})


def record_step(  # noqa: PLR0917  (the parts of one line, in the order of the sentence)
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
