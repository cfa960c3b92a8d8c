"""The fields of an order that the therapy reads and the case of the rule book does not have."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from baclofen_rules.checked import InvalidCase, Place
from dispensary.errors import InvalidInput, Problem

ATC = "http://www.whocc.no/atc"
_FIELDS = ("starts_on", "as_needed", "max_mg_per_day", "interval_days", "group", "medicine")
_CODE = frozenset({"system", "code", "display"})
_MOST_CODES = 50
_TIME = re.compile(r"morning|midday|evening|bedtime|([01][0-9]|2[0-3]):[0-5][0-9]")
_TIMES_EXPECTED = "morning, midday, evening, bedtime or a time such as 08:00, one for each dose"


@dataclass(frozen=True, slots=True)
class OrderTerms:
    """Planned start, need, maximum, interval, group, medicine, and the times of day of each phase."""

    starts_on: date | None = None
    as_needed: bool | None = None
    max_mg_per_day: Decimal | None = None
    interval_days: int | None = None
    group: str | None = None
    medicine: dict[str, Any] | None = None
    times: tuple[list[str] | None, ...] = ()
    """For each phase the time of each dose; None where the order says none."""

    def to_json(self) -> dict[str, Any]:
        """Return the stated fields as they are written into the log; the times belong to the phases."""
        fields = {name: getattr(self, name) for name in _FIELDS}
        return {
            name: str(value) if isinstance(value, date | Decimal) else value
            for name, value in fields.items()
            if value is not None
        }


def split_order(order: Mapping[str, Any]) -> tuple[dict[str, Any], OrderTerms]:
    """Return the part of an order that the rule book's case reads, and the rest, checked.

    Raises `InvalidInput` with the JSON path of what is wrong.
    """
    for_the_rules = {name: value for name, value in order.items() if name not in _FIELDS}
    phases = order.get("phases")
    if isinstance(phases, list):
        for_the_rules["phases"] = [_without_times(phase) for phase in phases]
    try:
        terms = _read_terms(Place({name: order.get(name) for name in _FIELDS}, "prescription"), phases)
    except InvalidCase as error:
        problem = Problem(error.path, error.given[:120], error.expected)
        raise InvalidInput(f"The order cannot be read at {error.path}.", problem) from error
    return for_the_rules, terms


def _without_times(phase: Any) -> Any:
    return {name: value for name, value in phase.items() if name != "times"} if isinstance(phase, Mapping) else phase


def _read_terms(place: Place, phases: Any) -> OrderTerms:
    fields = place.fields(frozenset(_FIELDS))
    return OrderTerms(
        starts_on=fields.get("starts_on", lambda at: at.day("a date YYYY-MM-DD")),
        as_needed=fields.get("as_needed", lambda at: at.truth()),
        max_mg_per_day=fields.get(
            "max_mg_per_day",
            lambda at: at.amount("mg a day above 0, at most 1000000", Decimal("0.000001"), Decimal(1000000)),
        ),
        interval_days=fields.get(
            "interval_days", lambda at: at.whole("a whole number of days from 1 to 3660", 1, 3660)
        ),
        group=fields.get("group", lambda at: at.text(511)),
        medicine=fields.get("medicine", _read_medicine),
        times=tuple(_read_times(phase, f"prescription.phases[{n}]") for n, phase in enumerate(phases or ())),
    )


def _read_medicine(place: Place) -> dict[str, Any]:
    """Return name and codes; `atc` is short for a code of that system."""
    fields = place.fields(frozenset({"name", "atc", "codes"}))
    codes = [_read_code(item) for item in fields.get("codes", lambda at: at.items(_MOST_CODES)) or ()]
    if atc := fields.get("atc", lambda at: at.text(20)):
        codes.append({"system": ATC, "code": atc})
    return {"name": fields.get("name", lambda at: at.text(500)), "codes": codes}


def _read_code(place: Place) -> dict[str, str]:
    fields = place.fields(_CODE)
    parts = {name: fields.get(name, lambda at: at.text(255)) for name in ("system", "code", "display")}
    return {name: text for name, text in parts.items() if text}


def _read_times(phase: Any, path: str) -> list[str] | None:
    times = phase.get("times") if isinstance(phase, Mapping) else None
    if times is None:
        return None
    items = Place(times, f"{path}.times").items(24, least=1)
    for item in items:
        if not isinstance(item.value, str) or not _TIME.fullmatch(item.value):
            item.refuse(_TIMES_EXPECTED)
    doses = phase.get("doses")
    count = len(doses) if isinstance(doses, list) else phase.get("times_per_day")
    if len(items) != count:
        raise InvalidCase(f"{path}.times", f"{len(items)} times for {count} doses", _TIMES_EXPECTED)
    return [item.value for item in items]
