"""The life of an order at the counter: held and resumed, corrected, reinstated after a cancel by mistake, worked on by one person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from dispensary import audit, policies
from dispensary.actions.locks import lock, lock_with_status
from dispensary.actions.prescribers import find_or_register
from dispensary.actions.prescriptions import Received, end, receive
from dispensary.actions.summaries import follow_therapy
from dispensary.actors import Actor
from dispensary.audit import Event
from dispensary.errors import Conflict, InvalidInput, Problem
from dispensary.models import Awaited, OrderClaim, Prescriber, Prescription, PrescriptionStatus, Source
from dispensary.models.prescription import OPEN_STATUSES
from dispensary.rows import group_orders
from dispensary.statements import run
from dispensary.text import clean_line

CLAIM_LASTS = timedelta(minutes=15)
"""The time after which an order that one person opened is nobody's again. [D]"""


@transaction.atomic
def hold(
    *, prescription: Prescription, awaiting: str, reason: str = "", version: int | None = None, by: Actor, now: datetime
) -> Prescription:
    """Put an order on hold until the prescriber, stock or the patient is there: nothing of it is handed over meanwhile.

    The strengths of one order are held together. Raises `Conflict` for an order that has ended or is on hold.
    """
    policies.require(policies.may_receive(by), by, "put a prescription on hold", "a technician or pharmacist")
    policies.require_same_pharmacy(by, prescription.pharmacy_id)
    if awaiting not in Awaited.values:
        problem = Problem("awaiting", awaiting[:16], f"one of {', '.join(Awaited.values)}")
        raise InvalidInput("An order waits for nothing of that name.", problem)
    words = clean_line(reason, "reason", longest=250, required=False)
    locked = lock_with_status(prescription, version, PrescriptionStatus.ACTIVE)
    for row in _strengths_of(locked, PrescriptionStatus.ACTIVE):
        row.status, row.awaiting, row.ended_reason = PrescriptionStatus.ON_HOLD, awaiting, words
        row.awaiting_since = now
        _store(row, "awaiting", "awaiting_since")
        _record(Event.PRESCRIPTION_PAUSED, row, by, now, {"awaiting": awaiting, "reason": words})
    follow_therapy(patient_id=locked.patient_id, by=by, now=now)
    return lock(locked)


@transaction.atomic
def resume(
    *, prescription: Prescription, reason: str = "", version: int | None = None, by: Actor, now: datetime
) -> Prescription:
    """Make an order active again that was put on hold here; `reason` says how it was settled.

    Raises `Conflict` for an order that its sender holds.
    """
    policies.require(policies.may_receive(by), by, "resume a prescription", "a technician or pharmacist")
    policies.require_same_pharmacy(by, prescription.pharmacy_id)
    words = clean_line(reason, "reason", longest=250, required=False)
    locked = lock_with_status(prescription, version, PrescriptionStatus.ON_HOLD)
    if not locked.awaiting:
        problem = Problem(
            "prescription",
            "on hold by its sender",
            "one that was put on hold here",
            "Wait for its sender to release it.",
        )
        raise Conflict("The sender of the prescription put it on hold.", problem)
    for row in _strengths_of(locked, PrescriptionStatus.ON_HOLD):
        settled = {"awaiting": row.awaiting, "note": row.ended_reason, "reason": words}
        row.status, row.awaiting, row.ended_reason = PrescriptionStatus.ACTIVE, "", ""
        _store(row, "awaiting")
        _record(Event.PRESCRIPTION_RESUMED, row, by, now, settled)
    follow_therapy(patient_id=locked.patient_id, by=by, now=now)
    return lock(locked)


@transaction.atomic
def reinstate(
    *, prescription: Prescription, reason: str, version: int | None = None, by: Actor, now: datetime
) -> Prescription:
    """Undo a cancel of the same day. Raises `Conflict` for an older one, and for one that the sender asked for."""
    policies.require(policies.may_end(by), by, "undo a cancel", "a pharmacist")
    policies.require_same_pharmacy(by, prescription.pharmacy_id)
    words = clean_line(reason, "reason", longest=250)
    locked = lock_with_status(prescription, version, PrescriptionStatus.CANCELLED)
    if not may_be_reinstated(locked, now):
        problem = Problem(
            "prescription",
            f"cancelled by its sender ({locked.withdrawn_as})"
            if locked.withdrawn_as
            else "cancelled on an earlier day",
            "one that was cancelled here today",
            "Take it in again, or ask the prescriber.",
        )
        raise Conflict("This cancel cannot be undone.", problem)
    before = {"cancelled_at": locked.ended_at, "cancelled_because": locked.ended_reason, "reason": words}
    locked.status, locked.ended_at, locked.ended_reason = PrescriptionStatus.ACTIVE, None, ""
    _store(locked, "ended_at")
    _record(Event.PRESCRIPTION_REINSTATED, locked, by, now, before)
    follow_therapy(patient_id=locked.patient_id, by=by, now=now)
    return locked


def may_be_reinstated(prescription: Prescription, now: datetime) -> bool:
    """Say whether an order was cancelled here, on this day of the pharmacy, and the patient lives."""
    local_day = prescription.pharmacy.local_day
    return (
        prescription.status == PrescriptionStatus.CANCELLED
        and not prescription.withdrawn_as
        and prescription.ended_at is not None
        and local_day(prescription.ended_at) == local_day(now)
        and prescription.patient.died_on is None
    )


@transaction.atomic
def correct(
    *,
    prescription: Prescription,
    prescriber: Prescriber | Mapping[str, str],
    order: Mapping[str, Any],
    document: Mapping[str, Any],
    reason: str,
    replaces: Prescription | None = None,
    identifiers: Sequence[tuple[str, str]] = (),
    by: Actor,
    now: datetime,
) -> Received:
    """Correct an order that was typed here wrongly: a new one takes its place, with what differs in the log.

    The order as it was typed stays. The new one replaces what the old one replaced, unless `replaces` names another.
    Raises `Conflict` for an order of another system, one that has ended, and one of which something was handed over.
    """
    words = clean_line(reason, "reason", longest=230)
    policies.require(policies.may_receive(by), by, "correct a prescription", "a technician or pharmacist")
    policies.require_same_pharmacy(by, prescription.pharmacy_id)
    locked = lock(prescription)
    problem = correction_problem(locked)
    if problem is not None:
        raise Conflict("This prescription cannot be corrected.", problem)
    end(locked, PrescriptionStatus.REPLACED, f"corrected: {words}", now)
    received = receive(
        pharmacy=locked.pharmacy,
        patient=locked.patient,
        prescriber=find_or_register(prescriber, pharmacy=locked.pharmacy, by=by, now=now),
        order=order,
        source=Source.COUNTER,
        document=document,
        replaces=replaces,
        replaced_before=locked.replaces if replaces is None else None,
        identifiers=identifiers,
        by=by,
        now=now,
    )
    fields = sorted(locked.document.keys() | document.keys())
    changed = {
        name: {"from": locked.document.get(name), "to": document.get(name)}
        for name in fields
        if locked.document.get(name) != document.get(name)
    }
    _record(
        Event.PRESCRIPTION_CORRECTED,
        received.prescription,
        by,
        now,
        {"corrects": locked.pk, "reason": words, "changed": changed},
    )
    return received


def correction_problem(prescription: Prescription) -> Problem | None:
    """Return why an order cannot be corrected; None where it can."""
    if prescription.status not in OPEN_STATUSES:
        return Problem("prescription", prescription.standing, "an open prescription", "Take in a new one.")
    if prescription.source != Source.COUNTER:
        return Problem(
            "prescription",
            "one that came from another system",
            "one that was typed at the counter",
            "Ask its sender for a corrected one, or take in a new one that replaces it.",
        )
    if prescription.dispenses.exists():
        return Problem(
            "prescription",
            "one of which something was handed over",
            "one of which nothing was handed over",
            "Take in a new one that replaces it.",
        )
    return None


def may_be_replaced(prescription: Prescription) -> bool:
    """Say whether a typed order may take the place of one that cannot be corrected; not of several strengths, which one form cannot hold."""
    return (
        prescription.status in OPEN_STATUSES
        and prescription.source != Source.EMERGENCY
        and correction_problem(prescription) is not None
        and not (
            prescription.group
            and prescription.patient.prescriptions.filter(group=prescription.group, status__in=OPEN_STATUSES)
            .exclude(pk=prescription.pk)
            .exists()
        )
    )


@transaction.atomic
def claim(*, prescription: Prescription, take_over: bool = False, by: Actor, now: datetime) -> OrderClaim:
    """Note that a person works on an order, and return who does: another one keeps it until it lapses or is taken over.

    Nothing is refused to others: it is a notice, so that two people do not begin the same work. Taking over is recorded.
    """
    policies.require(policies.may_dispense(by), by, "work on a prescription", "a technician or pharmacist")
    policies.require_same_pharmacy(by, prescription.pharmacy_id)
    current = OrderClaim.objects.select_for_update().filter(prescription=prescription).first()
    is_others = current is not None and current.actor != by.name and current.claimed_at > now - CLAIM_LASTS
    if current is not None and is_others and not take_over:
        return current
    if current is not None and is_others:
        _record(Event.PRESCRIPTION_TAKEN_OVER, prescription, by, now, {"from": current.display})
    row = OrderClaim(prescription=prescription, actor=by.name, display=by.display or by.name, claimed_at=now)
    OrderClaim.objects.bulk_create(
        [row],
        update_conflicts=True,
        unique_fields=["prescription"],
        update_fields=["actor", "display", "claimed_at"],
    )
    return row


def end_claim(prescription: Prescription, by: Actor) -> None:
    """End the claim of who has done the work, in the caller's transaction; that of another person stays."""
    statement = "DELETE FROM dispensary_orderclaim WHERE prescription_id = %(order)s AND actor = %(actor)s"
    run(statement, {"order": prescription.pk, "actor": by.name})


def _strengths_of(locked: Prescription, status: PrescriptionStatus) -> list[Prescription]:
    """Return the prescriptions of that status that are strengths of one order, this one included."""
    if not locked.group:
        return [locked]
    rows = locked.patient.prescriptions.select_for_update(of=("self",)).select_related("pharmacy", "patient")
    orders = group_orders(rows.filter(group=locked.group))
    together = next((order for order in orders if locked in order), (locked,))
    return [row for row in together if row.status == status]


def _store(row: Prescription, *names: str) -> None:
    row.version += 1
    row.save(update_fields=["status", "ended_reason", "version", *names])


def _record(event: Event, subject: Prescription, by: Actor, now: datetime, body: Mapping[str, Any]) -> None:
    audit.record(
        event, pharmacy=subject.pharmacy, by=by, now=now, subject=subject, patient=subject.patient, body=dict(body)
    )
