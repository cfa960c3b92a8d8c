"""The FHIR R4 CapabilityStatement of the API."""

from __future__ import annotations

from typing import Any

VERSION = "4.0.1"
PUBLISHED = "2026-11-22"


def capability_statement(address: str) -> dict[str, Any]:
    """Return the statement of the server at `address`, the base of its FHIR addresses without a final slash."""
    taken_in = {
        "type": "MedicationRequest",
        "interaction": [{"code": "create"}],
        "documentation": "Alone or in a Bundle with Patient, Practitioner, Medication, and facts of the patient (Observation, Condition, "
        "AllergyIntolerance, MedicationStatement). What cannot be read without doubt "
        "is asked back as an OperationOutcome. Honours Idempotency-Key. The same identifier again is the same order. With the "
        "status cancelled, stopped or entered-in-error, the order with that identifier is withdrawn; completed ends it, on-hold "
        "holds it until it is sent as active again. Each finding and each rule not assessed is an issue with the rule's code.",
        "operation": [{"name": "review", "definition": "urn:dispensary:operation:review"}],
    }
    given_out = {
        "type": "MedicationDispense",
        "interaction": [{"code": "read"}],
        "documentation": "Pack and findings are contained; what was answered to a finding is its mitigation.",
    }
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": PUBLISHED,
        "kind": "instance",
        "software": {"name": "Dispensary"},
        "implementation": {"description": "Dispensing of oral baclofen", "url": address},
        "fhirVersion": VERSION,
        "format": ["application/fhir+json"],
        "rest": [{"mode": "server", "resource": [taken_in, given_out]}],
    }
