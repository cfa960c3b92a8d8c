"""An order in FHIR as intake takes it, with its people and the order that it replaces."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from dispensary.actions.intake import Intake
from dispensary.actions.prescriptions import compare_witnesses
from dispensary.actions.sender_status import find_by_identifiers
from dispensary.errors import InvalidInput, NotFound, Problem
from dispensary.fhir.order import Order, examine_order
from dispensary.fhir.people import Person
from dispensary.fhir.retraction import differing_elements
from dispensary.models import Patient, Pharmacy, Prescriber, Prescription, Source
from dispensary.statements import find_own
from dispensary.strict_json import jsonable


def read_intake(resource: Any, *, pharmacy: Pharmacy, on: date) -> tuple[Intake, Sequence[str]]:
    """Read an order to take in on a day, and what it does not say.

    Raises `InvalidInput` with all questions and with what its witnesses say of each other, `NotFound` for an id that is
    nobody's at the pharmacy.
    """
    order = examine_order(resource, on=on, zone=ZoneInfo(pharmacy.time_zone))
    if order.problems:
        findings = compare_witnesses(order.prescription, pharmacy=pharmacy, on=on)
        contradictions = [
            Problem(
                "MedicationRequest.dosageInstruction",
                finding.summary,
                "words, doses, quantity and days that agree",
                finding.detail,
            )
            for finding in findings
        ]
        raise InvalidInput("The order cannot be read without doubt.", *order.problems, *contradictions)
    replaces, unknown = _find_replaced(order, pharmacy)
    intake = Intake(
        patient=_find_person(order.patient, Patient, pharmacy),
        prescriber=_find_person(order.prescriber, Prescriber, pharmacy),
        order=order.prescription,
        facts=order.facts,
        source=Source.FHIR,
        document=(document := jsonable(resource)),
        replaces=replaces,
        valid_until=order.valid_until,
        notes=[*order.notes, *unknown],
        identifiers=order.identifiers,
        compare=lambda stored: differing_elements(stored, document),
    )
    return intake, order.absences


def _find_person(person: Person, model: type[Patient | Prescriber], pharmacy: Pharmacy) -> Any:
    """Return the row that an id names, else the details as the action takes them."""
    if person.id is None:
        return dict(person.details)
    row = find_own(model, person.id, [pharmacy.pk])
    if row is None:
        raise NotFound("There is no such thing here.")
    row.pharmacy = pharmacy
    return row


def _find_replaced(order: Order, pharmacy: Pharmacy) -> tuple[Prescription | None, list[str]]:
    """Return the order that is replaced; a note where it is not known here."""
    replaced: Prescription | None = None
    if order.replaces is not None:
        replaced = Prescription.objects.filter(pharmacy=pharmacy, pk=order.replaces).first()
    if replaced is None and order.replaces_identifier is not None:
        replaced = find_by_identifiers(pharmacy, [order.replaces_identifier])
    if replaced is None and (order.replaces or order.replaces_identifier):
        return None, ["MedicationRequest.priorPrescription: names an order that is not known here; it replaces nothing"]
    return replaced, []
