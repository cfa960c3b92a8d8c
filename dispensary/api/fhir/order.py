"""An order in the form of the REST body, from a MedicationRequest alone or in a Bundle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, tzinfo
from typing import Any
from uuid import UUID

from dispensary.api.fhir.dosage import Dosing, read_dosing
from dispensary.api.fhir.elements import Inquiry, as_day, as_object, check_elements, read_codings
from dispensary.api.fhir.medicine import Medicine
from dispensary.api.fhir.people import Person, read_identifier, read_reference
from dispensary.api.fhir.resources import Bundle, gather_bundle, read_identifiers, read_medication, read_person
from dispensary.api.fhir.supply import read_supply

_READ = [
    "status", "intent", "doNotPerform", "medicationCodeableConcept", "medicationReference", "subject", "authoredOn",
    "requester", "dosageInstruction", "dispenseRequest", "priorPrescription", "courseOfTherapyType", "identifier",
    "groupIdentifier",
]  # fmt: skip
_HARMLESS = [
    "statusReason", "category", "priority", "reportedBoolean", "reportedReference", "encounter",
    "supportingInformation", "performer", "performerType", "recorder", "reasonCode", "reasonReference",
    "instantiatesCanonical", "instantiatesUri", "basedOn", "insurance", "note",
    "substitution", "detectedIssue", "eventHistory",
]  # fmt: skip
_COURSES = "http://terminology.hl7.org/CodeSystem/medicationrequest-course-of-therapy"
_ENDS = {"continuous": False, "acute": True}
"""Courses of therapy in FHIR: True where the medicine ends after its last day. `seasonal` says neither."""
_ORDERS = ("order", "original-order", "instance-order", "filler-order", "reflex-order")


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


def read_order(resource: Any, on: date | None = None, zone: tzinfo = UTC) -> Order:
    """Read a MedicationRequest or a Bundle with exactly one, on a day. Raises `InvalidInput` with everything there is to ask back.

    Moments are converted to days in `zone`, the pharmacy's.

    A reference `Patient/<uuid>` that the Bundle does not hold means a patient of ours; likewise the prescriber and the
    prior prescription.
    """
    inquiry = Inquiry(on, zone)
    bundle = gather_bundle(resource, inquiry)
    inquiry.raise_problems()
    path, request = bundle.requests[0]
    order = _read_request(request, path, bundle, on, inquiry)
    inquiry.raise_problems()
    assert order is not None
    return order


def _read_request(
    request: Mapping[str, Any], path: str, bundle: Bundle, on: date | None, inquiry: Inquiry
) -> Order | None:
    check_elements(request, path, inquiry, _READ, _HARMLESS)
    _check_status(request, path, inquiry)
    medicine = read_medication(request, path, bundle, inquiry)
    strength = medicine.strength_mg if medicine else None
    dosing = read_dosing(request.get("dosageInstruction"), f"{path}.dosageInstruction", strength, on, inquiry)
    patient = read_person(request.get("subject"), f"{path}.subject", "Patient", bundle, inquiry)
    prescriber = read_person(request.get("requester"), f"{path}.requester", "Practitioner", bundle, inquiry)
    supply, valid_until = read_supply(request, path, dosing, inquiry)
    written = as_day(request.get("authoredOn"), f"{path}.authoredOn", inquiry)
    if inquiry.problems or medicine is None or dosing is None:
        return None
    form, route = _read_form_and_route(medicine, dosing, supply, path, inquiry)
    valid_from = supply["valid_from"]
    # Many systems write the day of the order as the first day of its validity, which plans nothing.
    is_post_dated = valid_from is not None and (written is None or valid_from > written)
    starts_on = dosing.starts_on or (valid_from if is_post_dated else None)
    if starts_on and on and starts_on > on:
        inquiry.note(path, f"is planned to begin on {starts_on}")
    prescription: dict[str, Any] = {
        "written_on": _day_text(written),
        "route": route,
        "form": form,
        "strength_mg": medicine.strength_mg,
        "medicine": medicine.stated,
        "starts_on": _day_text(starts_on),
        "as_needed": dosing.as_needed or None,
        "max_mg_per_day": dosing.max_mg_per_day,
        "interval_days": supply["interval_days"],
        "group": _read_group(request, path, inquiry),
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
    identifiers = read_identifiers(request, path, inquiry)
    prior = _read_prior(request, path, inquiry)
    return Order(stated_fields, patient, prescriber, prior, valid_until, tuple(inquiry.notes), identifiers)


def _day_text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _read_group(request: Mapping[str, Any], path: str, inquiry: Inquiry) -> str | None:
    """Return what the sender calls orders of one regimen by, as system|value."""
    path = f"{path}.groupIdentifier"
    number = read_identifier(as_object(request.get("groupIdentifier"), path, inquiry), path, inquiry)
    group = f"{number.get('identifier_system', '')}|{number['identifier']}" if number else None
    if group and len(group) > 511:
        inquiry.ask(path, f"{len(group)} characters", "at most 511 characters")
    return group


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
