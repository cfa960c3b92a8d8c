"""Entries as FHIR R4 AuditEvent (IHE Basic Audit Log Patterns), a view of the log."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from dispensary.audit.log import canonical
from dispensary.models.audit import AuditEntry

_DCM = "http://dicom.nema.org/resources/ontology/DCM"
_REST = "http://hl7.org/fhir/restful-interaction"
_EVENT_TYPE = "http://terminology.hl7.org/CodeSystem/audit-event-type"
_PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
_ENTITY_TYPE = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
_ENTITY_ROLE = "http://terminology.hl7.org/CodeSystem/object-role"
_BALP_ENTITY = "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType"
OUR_EVENTS = "urn:dispensary:audit-action"
OUR_ROLES = "urn:dispensary:role"

RESOURCES = {
    "prescription": "MedicationRequest",
    "dispense": "MedicationDispense",
    "patient": "Patient",
    "pharmacy": "Organization",
    "prescriber": "Practitioner",
    "product": "Medication",
    "reminder": "Communication",
    "worklistitem": "Task",
}
"""The resource of a subject; others have an identifier by their kind."""
_OUTCOMES = {"success": "0", "refused": "4", "failure": "8"}
# What the verb of an event does: AuditEvent.action and the REST interaction it is most like.
_VERBS = {
    "C": ("create", {"received", "completed", "registered", "recorded", "noted", "planned", "issued", "signed_on"}),
    "R": ("read", {"opened", "searched", "read", "exported", "reviewed", "verified", "replayed"}),
    "U": (
        "update",
        {"signed", "withdrawn", "acknowledged", "changed", "cancelled", "stopped", "replaced", "returned", "answered",
         "closed", "rotated", "delivered", "failed", "sent", "erased", "retired", "signed_off", "revoked"},
    ),
}  # fmt: skip


def event_of_entry(entry: AuditEntry) -> dict[str, Any]:
    """Return an entry that was found by a search; one whose transaction goes on has number 0 and no leaf yet."""
    columns = {name: getattr(entry, name) for name in canonical.HEADER_KEYS}
    columns = {name: bytes(value) if isinstance(value, memoryview) else value for name, value in columns.items()}
    header = json.loads(canonical.header(columns, seq=entry.seq or 0, prev=b""))
    return audit_event(header, leaf=bytes(entry.leaf or b""), origin=entry.origin)


def audit_event(header: Mapping[str, Any], *, leaf: bytes, origin: str) -> dict[str, Any]:
    """Return one entry as FHIR R4 JSON."""
    action, interaction = _interaction(header)
    return {
        "resourceType": "AuditEvent",
        "id": header["id"],
        "type": {"system": _EVENT_TYPE, "code": "rest", "display": "RESTful Operation"},
        "subtype": [{"system": _REST, "code": interaction}, {"system": OUR_EVENTS, "code": header["action"]}],
        "action": action,
        "period": {"start": header["occurred"], "end": max(header["occurred"], header["recorded"])},
        "recorded": header["recorded"],
        "outcome": _OUTCOMES[header["outcome"]],
        "agent": list(_agents(header, origin)),
        "source": {"observer": {"identifier": {"value": origin}, "type": "Device"}, "site": origin},
        "entity": list(_entities(header, leaf)),
    }


def _interaction(header: Mapping[str, Any]) -> tuple[str, str]:
    kind, _, verb = header["action"].partition(".")
    if header["outcome"] == "refused":
        return "E", "operation"
    for action, (interaction, verbs) in _VERBS.items():
        if verb in verbs:
            return action, "search-type" if verb == "searched" else interaction
    return ("U", "update") if kind == "worklist" else ("E", "operation")


def _agents(header: Mapping[str, Any], origin: str) -> list[dict[str, Any]]:
    agents = [_person(header["actor"], header["actor_role"], requestor=True)]
    if "second_actor" in header:
        agents.append(_person(header["second_actor"], "second signer", requestor=False))
    if header.get("station"):
        agents.append(_machine("110153", "Source Role ID", header["station"]))
    agents.append(_machine("110152", "Destination Role ID", origin))
    return agents


def _person(name: str, role: str, *, requestor: bool) -> dict[str, Any]:
    return {
        "type": {"coding": [{"system": _PARTICIPATION, "code": "IRCP", "display": "information recipient"}]},
        "role": [{"coding": [{"system": OUR_ROLES, "code": role.replace(" ", "-")}], "text": role}],
        "who": {"identifier": {"value": name}},
        "requestor": requestor,
    }


def _machine(code: str, display: str, name: str) -> dict[str, Any]:
    return {
        "type": {"coding": [{"system": _DCM, "code": code, "display": display}]},
        "who": {"identifier": {"value": name}, "type": "Device"},
        "requestor": False,
    }


def _entities(header: Mapping[str, Any], leaf: bytes) -> list[dict[str, Any]]:
    entities = [
        {"what": _what(header), "role": _coding(_ENTITY_ROLE, "4", "Domain Resource"), "detail": _details(header, leaf)}
    ]
    if "patient_ref" in header:
        patient = {"type": "Patient", "identifier": {"value": header["patient_ref"]}}
        kind = _coding(_ENTITY_TYPE, "1", "Person")
        entities.append({"what": patient, "type": kind, "role": _coding(_ENTITY_ROLE, "1", "Patient")})
    if "request_id" in header:
        kind = _coding(_BALP_ENTITY, "XrequestId", "")
        entities.append({"what": {"identifier": {"value": header["request_id"]}}, "type": kind})
    return entities


def _what(header: Mapping[str, Any]) -> dict[str, Any]:
    kind, key = header["subject_type"], header["subject_id"]
    resource = RESOURCES.get(kind)
    if resource:
        return {"reference": f"{resource}/{key}", "type": resource}
    return {"identifier": {"system": f"urn:dispensary:{kind}", "value": key}}


def _details(header: Mapping[str, Any], leaf: bytes) -> list[dict[str, str]]:
    values = [("log", header["log"]), ("seq", str(header["seq"])), ("body", header["body"])]
    values += [("rule", code) for code in header.get("rule_codes", ())]
    values += [
        (name, str(header[name]))
        for name in ("reason_code", "ruleset", "engine", "drug_code", "corrects")
        if name in header
    ]
    details = [{"type": name, "valueString": value} for name, value in values]
    return details + ([{"type": "leaf", "valueBase64Binary": base64.b64encode(leaf).decode()}] if leaf else [])


def _coding(system: str, code: str, display: str) -> dict[str, str]:
    return {"system": system, "code": code, **({"display": display} if display else {})}
