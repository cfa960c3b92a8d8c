"""An order in the form of the REST body, from a MedicationRequest alone or in a Bundle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from dispensary.actions.intake import Retraction
from dispensary.api.fhir.dosage import Dosing, read_dosing
from dispensary.api.fhir.elements import (
    Inquiry,
    as_day,
    as_object,
    as_objects,
    as_text,
    as_whole,
    check_elements,
    read_codings,
)
from dispensary.api.fhir.medicine import Medicine, read_medicine
from dispensary.api.fhir.people import Person, read_identifier, read_patient, read_practitioner, read_reference
from dispensary.api.fhir.units import Measure, read_quantity
from dispensary.models import SenderStatus

_READ = [
    "status", "intent", "doNotPerform", "medicationCodeableConcept", "medicationReference", "subject", "authoredOn",
    "requester", "dosageInstruction", "dispenseRequest", "priorPrescription", "courseOfTherapyType", "identifier",
]  # fmt: skip
_HARMLESS = [
    "statusReason", "category", "priority", "reportedBoolean", "reportedReference", "encounter",
    "supportingInformation", "performer", "performerType", "recorder", "reasonCode", "reasonReference",
    "instantiatesCanonical", "instantiatesUri", "basedOn", "groupIdentifier", "insurance", "note",
    "substitution", "detectedIssue", "eventHistory",
]  # fmt: skip
_COURSES = "http://terminology.hl7.org/CodeSystem/medicationrequest-course-of-therapy"
_ENDS = {"continuous": False, "acute": True}
"""Courses of therapy in FHIR: True where the medicine ends after its last day. `seasonal` says neither."""
_ORDERS = ("order", "original-order", "instance-order", "filler-order", "reflex-order")
_BESIDE = {"Patient", "Practitioner", "PractitionerRole", "Medication"}
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

_PEOPLE = {"subject": "Patient", "requester": "Practitioner"}
_READERS: dict[str, Callable[[Mapping[str, Any], str, Inquiry], Person]] = {
    "Patient": read_patient,
    "Practitioner": read_practitioner,
}


@dataclass(frozen=True, slots=True)
class Order:
    """An order as read. `prescription` is in the case format; `notes` say how unusual elements were read."""

    prescription: dict[str, Any]
    patient: Person
    prescriber: Person
    replaces: UUID | None = None
    valid_until: date | None = None
    notes: tuple[str, ...] = ()
    identifiers: tuple[tuple[str, str], ...] = ()
    """The sender's identifiers of the order, as (system, value)."""


@dataclass(slots=True)
class _Bundle:
    """The resources of a request by every reference to them."""

    by_name: dict[str, tuple[str, Mapping[str, Any]]] = field(default_factory=dict)
    requests: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)


def read_order(resource: Any, on: date | None = None) -> Order:
    """Read a MedicationRequest or a Bundle with exactly one, on a day. Raises `InvalidInput` with everything there is to ask back.

    A reference `Patient/<uuid>` that the Bundle does not hold means a patient of ours; likewise the prescriber and the
    prior prescription.
    """
    inquiry = Inquiry(on)
    bundle = _gather_bundle(resource, inquiry)
    inquiry.raise_problems()
    path, request = bundle.requests[0]
    order = _read_request(request, path, bundle, on, inquiry)
    inquiry.raise_problems()
    assert order is not None
    return order


def read_retraction(resource: Any) -> Retraction | None:
    """Read that a sender takes an order back; None where the status of the order is no such.

    Only the identifiers, the status and whom the order was for are read: an order that cannot be read any more can still be
    taken back. A patient whom the resource does not describe is left out. Raises `InvalidInput` without an identifier, and
    for one without a system where nothing says whom the order was for.
    """
    inquiry = Inquiry()
    bundle = _gather_bundle(resource, inquiry)
    if len(bundle.requests) != 1:
        return None
    path, request = bundle.requests[0]
    if request.get("status") not in SenderStatus.values:
        return None
    inquiry = Inquiry()
    identifiers = _read_identifiers(request, path, inquiry)
    reason = as_text(as_object(request.get("statusReason"), f"{path}.statusReason", inquiry).get("text"), path, inquiry)
    person_inquiry = Inquiry()
    patient = _read_person(request.get("subject"), f"{path}.subject", "Patient", bundle, person_inquiry)
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
    bundle = _gather_bundle(resource, inquiry)
    if len(bundle.requests) != 1:
        return {}
    path, request = bundle.requests[0]
    people = {name: _read_person(request.get(name), name, kind, bundle, inquiry) for name, kind in _PEOPLE.items()}
    unread = {"resourceType", "id", "meta", "text", "contained", "identifier", "medicationReference"}
    elements = {name: _drop_references(value) for name, value in request.items() if name not in unread}
    return elements | people | {"medication": _read_medication(request, path, bundle, inquiry)}


def _drop_references(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _drop_references(item) for name, item in value.items() if name != "reference"}
    return [_drop_references(item) for item in value] if isinstance(value, list) else value


def _read_identifiers(request: Mapping[str, Any], path: str, inquiry: Inquiry) -> tuple[tuple[str, str], ...]:
    """Return the sender's identifiers of an order as (system, value), each once."""
    identifiers = []
    for where, item in as_objects(request.get("identifier"), f"{path}.identifier", inquiry):
        number = read_identifier(item, where, inquiry)
        if any(len(text) > 255 for text in number.values()):
            inquiry.ask(where, "more than 255 characters", "an identifier of at most 255 characters")
        elif number:
            identifiers.append((number.get("identifier_system", ""), number["identifier"]))
    return tuple(dict.fromkeys(identifiers))


def _gather_bundle(resource: Any, inquiry: Inquiry) -> _Bundle:
    """Collect the resources of the body, contained ones included. Asks unless there is exactly one order."""
    bundle = _collect_resources(resource, inquiry)
    if len(bundle.requests) != 1 and not inquiry.problems:
        inquiry.ask("", f"{len(bundle.requests)} MedicationRequests", "exactly one", "Send one order at a time.")
    for path, request in bundle.requests[:1]:
        for where, contained in as_objects(request.get("contained"), f"{path}.contained", inquiry):
            bundle.by_name[f"#{contained.get('id')}"] = (where, contained)
    return bundle


def _collect_resources(resource: Any, inquiry: Inquiry) -> _Bundle:
    bundle = _Bundle()
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
        names = [as_text(entry.get("fullUrl"), f"{where}.fullUrl", inquiry), f"{kind}/{thing.get('id')}"]
        bundle.by_name |= {name: (f"{where}.resource", thing) for name in names if name}
        if kind == "MedicationRequest":
            bundle.requests.append((f"{where}.resource", thing))
        elif kind in _UNREAD:
            inquiry.note(where, f"{kind} was not read")
        elif kind not in _BESIDE:
            expected = "only the order, its patient, prescriber and medicine"
            inquiry.ask(
                f"{where}.resource",
                f"a {kind[:40] or 'resource without a type'}",
                expected,
                "Record facts with PATCH on the patient.",
            )
    return bundle


def _read_request(
    request: Mapping[str, Any], path: str, bundle: _Bundle, on: date | None, inquiry: Inquiry
) -> Order | None:
    check_elements(request, path, inquiry, _READ, _HARMLESS)
    _check_status(request, path, inquiry)
    medicine = _read_medication(request, path, bundle, inquiry)
    strength = medicine.strength_mg if medicine else None
    dosing = read_dosing(request.get("dosageInstruction"), f"{path}.dosageInstruction", strength, on, inquiry)
    patient = _read_person(request.get("subject"), f"{path}.subject", "Patient", bundle, inquiry)
    prescriber = _read_person(request.get("requester"), f"{path}.requester", "Practitioner", bundle, inquiry)
    supply, valid_until = _read_supply(request, path, dosing, inquiry)
    written = as_day(request.get("authoredOn"), f"{path}.authoredOn", inquiry)
    if inquiry.problems or medicine is None or dosing is None:
        return None
    form, route = _read_form_and_route(medicine, dosing, supply, path, inquiry)
    prescription: dict[str, Any] = {
        "written_on": written.isoformat() if written else None,
        "route": route,
        "form": form,
        "strength_mg": medicine.strength_mg,
        "brand": medicine.brand,
        "directions": dosing.directions or None,
        "then_stop": _read_then_stop(request, path, dosing, inquiry),
        "phases": dosing.phases,
        "quantity": supply.get("quantity"),
        "repeats": supply.get("repeats"),
    }
    if inquiry.problems:
        return None
    stated_fields = {name: value for name, value in prescription.items() if value is not None}
    identifiers = _read_identifiers(request, path, inquiry)
    prior = _read_prior(request, path, inquiry)
    return Order(stated_fields, patient, prescriber, prior, valid_until, tuple(inquiry.notes), identifiers)


def _check_status(request: Mapping[str, Any], path: str, inquiry: Inquiry) -> None:
    if request.get("status") != "active":
        inquiry.ask(f"{path}.status", "another status or none", "active")
    if request.get("intent") not in _ORDERS:
        inquiry.ask(f"{path}.intent", "another intent or none", "order")
    if request.get("doNotPerform") not in (None, False):
        inquiry.ask(f"{path}.doNotPerform", "an order not to give the medicine", "an order to give it")
    if request.get("note"):
        inquiry.note(f"{path}.note", "was not read by the rules; read it before dispensing")


def _read_then_stop(request: Mapping[str, Any], path: str, dosing: Dosing, inquiry: Inquiry) -> bool | None:
    """Return True where the medicine ends after its last day, by a last phase of zero or the kind of course."""
    path = f"{path}.courseOfTherapyType"
    concept = as_object(request.get("courseOfTherapyType"), path, inquiry)
    coded = read_codings(concept, path, inquiry)
    answers = {_ENDS[code] for system, code, _ in coded if system in ("", _COURSES) and code in _ENDS}
    if len(answers) > 1 or (dosing.then_stop and answers == {False}):
        inquiry.ask(path, "a course that goes on, and one that ends", "one of the two")
        return None
    ends = True in answers
    if ends and dosing.phases and dosing.phases[-1]["days"] is None:
        inquiry.ask(
            path, "a short course whose last phase has no end", "the days of the last phase, or a continuous course"
        )
        return None
    return dosing.then_stop if dosing.then_stop is not None or not answers else ends


def _read_medication(request: Mapping[str, Any], path: str, bundle: _Bundle, inquiry: Inquiry) -> Medicine | None:
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


def _read_person(thing: Any, path: str, kind: str, bundle: _Bundle, inquiry: Inquiry) -> Person:
    name, logical = read_reference(thing, path, inquiry)
    if name in bundle.by_name:
        where, resource = bundle.by_name[name]
        if resource.get("resourceType") == "PractitionerRole" and kind == "Practitioner":
            return _read_person(resource.get("practitioner"), f"{where}.practitioner", kind, bundle, inquiry)
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


def _read_supply(
    request: Mapping[str, Any], path: str, dosing: Dosing | None, inquiry: Inquiry
) -> tuple[dict[str, Any], date | None]:
    path = f"{path}.dispenseRequest"
    ordered = as_object(request.get("dispenseRequest"), path, inquiry)
    read = ["quantity", "expectedSupplyDuration", "numberOfRepeatsAllowed", "validityPeriod", "initialFill"]
    check_elements(ordered, path, inquiry, read, ["performer", "dispenseInterval"])
    if ordered.get("initialFill"):
        inquiry.ask(f"{path}.initialFill", "a first supply that differs", "one quantity for every supply")
    repeats = as_whole(ordered.get("numberOfRepeatsAllowed"), f"{path}.numberOfRepeatsAllowed", inquiry, least=0)
    amount = as_object(ordered.get("quantity"), f"{path}.quantity", inquiry)
    quantity = read_quantity(amount, f"{path}.quantity", inquiry) if amount else None
    if quantity and quantity.measure not in {None, Measure.TABLET}:
        inquiry.ask(f"{path}.quantity", f"a quantity in {quantity.measure}", "a number of tablets")
    if quantity and quantity.measure is None:
        inquiry.note(f"{path}.quantity", "has no unit, read as tablets")
    _check_duration(ordered, path, dosing, repeats or 0, inquiry)
    validity = as_object(ordered.get("validityPeriod"), f"{path}.validityPeriod", inquiry)
    until = as_day(validity.get("end"), f"{path}.validityPeriod.end", inquiry)
    supply: dict[str, Any] = {"repeats": repeats, "quantity": quantity.value if quantity else None}
    supply["in_tablets"] = bool(quantity and quantity.measure is Measure.TABLET)
    return supply, until


def _check_duration(
    ordered: Mapping[str, Any], path: str, dosing: Dosing | None, repeats: int, inquiry: Inquiry
) -> None:
    """Ask back a supply duration that is not the sum of the phases, where all of them have an end."""
    path = f"{path}.expectedSupplyDuration"
    element = as_object(ordered.get("expectedSupplyDuration"), path, inquiry)
    quantity = read_quantity(element, path, inquiry) if element else None
    if quantity is None:
        return
    days = quantity.days()
    if days is None:
        inquiry.ask(path, "another unit", "days or weeks")
        return
    lengths = [phase["days"] for phase in (dosing.phases or [])] if dosing else []
    if lengths and all(lengths) and not repeats and sum(lengths) != days:
        inquiry.ask(
            path, f"{days:f} days, while the phases add up to {sum(lengths)}", "a supply that ends with the last phase"
        )


def _read_form_and_route(
    medicine: Medicine, dosing: Dosing, supply: Mapping[str, Any], path: str, inquiry: Inquiry
) -> tuple[str, str]:
    form = medicine.form or ("tablet" if supply.get("in_tablets") else "")
    if form != "tablet":
        form_text = f"an {form}" if form else "no pharmaceutical form"
        inquiry.ask(f"{path}.medication", form_text, "tablets, in the name, the form or the unit of the quantity")
    route = dosing.route
    if not route and form == "tablet":
        route = "oral"
        inquiry.note(f"{path}.dosageInstruction.route", "not said; tablets are read as oral")
    elif not route:
        inquiry.ask(f"{path}.dosageInstruction.route", "nothing", "the route")
    return form, route


def _read_prior(request: Mapping[str, Any], path: str, inquiry: Inquiry) -> UUID | None:
    if "priorPrescription" not in request:
        return None
    name, _ = read_reference(request["priorPrescription"], f"{path}.priorPrescription", inquiry)
    try:
        return UUID(name.removeprefix("MedicationRequest/"))
    except ValueError:
        inquiry.note(f"{path}.priorPrescription", "names an order that is not ours; it replaces nothing here")
        return None
