"""The FHIR R4 CapabilityStatement of the API, made from what can be read and searched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dispensary.api.fhir.kinds import KINDS, Kind

VERSION = "4.0.1"
PUBLISHED = "2026-11-30"
_TAKEN_IN = (
    "Taken in alone or in a Bundle with Patient, Practitioner, Medication, and facts of the patient (Observation, Condition, "
    "AllergyIntolerance, MedicationStatement). What cannot be read without doubt is asked back as an OperationOutcome. "
    "Honours Idempotency-Key and If-None-Exist. The same identifier again is the same order. With the status cancelled, stopped "
    "or entered-in-error, the order with that identifier is withdrawn; completed ends it, on-hold holds it until it is sent as "
    "active again. Each finding and each rule not assessed is an issue with the rule's code."
)
_LOG = "An entry of the log, for auditors and managers. Newest first; `_sort` is -date or -_lastUpdated."


def capability_statement(address: str, log_parameters: Mapping[str, str]) -> dict[str, Any]:
    """Return the statement of the server at `address`, the base of its FHIR addresses without a final slash.

    `log_parameters`: the types of the search parameters of AuditEvent by their names.
    """
    resources = [_describe(kind) for kind in KINDS.values()]
    log = [{"name": name, "type": kind} for name, kind in log_parameters.items()]
    resources.append(_describe_resource("AuditEvent", _LOG, log))
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": PUBLISHED,
        "kind": "instance",
        "software": {"name": "Dispensary"},
        "implementation": {"description": "Dispensing of oral baclofen", "url": address},
        "fhirVersion": VERSION,
        "format": ["application/fhir+json", "json"],
        "rest": [
            {
                "mode": "server",
                "security": {
                    "cors": False,
                    "service": [{"text": "API token"}],
                    "description": "The header Authorization with `Token` and an API token, whose scopes and pharmacies narrow "
                    "what it may; or whatever sign-in the site adds. Each reading is recorded in the log.",
                },
                "resource": resources,
                "interaction": [
                    {"code": "transaction", "documentation": "Orders are taken in all or none; a collection likewise."},
                    {"code": "batch", "documentation": "Each order is taken in for itself."},
                ],
            }
        ],
    }


def _describe(kind: Kind) -> dict[str, Any]:
    parameters = [
        {"name": parameter.name, "type": parameter.kind, "documentation": parameter.documentation or parameter.expected}
        for parameter in kind.all_parameters()
    ]
    documentation = f"{kind.documentation} Sorted with `_sort` by {', '.join(kind.sorts())}; else newest first."
    resource = _describe_resource(kind.name, documentation, parameters)
    if kind.includes:
        resource["searchInclude"] = [f"{kind.name}:{name}" for name in kind.includes]
    if kind.name == "MedicationRequest":
        resource["interaction"].append({"code": "create"})
        resource["documentation"] += f" {_TAKEN_IN}"
        resource |= {
            "conditionalCreate": True,
            "operation": [{"name": "review", "definition": "urn:dispensary:operation:review"}],
        }
    return resource


def _describe_resource(name: str, documentation: str, parameters: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "type": name,
        "documentation": documentation,
        "interaction": [{"code": "read"}, {"code": "search-type"}],
        "versioning": "versioned",
        "readHistory": False,
        "conditionalRead": "not-match",
        "searchParam": parameters,
    }
