"""Phases as FHIR R4 dosage instructions: one for each dose of a phase, those of one phase with one sequence number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from dispensary.api.fhir.values import days_quantity, unit_quantity
from dispensary.fhir.units import Measure

_WHEN = {"morning": "MORN", "midday": "NOON", "evening": "EVE", "bedtime": "HS"}
_UNITS = {Measure.MG.value: ("mg", "mg"), Measure.MICROGRAM.value: ("ug", "microgram")}


def render_phases(phases: Sequence[Mapping[str, Any]], starts_on: date | None = None) -> list[dict[str, Any]]:
    """Return the instructions of phases in the case format; with their days of the calendar where the first is planned."""
    instructions: list[dict[str, Any]] = []
    day = 1
    for sequence, phase in enumerate(phases, start=1):
        day = phase.get("from_day") or day
        first = None if starts_on is None else starts_on + timedelta(days=day - 1)
        bounds = _render_bounds(phase["days"], first)
        code, unit = _UNITS[phase["unit"]]
        instructions += [
            {
                "sequence": sequence,
                "timing": {"repeat": {**bounds, **moments}},
                "doseAndRate": [{"doseQuantity": unit_quantity(dose, code, unit)}],
            }
            for dose, moments in _group_doses(phase)
        ]
        day += phase["days"] or 0
    return instructions


def _group_doses(phase: Mapping[str, Any]) -> list[tuple[Decimal, dict[str, Any]]]:
    """Return each dose with its moments: hours, parts of the day and unnamed ones apart, since FHIR cannot join them."""
    times = phase.get("times") or [None] * len(phase["doses"])
    groups: dict[tuple[Decimal, str], list[str]] = {}
    for dose, moment in zip(phase["doses"], times, strict=True):
        kind = "" if moment is None else "when" if moment in _WHEN else "timeOfDay"
        groups.setdefault((Decimal(dose), kind), []).append(moment or "")
    daily = {"period": 1, "periodUnit": "d"}
    return [
        (dose, {"frequency": len(moments), **daily} | _name_moments(kind, moments))
        for (dose, kind), moments in groups.items()
    ]


def _name_moments(kind: str, moments: Sequence[str]) -> dict[str, Any]:
    match kind:
        case "when":
            return {"when": [_WHEN[moment] for moment in moments]}
        case "timeOfDay":
            return {"timeOfDay": [f"{moment}:00" for moment in moments]}
        case _:
            return {}


def _render_bounds(days: int | None, first: date | None) -> dict[str, Any]:
    if first is None:
        return {} if days is None else {"boundsDuration": days_quantity(days)}
    last = {} if days is None else {"end": str(first + timedelta(days=days - 1))}
    return {"boundsPeriod": {"start": str(first), **last}}
