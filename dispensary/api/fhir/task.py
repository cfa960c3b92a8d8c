"""A piece of the pharmacy's work as a FHIR R4 Task."""

from __future__ import annotations

from typing import Any

from dispensary.api.fhir.values import coded, drop_empty, reference
from dispensary.models import WorklistItem, WorkState

WORK = "urn:dispensary:work"
"""The system of kinds of work in `Task.code`."""
STATUS = {WorkState.OPEN: "ready", WorkState.PUT_OFF: "on-hold", WorkState.RESOLVED: "completed"}


def task(work: WorklistItem) -> dict[str, Any]:
    """Return a piece of work, such as the follow-up of a late refill."""
    resolution = work.get_resolution_display() if work.resolution else ""
    return drop_empty(
        {
            "resourceType": "Task",
            "id": str(work.pk),
            "status": STATUS[WorkState(work.state)],
            "statusReason": {"text": f"put off until {work.put_off_until}"} if work.state == WorkState.PUT_OFF else {},
            "businessStatus": {"text": resolution} if resolution else {},
            "intent": "order",
            "code": coded(WORK, work.kind, str(work.get_kind_display())),
            "description": work.reason,
            "focus": reference("Communication", work.reminder.public_id) if work.reminder else {},
            "for": reference("Patient", work.patient_id) if work.patient_id else {},
            "authoredOn": work.opened_at.isoformat(),
            "lastModified": work.resolved_at.isoformat() if work.resolved_at else "",
            "restriction": {"period": {"end": work.due_by.isoformat()}},
            "note": [drop_empty({"authorString": work.resolved_by, "text": work.note})] if work.note else [],
        }
    )
