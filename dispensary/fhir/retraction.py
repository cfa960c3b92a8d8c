"""An order that its sender takes back, and the comparison of an order with one of the same identifier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dispensary.actions.intake import Retraction
from dispensary.fhir.elements import Inquiry, as_object, as_text
from dispensary.fhir.resources import gather_bundle, read_identifiers, read_medication, read_person
from dispensary.models import SenderStatus

_PEOPLE = {"subject": "Patient", "requester": "Practitioner"}


def read_retraction(resource: Any) -> Retraction | None:
    """Read that a sender takes an order back; None where the status of the order is no such.

    Only the identifiers, the status and whom the order was for are read: an order that cannot be read any more can still be
    taken back. A patient whom the resource does not describe is left out. Raises `InvalidInput` without an identifier, and
    for one without a system where nothing says whom the order was for.
    """
    inquiry = Inquiry()
    bundle = gather_bundle(resource, inquiry)
    if len(bundle.requests) != 1:
        return None
    path, request = bundle.requests[0]
    if request.get("status") not in SenderStatus.values:
        return None
    inquiry = Inquiry()
    identifiers = read_identifiers(request, path, inquiry)
    reason = as_text(as_object(request.get("statusReason"), f"{path}.statusReason", inquiry).get("text"), path, inquiry)
    person_inquiry = Inquiry()
    patient = read_person(request.get("subject"), f"{path}.subject", "Patient", bundle, person_inquiry)
    described = None if person_inquiry.problems else patient.id or patient.details
    if not identifiers:
        inquiry.ask(
            f"{path}.identifier",
            "nothing",
            "the identifier with which the order was sent",
            "Send it again with the identifier, or ask the pharmacy to cancel the order.",
        )
    elif not described and not all(system for system, _ in identifiers):
        inquiry.ask(f"{path}.subject", "nobody who can be read", "the patient, or an identifier with its system")
    inquiry.raise_problems()
    return Retraction(identifiers, SenderStatus(request["status"]), reason[:200], described)


def differing_elements(stored: Any, resource: Any) -> list[str]:
    """Return the elements in which two orders say something else.

    Ids, metadata, references and identifiers may differ between two sendings of one order and are left out; patient,
    prescriber and medicine are compared as they are read.
    """
    before, after = _read_contents(stored), _read_contents(resource)
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def _read_contents(resource: Any) -> dict[str, Any]:
    inquiry = Inquiry()
    bundle = gather_bundle(resource, inquiry)
    if len(bundle.requests) != 1:
        return {}
    path, request = bundle.requests[0]
    people = {name: read_person(request.get(name), name, kind, bundle, inquiry) for name, kind in _PEOPLE.items()}
    unread = {"resourceType", "id", "meta", "text", "contained", "identifier", "medicationReference"}
    elements = {name: _drop_references(value) for name, value in request.items() if name not in unread}
    return elements | people | {"medication": read_medication(request, path, bundle, inquiry)}


def _drop_references(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _drop_references(item) for name, item in value.items() if name != "reference"}
    return [_drop_references(item) for item in value] if isinstance(value, list) else value
