"""A dispense as a FHIR R4 MedicationDispense, with findings as DetectedIssues and answers as mitigations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from baclofen_rules.therapy import SupplyType
from dispensary.api.fhir.medicine import ATC
from dispensary.api.fhir.units import DRUG_FORM, UCUM
from dispensary.models import Dispense, DispenseStatus, Finding, FindingSeverity, Mitigation, Override, Source

ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
MITIGATION = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
_SEVERITY = {
    FindingSeverity.STOP: "high",
    FindingSeverity.OVERRIDE: "high",
    FindingSeverity.ACKNOWLEDGE: "moderate",
    FindingSeverity.INFORMATION: "low",
}
# A supply that came back had begun and ended early; one that was cancelled never left the counter.
_STATUS = {
    DispenseStatus.COMPLETED: "completed",
    DispenseStatus.RETURNED: "stopped",
    DispenseStatus.CANCELLED: "cancelled",
}


def medication_dispense(
    dispense: Dispense, findings: Iterable[Finding], answers: Iterable[Override], supply_type: SupplyType
) -> dict[str, Any]:
    """Return the resource with pack and findings contained; amounts are exact JSON numbers."""
    answered = {answer.fingerprint: answer for answer in answers}
    packs = [_render_pack(dispense, number, pack) for number, pack in enumerate(dispense.packs, start=1)]
    issues = [_render_issue(finding, dispense, answered.get(finding.fingerprint)) for finding in findings]
    resource = {
        "resourceType": "MedicationDispense",
        "id": str(dispense.pk),
        "contained": [*packs, *issues],
        "status": _STATUS[DispenseStatus(dispense.status)],
        "medicationReference": {"reference": "#pack"},
        "subject": {"reference": f"Patient/{dispense.patient_id}"},
        "supportingInformation": [{"reference": f"#{pack['id']}"} for pack in packs[1:]],
        "performer": [{"actor": {"display": dispense.dispenser_name}}],
        "authorizingPrescription": [{"reference": f"MedicationRequest/{dispense.prescription_id}"}]
        if dispense.prescription.source != Source.EMERGENCY
        else [],
        "type": {"coding": [{"system": ACT_CODE, "code": supply_type.value}]},
        "quantity": _tablet_quantity(dispense.quantity),
        "daysSupply": {"value": dispense.days_supply, "unit": "days", "system": UCUM, "code": "d"},
        "whenPrepared": dispense.prepared_at.isoformat(),
        "whenHandedOver": dispense.handed_over_at.isoformat(),
        "dosageInstruction": [{"text": dispense.prescription.directions}] if dispense.prescription.directions else [],
        "statusReasonCodeableConcept": {"text": dispense.ended_reason} if dispense.ended_reason else [],
        "note": [{"text": _render_note(dispense)}] if dispense.ended_at else [],
        "detectedIssue": [{"reference": f"#{issue['id']}"} for issue in issues],
    }
    return {name: value for name, value in resource.items() if value != []}


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
        "numerator": {"value": json_number(dispense.strength_mg), "unit": "mg", "system": UCUM, "code": "mg"},
        "denominator": _tablet_quantity(Decimal(1)),
    }
    amount = {"numerator": _tablet_quantity(pack["quantity"]), "denominator": {"value": 1}}
    return {
        "resourceType": "Medication",
        "id": "pack" if number == 1 else f"pack-{number}",
        **({"identifier": [{"system": "https://id.gs1.org/01", "value": pack["gtin"]}]} if pack["gtin"] else {}),
        "code": {"coding": [{"system": ATC, "code": "M03BX01"}], "text": name},
        "ingredient": [{"itemCodeableConcept": {"text": "baclofen"}, "strength": per_tablet}],
        **({"amount": amount} if dispense.further_packs else {}),
        **({"batch": batch} if batch else {}),
    }


def _render_issue(finding: Finding, dispense: Dispense, answer: Override | None) -> dict[str, Any]:
    coding = [{"system": ACT_CODE, "code": finding.detected_issue}] if finding.detected_issue else []
    issue: dict[str, Any] = {
        "resourceType": "DetectedIssue",
        "id": f"finding-{finding.number}",
        "status": "final",
        "code": {**({"coding": coding} if coding else {}), "text": finding.code},
        "severity": _SEVERITY[FindingSeverity(finding.severity)],
        "patient": {"reference": f"Patient/{dispense.patient_id}"},
        "identifiedDateTime": dispense.review.reviewed_at.isoformat(),
        "detail": f"{finding.summary}. {finding.detail}".strip(),
    }
    return issue | ({"mitigation": _render_mitigations(answer)} if answer else {})


def _render_mitigations(answer: Override) -> list[dict[str, Any]]:
    """Return the mitigation of an answer, and the second signature's where there is one."""
    second = getattr(answer, "second", None)
    if second is None:
        return [_render_mitigation(answer)]
    words = f"Signed alone, because {second.because}" if second.is_alone else "Second pharmacist agreed"
    signed = {"date": second.signed_at.isoformat(), "author": {"display": second.signer_name}}
    return [_render_mitigation(answer), {"action": {"text": words}, **signed}]


def _render_mitigation(answer: Override) -> dict[str, Any]:
    """Return the mitigation of an answer; an acknowledgement has words and no code."""
    reason = Mitigation(answer.mitigation) if answer.mitigation else None
    words = answer.words or (str(reason.label) if reason else "Acknowledged")
    action: Mapping[str, Any] = {"text": words}
    if reason:
        action = {"coding": [{"system": MITIGATION, "code": reason.value}], "text": words}
    return {"action": action, "date": answer.signed_at.isoformat(), "author": {"display": answer.signer_name}}


def _render_note(dispense: Dispense) -> str:
    ended = dispense.ended_at.isoformat() if dispense.ended_at else ""
    return f"{dispense.get_status_display()} at {ended}: {dispense.ended_reason}"


def _tablet_quantity(value: Decimal) -> dict[str, Any]:
    return {"value": json_number(value), "unit": "tablet", "system": DRUG_FORM, "code": "TAB"}


def json_number(value: Decimal) -> int | float:
    """Return an amount as a JSON number, which FHIR requires. Raises `ValueError` where it would not be exact."""
    if value == int(value):
        return int(value)
    number = float(value)
    if Decimal(repr(number)) != value.normalize():
        raise ValueError(f"{value} has no exact JSON number")
    return number
