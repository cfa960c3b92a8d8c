"""The state of an order as its sender says it afterwards: withdrawn, on hold, active again, completed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import Q

from baclofen_rules.text import format_amount
from dispensary import audit, policies
from dispensary.actions import reviews
from dispensary.actions.locks import lock
from dispensary.actions.prescriptions import end
from dispensary.actions.summaries import follow_therapy
from dispensary.actors import Actor
from dispensary.assessment import assess_stop
from dispensary.audit import Event
from dispensary.errors import Conflict, Problem
from dispensary.models import (
    Pharmacy,
    Prescription,
    PrescriptionStatus,
    ReviewReason,
    SenderStatus,
    Withdrawal,
    WorkKind,
)
from dispensary.models.prescription import OPEN_STATUSES
from dispensary.reminders.work import open_or_add
from dispensary.text import clean_line


def find_by_identifiers(pharmacy: Pharmacy, identifiers: Sequence[tuple[str, str]]) -> Prescription | None:
    """Return the order that the sender's identifiers name, as (system, value). Raises `Conflict` where they name several."""
    named = Q()
    for system, value in identifiers:
        named |= Q(identifiers__system=system, identifiers__value=value)
    orders = list(Prescription.objects.filter(named, pharmacy=pharmacy).distinct()) if identifiers else []
    if len(orders) > 1:
        problem = Problem(
            "MedicationRequest.identifier",
            "identifiers of several orders: " + ", ".join(f"MedicationRequest/{order.pk}" for order in orders[:3]),
            "the identifiers of one order",
            "Send one message for each order.",
        )
        raise Conflict("The identifiers belong to several orders here.", problem)
    return orders[0] if orders else None


@transaction.atomic
def withdraw(
    *, prescription: Prescription, status: SenderStatus, reason: str = "", by: Actor, now: datetime
) -> Prescription:
    """Record that the sender took an order back: what is left of it is cancelled, or completed where it is called fulfilled.

    A sender ends an order, never a course: what was handed over is still taken, so its reminders stay, and a pharmacist gets
    work. One that is put on hold can be released again (`release`). The same status again changes nothing.
    """
    policies.require(policies.may_receive(by), by, "take in a withdrawal", "a technician or pharmacist")
    policies.require_same_pharmacy(by, prescription.pharmacy_id)
    locked = lock(prescription)
    if locked.withdrawn_as == status:
        return locked
    was_open = locked.status in OPEN_STATUSES
    words = f"{status.label} by its sender" + (f" ({reason})" if reason else "")
    reason_text = clean_line(words[:250], "reason", longest=250)
    if status == SenderStatus.ON_HOLD:
        return _hold(locked, reason_text, by, now) if was_open and not _is_held(locked) else locked
    if status == SenderStatus.COMPLETED and not was_open:
        return locked
    locked.withdrawn_as = status
    if was_open:
        is_completed = status == SenderStatus.COMPLETED
        end(locked, PrescriptionStatus.COMPLETED if is_completed else PrescriptionStatus.CANCELLED, reason_text, now)
    else:
        locked.version += 1
    locked.save(update_fields=["withdrawn_as", "version"])
    follow_therapy(patient_id=locked.patient_id, reason=Withdrawal.PRESCRIPTION_CANCELLED, by=by, now=now)
    audit.record(
        Event.PRESCRIPTION_WITHDRAWN,
        pharmacy=locked.pharmacy,
        by=by,
        now=now,
        subject=locked,
        patient=locked.patient,
        reason_code=status.value,
        body={"reason": reason, "cancelled": was_open},
    )
    handed_over = Decimal(0) if status == SenderStatus.COMPLETED else locked.dispensed()
    if handed_over:
        words = (
            f"The sender withdrew the order of {locked.received_at:%d %b %Y} ({status.label}); {format_amount(handed_over)} tablets"
            " of it were handed over. "
        )
        advice = _check_stop(locked, by, now) if status == SenderStatus.STOPPED else ""
        open_or_add(
            WorkKind.ORDER_WITHDRAWN,
            pharmacy_id=locked.pharmacy_id,
            patient_id=locked.patient_id,
            reason=f"{words}{advice}Ask the prescriber what the patient should take now."[:300],
            by=by,
            now=now,
        )
    return locked


def _is_held(prescription: Prescription) -> bool:
    """Say whether its sender holds an order."""
    return prescription.status == PrescriptionStatus.ON_HOLD and not prescription.awaiting


def _hold(prescription: Prescription, reason: str, by: Actor, now: datetime) -> Prescription:
    prescription.status, prescription.awaiting, prescription.ended_reason = PrescriptionStatus.ON_HOLD, "", reason
    prescription.version += 1
    prescription.save(update_fields=["status", "awaiting", "ended_reason", "version"])
    audit.record(
        Event.PRESCRIPTION_HELD,
        pharmacy=prescription.pharmacy,
        by=by,
        now=now,
        subject=prescription,
        patient=prescription.patient,
        body={"reason": reason},
    )
    follow_therapy(patient_id=prescription.patient_id, by=by, now=now)
    return prescription


@transaction.atomic
def release(*, prescription: Prescription, by: Actor, now: datetime) -> Prescription:
    """Make an order active again that its sender had put on hold; any other, also one held here, is left as it is."""
    policies.require(policies.may_receive(by), by, "take in a prescription", "a technician or pharmacist")
    policies.require_same_pharmacy(by, prescription.pharmacy_id)
    locked = lock(prescription)
    if not _is_held(locked):
        return locked
    locked.status, locked.ended_reason = PrescriptionStatus.ACTIVE, ""
    locked.version += 1
    locked.save(update_fields=["status", "ended_reason", "version"])
    audit.record(
        Event.PRESCRIPTION_RELEASED,
        pharmacy=locked.pharmacy,
        by=by,
        now=now,
        subject=locked,
        patient=locked.patient,
        body={},
    )
    follow_therapy(patient_id=locked.patient_id, by=by, now=now)
    return locked


def _check_stop(prescription: Prescription, by: Actor, now: datetime) -> str:
    """Ask the rules what stopping at once would be, freeze their answer, and return it in words with the taper they propose."""
    assessment = assess_stop(prescription, on=prescription.pharmacy.local_day(now), reason="")
    reviews.freeze(subject=prescription, assessment=assessment, reason=ReviewReason.STOP, by=by, now=now)
    finding = next((finding for finding in assessment.review.findings if finding.code == "abrupt-stop"), None)
    if finding is None:
        return ""
    taper = (finding.suggestion or {}).get("taper")
    return f"{finding.summary}. " + (f"Proposed taper: {taper['sentence']} " if taper else "")
