"""The order that a prescriber owes for an emergency supply: work from the hand-over until the order comes."""

from __future__ import annotations

from datetime import datetime

from dispensary.actors import Actor
from dispensary.documents.words import short_day
from dispensary.handover import order_number
from dispensary.models import Dispense, DispenseStatus, Patient, Prescriber, Source, WorkKind, WorkState
from dispensary.reminders.work import close_patient_work, open_or_add
from dispensary.statements import run

_OWES = """
    SELECT id FROM dispensary_worklistitem
     WHERE patient_id = %(patient)s AND kind = %(kind)s AND state <> %(resolved)s LIMIT 1"""
"""Named, because each order that comes in asks it."""


def follow_owed_order(dispense: Dispense, by: Actor, now: datetime) -> None:
    """Open the work of the order that is owed for an emergency supply; close it where the supply never left the counter."""
    order = dispense.prescription
    if order.source != Source.EMERGENCY:
        return
    if dispense.status == DispenseStatus.CANCELLED:
        close_patient_work(patient_id=order.patient_id, kinds=[WorkKind.ORDER_OWED], by=by, now=now)
    elif dispense.status == DispenseStatus.COMPLETED:
        open_or_add(
            WorkKind.ORDER_OWED,
            pharmacy_id=order.pharmacy_id,
            patient_id=order.patient_id,
            reason=f"{order.prescriber.name} owes the order for {_describe(dispense)}.",
            by=by,
            now=now,
        )


def find_owed(patient: Patient) -> Dispense | None:
    """Return the newest emergency supply of a patient whose order is still owed."""
    if not run(_OWES, {"patient": patient.pk, "kind": WorkKind.ORDER_OWED, "resolved": WorkState.RESOLVED}):
        return None
    supplies = Dispense.objects.completed().filter(prescription__patient=patient, prescription__source=Source.EMERGENCY)
    return supplies.select_related("prescription__prescriber", "pharmacy").order_by("-handed_over_at").first()


def note_owed(patient: Patient, prescriber: Prescriber) -> str:
    """Return the note for an order with which its prescriber settles an emergency supply; empty where they owe none."""
    supply = find_owed(patient)
    if supply is None or supply.prescription.prescriber_id != prescriber.pk:
        return ""
    return f"This prescriber owed the order for {_describe(supply)}: those tablets may be part of this quantity."


def settle_owed(patient: Patient, by: Actor, now: datetime) -> None:
    """Close the work of an owed order that has come."""
    close_patient_work(patient_id=patient.pk, kinds=[WorkKind.ORDER_OWED], by=by, now=now)


def _describe(dispense: Dispense) -> str:
    day = short_day(dispense.pharmacy.local_day(dispense.handed_over_at))
    return f"the emergency supply No. {order_number(dispense.prescription)} of {day}"
