"""The resources that came in a request: the order, and the people and the medicine that it refers to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from dispensary.fhir.elements import Inquiry, as_object, as_objects, as_text, check_elements
from dispensary.fhir.medicine import Medicine, read_medicine
from dispensary.fhir.people import Person, read_identifier, read_patient, read_practitioner, read_reference

MOST_ORDERS = 50
"""Orders of one message [D]; each is reviewed, which takes milliseconds."""
BESIDE = frozenset({"Patient", "Practitioner", "PractitionerRole", "Medication"})
"""Resources that an order refers to."""
FACTS = frozenset({"AllergyIntolerance", "Condition", "MedicationStatement", "Observation"})
"""Resources that say something about the patient."""
_UNREAD = {
    "Organization",
    "Encounter",
    "Coverage",
    "Location",
    "MessageHeader",
    "Provenance",
    "Composition",
    "HealthcareService",
}
_READERS: dict[str, Callable[[Mapping[str, Any], str, Inquiry], Person]] = {
    "Patient": read_patient,
    "Practitioner": read_practitioner,
}


@dataclass(slots=True)
class Bundle:
    """The resources of a request by every reference to them."""

    by_name: dict[str, tuple[str, Mapping[str, Any]]] = field(default_factory=dict)
    requests: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    facts: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    """What it says about the patient: resources of the types `FACTS`."""

    def add_name(self, name: str, where: str, resource: Mapping[str, Any], inquiry: Inquiry) -> None:
        """Let a reference name a resource; ask where it names another one already, since either may be meant."""
        if name in self.by_name and self.by_name[name][1] != resource:
            inquiry.ask(where, "the name of another resource that came along", "a fullUrl and an id of its own")
        self.by_name[name] = (where, resource)


def gather_bundle(resource: Any, inquiry: Inquiry) -> Bundle:
    """Collect the resources of the body, contained ones included. Asks unless there is exactly one order."""
    bundle = _collect_resources(resource, inquiry)
    if len(bundle.requests) != 1 and not inquiry.problems:
        inquiry.ask("", f"{len(bundle.requests)} MedicationRequests", "exactly one", "Send one order at a time.")
    for path, request in bundle.requests[:1]:
        bundle.by_name |= name_contained(request, path, inquiry)
    return bundle


def name_contained(
    resource: Mapping[str, Any], path: str, inquiry: Inquiry
) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """Return what a resource contains, as (path, resource) by the reference to each."""
    bundle = Bundle()
    for where, thing in as_objects(resource.get("contained"), f"{path}.contained", inquiry):
        if thing.get("id"):
            bundle.add_name(f"#{thing['id']}", where, thing, inquiry)
    return bundle.by_name


def _collect_resources(resource: Any, inquiry: Inquiry) -> Bundle:
    bundle = Bundle()
    if not isinstance(resource, Mapping) or resource.get("resourceType") not in ("MedicationRequest", "Bundle"):
        inquiry.ask("resourceType", "something else", "MedicationRequest or Bundle", "Send a FHIR R4 resource.")
        return bundle
    if resource["resourceType"] == "MedicationRequest":
        bundle.requests.append(("MedicationRequest", resource))
        return bundle
    check_elements(
        resource, "Bundle", inquiry, ["type", "entry"], ["identifier", "timestamp", "total", "link", "signature"]
    )
    for where, entry in as_objects(resource.get("entry"), "Bundle.entry", inquiry):
        thing = as_object(entry.get("resource"), f"{where}.resource", inquiry)
        kind = as_text(thing.get("resourceType"), f"{where}.resource.resourceType", inquiry)
        names = {as_text(entry.get("fullUrl"), f"{where}.fullUrl", inquiry)}
        names |= {f"{kind}/{thing['id']}"} if thing.get("id") else set()
        for name in sorted(names - {""}):
            bundle.add_name(name, f"{where}.resource", thing, inquiry)
        if kind == "MedicationRequest":
            bundle.requests.append((f"{where}.resource", thing))
        elif kind in FACTS:
            bundle.facts.append((f"{where}.resource", thing))
        elif kind in _UNREAD:
            inquiry.note(where, f"{kind} was not read")
        elif kind not in BESIDE:
            expected = "only the order, its patient, prescriber and medicine, and facts about the patient"
            inquiry.ask(
                f"{where}.resource",
                f"a {kind[:40] or 'resource without a type'}",
                expected,
                "Record facts with PATCH on the patient.",
            )
    return bundle


def read_medication(request: Mapping[str, Any], path: str, bundle: Bundle, inquiry: Inquiry) -> Medicine | None:
    if "medicationReference" not in request:
        where = f"{path}.medicationCodeableConcept"
        return read_medicine(as_object(request.get("medicationCodeableConcept"), where, inquiry), None, where, inquiry)
    name, _ = read_reference(request["medicationReference"], f"{path}.medicationReference", inquiry)
    if "medicationCodeableConcept" in request or name not in bundle.by_name:
        inquiry.ask(
            f"{path}.medicationReference",
            "a medicine that did not come along",
            "one medicine, in the Bundle or contained",
        )
        return None
    where, medication = bundle.by_name[name]
    return read_medicine({}, medication, where, inquiry)


def read_person(thing: Any, path: str, kind: str, bundle: Bundle, inquiry: Inquiry) -> Person:
    name, logical = read_reference(thing, path, inquiry)
    if name in bundle.by_name:
        where, resource = bundle.by_name[name]
        if resource.get("resourceType") == "PractitionerRole" and kind == "Practitioner":
            return read_person(resource.get("practitioner"), f"{where}.practitioner", kind, bundle, inquiry)
        if resource.get("resourceType") != kind:
            inquiry.ask(path, "a reference to something else", f"a reference to a {kind}")
            return Person()
        return _READERS[kind](resource, where, inquiry)
    if name.startswith(f"{kind}/"):
        try:
            return Person(id=UUID(name.removeprefix(f"{kind}/")))
        except ValueError:
            inquiry.ask(
                f"{path}.reference",
                "a reference to nobody known here",
                f"a {kind} in the Bundle, or {kind}/ and our UUID",
            )
            return Person()
    # A bare number may be another system's: good enough for a prescriber, never for whose medicine it is.
    if logical and not name and kind == "Practitioner":
        return Person(details=logical)
    inquiry.ask(
        path,
        "nobody" if not name else "a reference to nobody known here",
        f"a {kind} in the Bundle, contained, or by our UUID",
    )
    return Person()


def read_identifiers(request: Mapping[str, Any], path: str, inquiry: Inquiry) -> tuple[tuple[str, str], ...]:
    """Return the sender's identifiers of an order as (system, value), each once."""
    identifiers = []
    for where, item in as_objects(request.get("identifier"), f"{path}.identifier", inquiry):
        number = read_identifier(item, where, inquiry)
        if any(len(text) > 255 for text in number.values()):
            inquiry.ask(where, "more than 255 characters", "an identifier of at most 255 characters")
        elif number:
            identifiers.append((number.get("identifier_system", ""), number["identifier"]))
    return tuple(dict.fromkeys(identifiers))
