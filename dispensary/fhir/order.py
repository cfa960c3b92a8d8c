"""An order in the form of the REST body, from a MedicationRequest alone or in a Bundle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, tzinfo
from typing import Any
from uuid import UUID

from dispensary.errors import InvalidInput, Problem
from dispensary.fhir.beside import note_elements_beside
from dispensary.fhir.dosage import Dosing, read_dosing
from dispensary.fhir.elements import Inquiry, as_day, as_object, read_codings, read_words
from dispensary.fhir.facts import read_facts, read_reasons
from dispensary.fhir.medicine import Medicine
from dispensary.fhir.people import Person, read_identifier, read_reference
from dispensary.fhir.resources import Bundle, gather_bundle, read_identifiers, read_medication, read_person
from dispensary.fhir.supply import Supply, read_supply

COURSES = "http://terminology.hl7.org/CodeSystem/medicationrequest-course-of-therapy"
_ENDS = {"continuous": False, "acute": True}
"""Courses of therapy in FHIR: True where the medicine ends after its last day. `seasonal` says neither."""
_ORDERS = ("order", "original-order", "instance-order", "filler-order", "reflex-order")


@dataclass(frozen=True, slots=True)
class Order:
    """An order as far as it could be read. `prescription` is in the case format; `notes` say how unusual elements were read."""

    prescription: dict[str, Any] = field(default_factory=dict)
    patient: Person = field(default_factory=Person)
    prescriber: Person = field(default_factory=Person)
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Facts about the patient that came along, as the case format has them."""
    replaces: UUID | None = None
    replaces_identifier: tuple[str, str] | None = None
    """The sender's identifier of the order that it replaces, as (system, value)."""
    valid_until: date | None = None
    notes: tuple[str, ...] = ()
    absences: tuple[str, ...] = ()
    """What the order does not say, so that the rest could not be compared with it."""
    identifiers: tuple[tuple[str, str], ...] = ()
    """The sender's identifiers of the order, as (system, value)."""
    problems: tuple[Problem, ...] = ()
    """What has to be asked back; an order with questions cannot be taken in."""

    def raise_problems(self) -> None:
        """Raise `InvalidInput` with everything there is to ask back, if there is anything."""
        if self.problems:
            raise InvalidInput("The order cannot be read without doubt.", *self.problems)


def examine_order(resource: Any, on: date | None = None, zone: tzinfo = UTC) -> Order:
    """Read a MedicationRequest or a Bundle with exactly one, on a day, as far as it can be read.

    Moments are converted to days in `zone`, the pharmacy's. A reference `Patient/<uuid>` that the Bundle does not hold
    means a patient of ours; likewise the prescriber and the prior prescription.
    """
    inquiry = Inquiry(on, zone)
    bundle = gather_bundle(resource, inquiry)
    if len(bundle.requests) != 1:
        return Order(problems=tuple(inquiry.problems))
    path, request = bundle.requests[0]
    return _read_request(request, path, bundle, inquiry)


def read_order(resource: Any, on: date | None = None, zone: tzinfo = UTC) -> Order:
    """Read an order that has to be readable; otherwise as `examine_order`. Raises `InvalidInput`."""
    order = examine_order(resource, on, zone)
    order.raise_problems()
    return order


def _read_request(request: Mapping[str, Any], path: str, bundle: Bundle, inquiry: Inquiry) -> Order:
    note_elements_beside(request, path, inquiry)
    _check_status(request, path, inquiry)
    medicine = read_medication(request, path, bundle, inquiry) or Medicine(None, "", None, {})
    is_tablet = medicine.form in {"", "tablet"}
    dosing = read_dosing(
        request.get("dosageInstruction"),
        f"{path}.dosageInstruction",
        medicine.strength_mg,
        inquiry,
        is_tablet=is_tablet,
    ) or Dosing(None, None, "", "")
    supply = read_supply(request, path, inquiry, is_tablet=is_tablet)
    written = as_day(request.get("authoredOn"), f"{path}.authoredOn", inquiry)
    form = medicine.form or supply.unit
    prescription: dict[str, Any] = {
        "written_on": _day_text(written),
        "route": _read_route(dosing, form, path, inquiry),
        "form": form,
        "strength_mg": medicine.strength_mg,
        "medicine": medicine.stated,
        "starts_on": _day_text(_planned_start(dosing, supply, written, path, inquiry)),
        "as_needed": dosing.as_needed,
        "max_mg_per_day": dosing.max_mg_per_day,
        "interval_days": supply.interval_days,
        "group": _read_group(request, path, inquiry),
        "brand": medicine.brand,
        "directions": dosing.directions,
        "then_stop": _read_then_stop(request, path, dosing, inquiry),
        "phases": dosing.phases,
        "lines": dosing.lines,
        "quantity": supply.quantity,
        "expected_days": supply.expected_days,
        "repeats": supply.repeats,
    }
    _note_missing_witnesses(prescription, path, inquiry)
    replaces, replaces_identifier = _read_prior(request, path, inquiry)
    return Order(
        # An absent flag is no flag; False of `then_stop` says that the medicine goes on.
        prescription={
            name: value
            for name, value in prescription.items()
            if value not in (None, "", [], {}) and (value or name == "then_stop")
        },
        patient=read_person(request.get("subject"), f"{path}.subject", "Patient", bundle, inquiry),
        facts=_read_facts(request, path, bundle, inquiry),
        prescriber=read_person(request.get("requester"), f"{path}.requester", "Practitioner", bundle, inquiry),
        replaces=replaces,
        replaces_identifier=replaces_identifier,
        valid_until=supply.valid_until,
        identifiers=read_identifiers(request, path, inquiry),
        notes=tuple(inquiry.notes),
        absences=tuple(inquiry.absences),
        problems=tuple(inquiry.problems),
    )


def _read_facts(request: Mapping[str, Any], path: str, bundle: Bundle, inquiry: Inquiry) -> dict[str, Any]:
    subject = request.get("subject")
    name = subject.get("reference") if isinstance(subject, Mapping) else None
    patient = bundle.by_name.get(str(name), (str(name), {}))

    def is_patient(reference: str) -> bool:
        # Of a fact, `#p` is what the fact itself contains.
        return not reference.startswith("#") and bundle.by_name.get(reference, (reference, {}))[0] == patient[0]

    return read_facts(bundle.facts, inquiry, is_patient) | read_reasons(request, path, bundle.by_name, inquiry)


def _planned_start(dosing: Dosing, supply: Supply, written: date | None, path: str, inquiry: Inquiry) -> date | None:
    """Return the first day that the doses name, else the day from which the order is valid where that is a later one.

    Many systems write the day of the order as the first day of its validity, which plans nothing.
    """
    valid_from = supply.valid_from
    is_post_dated = valid_from is not None and (written is None or valid_from > written)
    starts_on = dosing.starts_on or (valid_from if is_post_dated else None)
    if starts_on and inquiry.on and starts_on > inquiry.on:
        inquiry.note(path, f"is planned to begin on {starts_on}")
    return starts_on


def _note_missing_witnesses(prescription: Mapping[str, Any], path: str, inquiry: Inquiry) -> None:
    """Note what an order does not say and what could therefore not be compared with it."""
    if not prescription["phases"]:
        inquiry.miss(f"{path}.dosageInstruction.doseAndRate", "the doses were read from the words alone")
    for name, element in (
        ("quantity", "quantity"), ("expected_days", "expectedSupplyDuration"), ("repeats", "numberOfRepeatsAllowed"),
    ):  # fmt: skip
        if prescription[name] is None:
            inquiry.miss(f"{path}.dispenseRequest.{element}", "the doses were not compared with it")
    if prescription["phases"] and prescription["phases"][-1]["days"] is None:
        bounds = f"{path}.dosageInstruction.timing.repeat.bounds"
        inquiry.miss(bounds, "the last dose has no end, and its days follow from the quantity")


def _day_text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _read_group(request: Mapping[str, Any], path: str, inquiry: Inquiry) -> str | None:
    """Return what the sender calls orders of one regimen by, as system|value."""
    path = f"{path}.groupIdentifier"
    number = read_identifier(as_object(request.get("groupIdentifier"), path, inquiry), path, inquiry)
    group = f"{number.get('identifier_system', '')}|{number['identifier']}" if number else None
    if group and len(group) > 300:
        inquiry.ask(path, f"{len(group)} characters", "at most 300 characters")
    return group


def _check_status(request: Mapping[str, Any], path: str, inquiry: Inquiry) -> None:
    if request.get("status") != "active":
        inquiry.ask(f"{path}.status", "another status or none", "active")
    if request.get("intent") not in _ORDERS:
        inquiry.ask(f"{path}.intent", "another intent or none", "order")
    if request.get("doNotPerform") not in (None, False):
        inquiry.ask(f"{path}.doNotPerform", "an order not to give the medicine", "an order to give it")


def _read_then_stop(request: Mapping[str, Any], path: str, dosing: Dosing, inquiry: Inquiry) -> bool | None:
    """Return True where the medicine ends after its last day, by a last phase of zero or the kind of course."""
    path = f"{path}.courseOfTherapyType"
    concept = as_object(request.get("courseOfTherapyType"), path, inquiry)
    if not concept:
        inquiry.miss(path, "whether the medicine goes on after its last day is known from the doses alone")
    coded = read_codings(concept, path, inquiry)
    if concept and not any(system in ("", COURSES) and code in _ENDS for system, code, _ in coded):
        inquiry.note(path, f"was not read by the rules: {read_words(concept, path, inquiry)}")
    answers = {_ENDS[code] for system, code, _ in coded if system in ("", COURSES) and code in _ENDS}
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


def _read_route(dosing: Dosing, form: str, path: str, inquiry: Inquiry) -> str:
    """Return the route; tablets without one are read as oral, anything else is left to the rules to stop."""
    if dosing.route or form != "tablet":
        return dosing.route
    inquiry.note(f"{path}.dosageInstruction.route", "not said; tablets are read as oral")
    return "oral"


def _read_prior(request: Mapping[str, Any], path: str, inquiry: Inquiry) -> tuple[UUID | None, tuple[str, str] | None]:
    """Return the id or the sender's identifier of the order that is replaced."""
    if "priorPrescription" not in request:
        return None, None
    path = f"{path}.priorPrescription"
    name, logical = read_reference(request["priorPrescription"], path, inquiry)
    identifier = (logical.get("identifier_system", ""), logical["identifier"]) if logical else None
    try:
        return UUID(name.removeprefix("MedicationRequest/")), identifier
    except ValueError:
        if identifier is None:
            inquiry.note(path, "names an order that is not ours; it replaces nothing here")
        return None, identifier
