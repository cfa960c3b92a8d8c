"""A patient's record as a FHIR R4 Patient. Facts of their health and addresses are not part of it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from dispensary.api.fhir.values import drop_empty, reference
from dispensary.models import Patient


def patient_resource(patient: Patient) -> dict[str, Any]:
    """Return the resource; of records that were joined, with links from each to the other."""
    return drop_empty(
        {
            "resourceType": "Patient",
            "id": str(patient.pk),
            "identifier": [drop_empty({"system": patient.identifier_system, "value": patient.identifier})],
            "active": patient.joined_to_id is None,
            "name": [drop_empty({"use": "official", "family": patient.family_name, "given": _given_names(patient)})],
            "gender": patient.sex,
            "birthDate": str(patient.birth_date) if patient.birth_date else "",
            "deceasedDateTime": str(patient.died_on) if patient.died_on else "",
            "communication": [
                {
                    "language": {"coding": [{"system": "urn:ietf:bcp:47", "code": patient.language}]},
                    "preferred": True,
                }
            ],
            "link": [
                *([_link(patient.joined_to_id, "replaced-by")] if patient.joined_to_id else []),
                *(_link(key, "replaces") for key in sorted(joined.pk for joined in patient.joined_records.all())),
            ],
        }
    )


def _link(key: UUID, kind: str) -> dict[str, Any]:
    return {"other": reference("Patient", key), "type": kind}


def _given_names(patient: Patient) -> list[str]:
    return [patient.given_name] if patient.given_name else []
