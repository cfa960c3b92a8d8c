"""A dispense as a FHIR R4 MedicationDispense, with findings as DetectedIssues and answers as mitigations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from baclofen_rules.therapy import SupplyType
from dispensary.api.fhir.issue import detected_issue
from dispensary.api.fhir.values import (
    ACT_CODE,
    days_quantity,
    drop_empty,
    json_number,
    reference,
    tablet_quantity,
    unit_quantity,
)
from dispensary.fhir.medicine import ATC
from dispensary.models import Dispense, DispenseStatus, Finding, Override, Source

KEYS = "urn:dispensary:idempotency-key"
"""The system of the key with which a client had the hand-over made."""
# A supply that came back had begun and ended early; one that was cancelled never left the counter.
STATUS = {
    DispenseStatus.COMPLETED: "completed",
    DispenseStatus.RETURNED: "stopped",
    DispenseStatus.CANCELLED: "cancelled",
}
RECORDED = "http://hl7.org/fhir/5.0/StructureDefinition/extension-MedicationDispense.recorded"
"""The element of FHIR R5, of a hand-over that was recorded late."""


def medication_dispense(
    dispense: Dispense, findings: Iterable[Finding], answers: Iterable[Override], supply_type: SupplyType | None
) -> dict[str, Any]:
    """Return the resource with pack and findings contained; amounts are exact JSON numbers.

    `supply_type` is None where the record does not tell it.
    """
    answered = {answer.fingerprint: answer for answer in answers}
    packs = [_render_pack(dispense, number, pack) for number, pack in enumerate(dispense.packs, start=1)]
    issues = [
        detected_issue(
            finding,
            answered.get(finding.fingerprint),
            name=f"finding-{finding.number}",
            patient=dispense.patient_id,
            reviewed_at=dispense.review.reviewed_at,
        )
        for finding in findings
    ]
    resource = {
        "resourceType": "MedicationDispense",
        "id": str(dispense.pk),
        "identifier": [{"system": KEYS, "value": dispense.key}],
        "contained": [*packs, *issues],
        "extension": [{"url": RECORDED, "valueDateTime": dispense.recorded_at.isoformat()}]
        if dispense.recorded_at is not None
        else [],
        "status": STATUS[DispenseStatus(dispense.status)],
        "medicationReference": {"reference": "#pack"},
        "subject": reference("Patient", dispense.patient_id),
        "supportingInformation": [{"reference": f"#{pack['id']}"} for pack in packs[1:]],
        "performer": [{"actor": {"display": dispense.dispenser_name}}],
        "authorizingPrescription": [reference("MedicationRequest", dispense.prescription_id)]
        if dispense.prescription.source != Source.EMERGENCY
        else [],
        "type": {"coding": [{"system": ACT_CODE, "code": supply_type.value}]} if supply_type else {},
        "quantity": tablet_quantity(dispense.quantity),
        "daysSupply": days_quantity(dispense.days_supply),
        "whenPrepared": dispense.prepared_at.isoformat(),
        "whenHandedOver": dispense.handed_over_at.isoformat(),
        "dosageInstruction": [{"text": dispense.prescription.directions}] if dispense.prescription.directions else [],
        "statusReasonCodeableConcept": {"text": dispense.ended_reason} if dispense.ended_reason else [],
        "note": [{"text": words} for words in _render_notes(dispense)],
        "detectedIssue": [{"reference": f"#{issue['id']}"} for issue in issues],
    }
    return drop_empty(resource)


def _render_pack(dispense: Dispense, number: int, pack: Mapping[str, Any]) -> dict[str, Any]:
    """Return a pack as a contained Medication; with the tablets that came from it, where there were several."""
    batch = {
        "lotNumber": pack["lot"],
        "expirationDate": pack["expiry"].isoformat() if pack["expiry"] else "",
    }
    batch = {name: value for name, value in batch.items() if value}
    product = dispense.product if pack["gtin"] == dispense.product_id else None
    name = product.name if product else f"Baclofen {json_number(dispense.strength_mg)} mg tablets"
    per_tablet = {
        "numerator": unit_quantity(dispense.strength_mg, "mg"),
        "denominator": tablet_quantity(Decimal(1)),
    }
    amount = {"numerator": tablet_quantity(pack["quantity"]), "denominator": {"value": 1}}
    return {
        "resourceType": "Medication",
        "id": "pack" if number == 1 else f"pack-{number}",
        **({"identifier": [{"system": "https://id.gs1.org/01", "value": pack["gtin"]}]} if pack["gtin"] else {}),
        "code": {"coding": [{"system": ATC, "code": "M03BX01"}], "text": name},
        "ingredient": [{"itemCodeableConcept": {"text": "baclofen"}, "strength": per_tablet}],
        **({"amount": amount} if dispense.further_packs else {}),
        **({"batch": batch} if batch else {}),
    }


def _render_notes(dispense: Dispense) -> Iterator[str]:
    if dispense.recorded_at is not None:
        words = f": {dispense.late_words}" if dispense.late_words else "."
        yield f"Recorded late, at {dispense.recorded_at.isoformat()} by {dispense.recorder_name}{words}"
    if dispense.ended_at is not None:
        yield f"{dispense.get_status_display()} at {dispense.ended_at.isoformat()}: {dispense.ended_reason}"
