"""An order as a FHIR R4 MedicationRequest. The readers here read it as the order that it was made from."""

from __future__ import annotations

from typing import Any

from dispensary.api.fhir.instructions import render_phases
from dispensary.api.fhir.values import (
    coded,
    days_quantity,
    drop_empty,
    json_number,
    reference,
    tablet_quantity,
    unit_quantity,
)
from dispensary.fhir.medicine import ATC
from dispensary.fhir.order import COURSES
from dispensary.fhir.units import SNOMED, UCUM
from dispensary.models import Prescriber, Prescription, PrescriptionStatus, SenderStatus

STATUS = {
    PrescriptionStatus.ACTIVE: "active",
    PrescriptionStatus.ON_HOLD: "on-hold",
    PrescriptionStatus.COMPLETED: "completed",
    PrescriptionStatus.CANCELLED: "cancelled",
    PrescriptionStatus.STOPPED: "stopped",
    PrescriptionStatus.REPLACED: "stopped",
}
"""The status of an order here as FHIR has it; one that another replaced is stopped, and its `statusReason` says so."""
ORAL = coded(SNOMED, "26643006", "oral")


def medication_request(order: Prescription) -> dict[str, Any]:
    """Return the resource: what was ordered, not what was handed over.

    The directions stand beside the doses of the only instruction; of several they are a note, since FHIR R4 has no place
    for the words of all of them.
    """
    instructions = _render_instructions(order)
    words = order.directions
    if len(instructions) == 1 and words:
        instructions[0]["text"] = words
    return drop_empty(
        {
            "resourceType": "MedicationRequest",
            "id": str(order.pk),
            "identifier": [
                drop_empty({"system": number.system, "value": number.value}) for number in order.identifiers.all()
            ],
            "status": _render_status(order),
            "statusReason": {"text": reason} if (reason := _render_reason(order)) else {},
            "intent": "order",
            "medicationCodeableConcept": _render_medicine(order),
            "subject": reference("Patient", order.patient_id),
            "authoredOn": str(order.written_on) if order.written_on else "",
            "requester": _render_prescriber(order.prescriber),
            "groupIdentifier": _render_group(order.group),
            "courseOfTherapyType": {}
            if order.then_stop is None
            else coded(COURSES, "acute" if order.then_stop else "continuous"),
            "note": [{"text": f"Directions: {words}"}] if words and len(instructions) > 1 else [],
            "dosageInstruction": instructions,
            "dispenseRequest": _render_supply(order),
            "priorPrescription": reference("MedicationRequest", order.replaces_id) if order.replaces_id else {},
        }
    )


def _render_status(order: Prescription) -> str:
    if order.withdrawn_as == SenderStatus.ENTERED_IN_ERROR and order.status == PrescriptionStatus.CANCELLED:
        return "entered-in-error"
    return STATUS[PrescriptionStatus(order.status)]


def _render_reason(order: Prescription) -> str:
    if order.status == PrescriptionStatus.ON_HOLD and order.awaiting:
        return f"waits for {order.get_awaiting_display()}"
    words = "Replaced by another order" if order.status == PrescriptionStatus.REPLACED else ""
    return ". ".join(filter(None, [words, order.ended_reason]))


def _render_medicine(order: Prescription) -> dict[str, Any]:
    stated = order.medicine or {}
    strength = f" {json_number(order.strength_mg)} mg" if order.strength_mg else ""
    form = "tablets" if order.form in {"", "tablet"} else order.form
    codes = [{"system": ATC, "code": stated.get("atc") or "M03BX01"}, *stated.get("codes", ())]
    return {"coding": codes, "text": stated.get("name") or f"{order.brand or 'Baclofen'}{strength} {form}"}


def _render_prescriber(prescriber: Prescriber) -> dict[str, Any]:
    """Return a logical reference: prescribers are no resources here."""
    number = drop_empty({"system": prescriber.identifier_system, "value": prescriber.identifier})
    return {"type": "Practitioner", "identifier": number, "display": prescriber.name}


def _render_group(group: str) -> dict[str, Any]:
    system, _, value = group.partition("|")
    return drop_empty({"system": system, "value": value})


def _render_instructions(order: Prescription) -> list[dict[str, Any]]:
    """Return an instruction for each dose, or one of words alone."""
    phases = [
        {name: getattr(phase, name) for name in ("doses", "times", "unit", "days", "from_day")}
        for phase in order.phases.all()
    ]
    most = order.max_mg_per_day
    beside = drop_empty(
        {
            "route": ORAL if order.route == "oral" else drop_empty({"text": order.route}),
            "maxDosePerPeriod": {"numerator": unit_quantity(most, "mg"), "denominator": _DAY} if most else {},
        }
    )
    instructions = render_phases(phases, order.starts_on) or [{}]
    return [{**instruction, **beside, "asNeededBoolean": order.as_needed} for instruction in instructions]


_DAY = {"value": 1, "unit": "day", "system": UCUM, "code": "d"}


def _render_supply(order: Prescription) -> dict[str, Any]:
    return drop_empty(
        {
            "numberOfRepeatsAllowed": order.repeats,
            "quantity": tablet_quantity(order.quantity) if order.quantity else {},
            "expectedSupplyDuration": days_quantity(order.expected_days) if order.expected_days else {},
            "dispenseInterval": days_quantity(order.interval_days) if order.interval_days else {},
        }
    )
