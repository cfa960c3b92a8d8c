"""MedicationRequests as systems send them, to be changed a little by each test."""

from copy import deepcopy
from decimal import Decimal
from typing import Any

from dispensary.errors import InvalidInput
from dispensary.fhir import Order, read_order

UCUM = "http://unitsofmeasure.org"
SNOMED = "http://snomed.info/sct"
PATIENT = {
    "resourceType": "Patient",
    "id": "p",
    "identifier": [{"value": "P-1"}],
    "name": [{"use": "official", "family": "O'Hara", "given": ["Jo", "Ann"]}],
    "birthDate": "1980-02-29",
    "gender": "female",
}
PRACTITIONER = {
    "resourceType": "Practitioner",
    "id": "d",
    "identifier": [{"value": "D-1"}],
    "name": [{"family": "Grey", "given": ["Ada"]}],
    "telecom": [{"system": "email", "value": "a@example.org"}, {"system": "phone", "value": "0123"}],
}


def mg(value: Any) -> dict[str, Any]:
    return {"value": value, "unit": "mg", "system": UCUM, "code": "mg"}


def days(value: Any) -> dict[str, Any]:
    return {"value": value, "unit": "days", "system": UCUM, "code": "d"}


def daily(times: int, **more: Any) -> dict[str, Any]:
    return {"repeat": {"frequency": times, "period": 1, "periodUnit": "d", **more}}


def line(dose: Any, timing: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"timing": timing, "doseAndRate": [{"doseQuantity": dose}], **more}


def request(*lines: dict[str, Any], **changes: Any) -> dict[str, Any]:
    whole = {
        "resourceType": "MedicationRequest",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": {"text": "Baclofen 10 mg tablets"},
        "subject": {"reference": "#p"},
        "requester": {"reference": "#d"},
        "authoredOn": "2026-11-20T09:30:00+01:00",
        "contained": [deepcopy(PATIENT), deepcopy(PRACTITIONER)],
        "dosageInstruction": list(lines) or [line(mg(10), daily(3, boundsDuration=days(28)))],
        "dispenseRequest": {"quantity": {"value": 84, "unit": "tablets"}},
    }
    whole |= changes
    return {name: value for name, value in whole.items() if value is not None}


def phases(*lines: dict[str, Any], **changes: Any) -> list[tuple[list[Decimal], str, int | None]]:
    """The phases that an order was read as: one day's doses, unit, days."""
    read = read_order(request(*lines, **changes)).prescription.get("phases")
    return [(phase["doses"], phase["unit"], phase["days"]) for phase in read or []]


def asked(resource: Any) -> str:
    """Return the questions asked back, as one text; fail where the order was read."""
    try:
        order: Order = read_order(resource)
    except InvalidInput as error:
        return " | ".join(f"{p.field}: {p.given} -> {p.expected}" for p in error.problems)
    raise AssertionError(f"was read without a question: {order.prescription}")
