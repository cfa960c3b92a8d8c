"""Values of resources that are sent out: numbers, quantities, references, codes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

from dispensary.fhir.units import DRUG_FORM, UCUM

ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"


def json_number(value: Decimal) -> int | float:
    """Return an amount as a JSON number, which FHIR requires. Raises `ValueError` where it would not be exact."""
    if value == int(value):
        return int(value)
    number = float(value)
    if Decimal(repr(number)) != value.normalize():
        raise ValueError(f"{value} has no exact JSON number")
    return number


def tablet_quantity(value: Decimal) -> dict[str, Any]:
    return {"value": json_number(value), "unit": "tablet", "system": DRUG_FORM, "code": "TAB"}


def unit_quantity(value: Decimal, code: str, unit: str = "") -> dict[str, Any]:
    """Return a quantity in a unit of UCUM."""
    return {"value": json_number(value), "unit": unit or code, "system": UCUM, "code": code}


def days_quantity(days: int) -> dict[str, Any]:
    return unit_quantity(Decimal(days), "d", "days")


def reference(kind: str, pk: UUID | str) -> dict[str, str]:
    """Return a reference to a resource of ours."""
    return {"reference": f"{kind}/{pk}"}


def coded(system: str, code: str, text: str = "") -> dict[str, Any]:
    """Return a CodeableConcept of one coding."""
    return {"coding": [{"system": system, "code": code}]} | ({"text": text} if text else {})


def drop_empty(resource: dict[str, Any]) -> dict[str, Any]:
    """Return a resource without elements that hold nothing: FHIR has no null, empty text, list or object."""
    return {name: value for name, value in resource.items() if value not in (None, "", [], {})}
