"""Parts of the case format inside a body, passed on unchanged; the rule book checks their values."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from baclofen_rules.facts import FACTS, Indication, Kind, Sex

_AMOUNT = {"oneOf": [{"type": "string", "pattern": r"^[0-9]{1,7}(\.[0-9]{1,4})?$"}, {"type": "number", "minimum": 0}]}
_DAY = {"type": "string", "format": "date"}
_FLAG = {"type": ["boolean", "null"]}
_DOSES: dict[str, Any] = {
    "dose": _AMOUNT,
    "times_per_day": {"type": "integer", "minimum": 1, "maximum": 24},
    "doses": {"type": "array", "items": _AMOUNT, "minItems": 1, "maxItems": 24},
}
_SCHEMAS: dict[Kind, dict[str, Any]] = {
    Kind.BIRTH_DATE: {"type": ["string", "null"], "format": "date"},
    Kind.DAY: {"type": ["string", "null"], "format": "date"},
    Kind.SEX: {"enum": [*map(str, Sex), None]},
    Kind.INDICATION: {"enum": [*map(str, Indication), None]},
    Kind.AMOUNT: {"anyOf": [_AMOUNT, {"type": "null"}]},
    Kind.FLAG: _FLAG,
    Kind.TEXTS: {"type": ["array", "null"], "items": {"type": "string"}},
    Kind.CONDITIONS: {"type": ["array", "null"], "items": {"type": ["string", "object"]}},
    Kind.MEDICINES: {"type": ["array", "null"], "items": {"type": "object"}},
}
PATIENT_FACTS: dict[str, Any] = {
    "type": "object",
    "description": "Facts about the patient. Absent or null means unknown, which is not the same as false or an empty list.",
    "additionalProperties": False,
    "properties": {
        fact.name: _SCHEMAS[fact.kind] | ({"description": fact.unit} if "/" in fact.unit else {})
        for fact in FACTS.values()
    },
}
SUPPLY: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["dispensed_on", "days_supply", "relation"],
    "properties": {
        "dispensed_on": _DAY,
        **_DOSES,
        "strength_mg": _AMOUNT,
        "days_supply": {"type": "integer", "minimum": 1},
        "dose_since": _DAY,
        "relation": {"enum": ["same-course", "concurrent"]},
    },
}
ORDER: dict[str, Any] = {
    "type": "object",
    "description": "The prescription of the case format. Amounts in mg or micrograms, quantity in tablets.",
    "additionalProperties": False,
    "properties": {
        "written_on": {"type": ["string", "null"], "format": "date"},
        "route": {"type": "string"},
        "form": {"type": ["string", "null"], "maxLength": 200},
        "strength_mg": {"anyOf": [_AMOUNT, {"type": "null"}]},
        "brand": {"type": ["string", "null"]},
        "phases": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    **_DOSES,
                    "unit": {"enum": ["mg", "microgram", "ug", "mcg"]},
                    "days": {"type": ["integer", "null"], "minimum": 1},
                    "times": {
                        "type": ["array", "null"],
                        "items": {"type": "string"},
                        "description": "morning, midday, evening, bedtime or HH:MM, one for each dose",
                    },
                },
            },
        },
        "then_stop": _FLAG,
        "directions": {"type": ["string", "null"], "maxLength": 2000},
        "quantity": _AMOUNT,
        "repeats": {"type": "integer", "minimum": 0, "maximum": 99},
        "starts_on": {"type": ["string", "null"], "format": "date", "description": "planned first day"},
        "as_needed": _FLAG | {"description": "the doses of a day are the most of it"},
        "max_mg_per_day": {"anyOf": [_AMOUNT, {"type": "null"}]},
        "expected_days": {
            "type": ["integer", "null"],
            "minimum": 1,
            "description": "days that the quantity is to last",
        },
        "lines": {
            "type": ["array", "null"],
            "description": "the lines it was written in; lines of one sequence number are taken on the same days",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["sequence"],
                "properties": {
                    "sequence": {"type": "integer", "minimum": 1},
                    "directions": {"type": ["string", "null"], "maxLength": 2000},
                    **_DOSES,
                    "unit": {"enum": ["mg", "microgram", "ug", "mcg"]},
                    "days": {"type": ["integer", "null"], "minimum": 1},
                    "starts_on": {"type": ["string", "null"], "format": "date"},
                },
            },
        },
        "interval_days": {"type": ["integer", "null"], "minimum": 1, "description": "least days between two supplies"},
        "group": {
            "type": ["string", "null"],
            "maxLength": 300,
            "description": "system|value, equal in orders of one regimen",
        },
        "medicine": {
            "type": ["object", "null"],
            "additionalProperties": False,
            "properties": {
                "name": {"type": ["string", "null"], "maxLength": 200},
                "atc": {"type": ["string", "null"]},
                "codes": {"type": "array", "items": {"type": "object"}},
            },
        },
    },
}
CASE: dict[str, Any] = {
    "type": "object",
    "description": "A case in the format `baclofen-case/1`. The day is the day it arrives; the pack is scanned at the dispense.",
    "additionalProperties": False,
    "required": ["format", "prescription"],
    "properties": {
        "format": {"const": "baclofen-case/1"},
        "on": _DAY,
        "action": {"const": "dispense"},
        "patient": PATIENT_FACTS,
        "prescription": ORDER,
        "history": {"type": "array", "items": SUPPLY},
    },
}


class Document(serializers.Field[Any, Any, Any, Any]):
    """A JSON object, passed on unchanged."""

    default_error_messages = {"not_an_object": "an object"}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            self.fail("not_an_object")
        return data

    def to_representation(self, value: Any) -> Any:
        return value


@extend_schema_field(PATIENT_FACTS)
class FactsField(Document):
    """The patient's facts."""


@extend_schema_field(SUPPLY)
class SupplyField(Document):
    """An earlier supply."""


@extend_schema_field(CASE)
class CaseField(Document):
    """A case with nothing but the parts of an order."""

    default_error_messages = {
        "format": "baclofen-case/1 in the field format",
        "action": "dispense; a medicine is stopped at .../stop/",
        "picked": "no pack yet; it is scanned at the dispense",
        "prescription": "the prescription",
        "history": "a list of earlier supplies",
    }
    names = frozenset({"format", "on", "action", "patient", "prescription", "history", "picked", "reason"})

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        case = super().to_internal_value(data)
        if unknown := sorted(set(case) - self.names):
            expected = f"only {', '.join(sorted(self.names))}"
            raise serializers.ValidationError({name[:60]: [expected] for name in unknown}, code="unknown")
        if case.get("format") != "baclofen-case/1":
            self.fail("format")
        if case.get("action", "dispense") != "dispense" or "reason" in case:
            self.fail("action")
        if case.get("picked") is not None:
            self.fail("picked")
        if not isinstance(case.get("prescription"), dict):
            self.fail("prescription")
        history, patient = case.get("history"), case.get("patient")
        if history is not None and not (
            isinstance(history, list) and all(isinstance(supply, dict) for supply in history)
        ):
            self.fail("history")
        if patient is not None and not isinstance(patient, dict):
            self.fail("not_an_object")
        return case


@extend_schema_field(
    {"type": "object", "description": "A document in the format `baclofen-review/1` or `baclofen-case/1`."}
)
class FrozenField(Document):
    """A stored document."""


@extend_schema_field({"type": "array", "items": {"type": "object"}})
class FrozenListField(Document):
    """A stored list of objects."""
