"""A reminder as a FHIR R4 Communication."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dispensary.api.fhir.values import coded, drop_empty, reference
from dispensary.models import Delivery, DeliveryOutcome, Medium, Reminder, ReminderState

REMINDER = "urn:dispensary:reminder"
"""The system of kinds of reminders in `Communication.topic`."""
BEING_SENT = "in-progress"
STATUS = {
    ReminderState.SCHEDULED: "preparation",
    ReminderState.LEASED: "preparation",
    ReminderState.SENT: "completed",
    ReminderState.DELIVERED: "completed",
    ReminderState.WITHDRAWN: "not-done",
    ReminderState.SUPPRESSED: "not-done",
    ReminderState.EXPIRED: "not-done",
    ReminderState.FAILED: "stopped",
    ReminderState.PARKED: "unknown",
}
"""The states of a reminder as FHIR has them; one whose send has begun and not ended is `BEING_SENT`."""
_MEDIA = {
    Medium.EMAIL: "EMAILWRIT",
    Medium.SMS: "SMSWRIT",
    Medium.VOICE: "PHONE",
    Medium.WHATSAPP: "ELECWRIT",
    Medium.PUSH: "ELECWRIT",
}
_PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationMode"


def communication(reminder: Reminder, deliveries: Sequence[Delivery]) -> dict[str, Any]:
    """Return a reminder; its words are not kept, and its address is not told."""
    is_withdrawn = reminder.state == ReminderState.WITHDRAWN
    status = BEING_SENT if reminder.sending_since else STATUS[ReminderState(reminder.state)]
    reason = str(reminder.plan.get_ended_reason_display()) if is_withdrawn and reminder.plan.ended_reason else ""
    words = ". ".join(filter(None, [reminder.standing, reason, reminder.last_error]))
    accepted = [d for d in deliveries if d.outcome in (DeliveryOutcome.ACCEPTED, DeliveryOutcome.DELIVERED)]
    sent_at = max((delivery.started_at for delivery in accepted), default=None)
    return drop_empty(
        {
            "resourceType": "Communication",
            "id": str(reminder.public_id),
            "status": status,
            "statusReason": {} if status == "completed" else {"text": words},
            "category": [coded("http://terminology.hl7.org/CodeSystem/communication-category", "reminder")],
            "medium": [
                coded(_PARTICIPATION, _MEDIA[Medium(medium)]) for medium in sorted({d.medium for d in accepted})
            ],
            "subject": reference("Patient", reminder.patient_id),
            "topic": coded(REMINDER, reminder.kind, str(reminder.get_kind_display())),
            "sent": sent_at.isoformat() if sent_at else "",
            "recipient": [reference("Patient", reminder.patient_id)],
        }
    )
