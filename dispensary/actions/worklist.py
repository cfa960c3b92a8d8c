"""Work for people, as a person answers it: done, or put off."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from dispensary import audit
from dispensary.actions.summaries import follow_therapy
from dispensary.actors import Actor
from dispensary.errors import Conflict, InvalidInput, NotFound, Problem
from dispensary.handover import papers_in_hand
from dispensary.models import Patient, Resolution, WorkKind, WorklistItem, WorkState
from dispensary.policies import may_override, may_send_reminders, require, require_same_pharmacy
from dispensary.reminders.work import record_step


@transaction.atomic
def resolve_work(*, item_id: UUID, resolution: Resolution, note: str = "", by: Actor, now: datetime) -> WorklistItem:
    """Close a piece of work, saying what was done. Raises NotFound, NotAllowed, Conflict, InvalidInput."""
    item = lock_item(item_id, by)
    if resolution not in set(Resolution.values) - {Resolution.BY_EVENT.value}:
        raise InvalidInput("What was done?", Problem("resolution", str(resolution), "one of the listed resolutions"))
    resolution = Resolution(resolution)
    if resolution is Resolution.REVIEWED and item.kind != WorkKind.LATE_ENTRY:
        raise InvalidInput(
            "Nothing was recorded late.", Problem("resolution", resolution.value, "one of the other resolutions")
        )
    if resolution is Resolution.POSTED and item.letter_printed_at is None:
        problem = Problem("resolution", resolution.value, "another one", "Print the letter first, then post it.")
        raise Conflict("No letter about this was printed.", problem)
    if item.kind == WorkKind.LATE_ENTRY:
        require(may_override(by), by, "review what was recorded late", "a pharmacist")
    reader = item.patient if item.kind == WorkKind.PAPERS_OUTDATED else None
    if reader is not None:
        _require_new_papers(item, reader, resolution, now)
    item.state, item.resolution, item.note = WorkState.RESOLVED, resolution, note[:500]
    item.resolved_at, item.resolved_by, item.put_off_until = now, by.name, None
    item.save()
    record_step(audit.Event.WORKLIST_CLOSED, item, by, now, resolution.value, {"note": note[:500]})
    if reader is not None:
        follow_therapy(patient_id=reader.pk, by=by, now=now)
    return item


def _require_new_papers(item: WorklistItem, patient: Patient, resolution: Resolution, now: datetime) -> None:
    """Refuse to close the work of wrong papers before new ones were printed and the patient was spoken to."""
    if resolution is not Resolution.CALLED:
        problem = Problem("resolution", resolution.value, Resolution.CALLED.value, "Speak to the patient first.")
        raise InvalidInput("The patient goes by papers that are wrong until somebody has spoken to them.", problem)
    if item.reprinted_at is None and papers_in_hand(patient, patient.pharmacy.local_day(now)):
        problem = Problem("resolution", "no paper printed since", "a label or calendar printed again")
        raise Conflict("Print the label or the calendar again first: the patient's are no longer true.", problem)


@transaction.atomic
def put_off_work(*, item_id: UUID, until: datetime, note: str, by: Actor, now: datetime) -> WorklistItem:
    """Leave a piece of work until a later time, saying why. Raises NotFound, NotAllowed, Conflict, InvalidInput."""
    item = lock_item(item_id, by)
    if not note.strip():
        raise InvalidInput("Why is it put off?", Problem("note", "nothing", "a reason in words"))
    if not now < until <= now + timedelta(days=31):
        raise InvalidInput("Until when?", Problem("until", until.isoformat(), "a time within the next 31 days"))
    day = item.pharmacy.local_day(until)
    item.state, item.put_off_until, item.due_by, item.note = WorkState.PUT_OFF, day, until, note[:500]
    item.save()
    record_step(audit.Event.WORKLIST_ANSWERED, item, by, now, "put-off", {"until": day, "note": note[:500]})
    return item


def lock_item(item_id: UUID, by: Actor) -> WorklistItem:
    """Lock a piece of work that is not done. Raises NotFound, NotAllowed, Conflict."""
    require(may_send_reminders(by), by, "work on the list", "technicians, pharmacists and managers")
    item = WorklistItem.objects.select_for_update().filter(pk=item_id, pharmacy_id=by.pharmacy_id).first()
    if item is None:
        raise NotFound("There is no such piece of work here.")
    require_same_pharmacy(by, item.pharmacy_id)
    if item.state == WorkState.RESOLVED:
        raise Conflict("Somebody has done this already.")
    return item
