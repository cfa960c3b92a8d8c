"""Quantity, repeats, duration and dates of an order, from its `dispenseRequest`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from dispensary.api.fhir.dosage import Dosing
from dispensary.api.fhir.elements import Inquiry, as_day, as_object, as_whole, check_elements
from dispensary.api.fhir.units import Measure, read_quantity


def read_supply(
    request: Mapping[str, Any], path: str, dosing: Dosing | None, inquiry: Inquiry
) -> tuple[dict[str, Any], date | None]:
    path = f"{path}.dispenseRequest"
    ordered = as_object(request.get("dispenseRequest"), path, inquiry)
    read = [
        "quantity",
        "expectedSupplyDuration",
        "numberOfRepeatsAllowed",
        "validityPeriod",
        "initialFill",
        "dispenseInterval",
    ]
    check_elements(ordered, path, inquiry, read, ["performer"])
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
    until = as_day(validity.get("end"), f"{path}.validityPeriod.end", inquiry, is_end=True)
    supply: dict[str, Any] = {
        "repeats": repeats,
        "quantity": quantity.value if quantity else None,
        "valid_from": as_day(validity.get("start"), f"{path}.validityPeriod.start", inquiry),
        "interval_days": _read_days(ordered.get("dispenseInterval"), f"{path}.dispenseInterval", inquiry),
    }
    supply["in_tablets"] = bool(quantity and quantity.measure is Measure.TABLET)
    return supply, until


def _check_duration(
    ordered: Mapping[str, Any], path: str, dosing: Dosing | None, repeats: int, inquiry: Inquiry
) -> None:
    """Ask back a supply duration that is not the sum of the phases, where all of them have an end."""
    path = f"{path}.expectedSupplyDuration"
    days = _read_days(ordered.get("expectedSupplyDuration"), path, inquiry)
    lengths = [phase["days"] for phase in (dosing.phases or [])] if dosing else []
    if days is not None and lengths and all(lengths) and not repeats and sum(lengths) != days:
        inquiry.ask(
            path, f"{days} days, while the phases add up to {sum(lengths)}", "a supply that ends with the last phase"
        )


def _read_days(element: Any, path: str, inquiry: Inquiry) -> int | None:
    """Return a Duration as a whole number of days from 1."""
    duration = as_object(element, path, inquiry)
    quantity = read_quantity(duration, path, inquiry) if duration else None
    if quantity is None:
        return None
    days = quantity.days()
    if days is None:
        inquiry.ask(path, "another unit", "days or weeks")
        return None
    if days != int(days) or not 1 <= days <= 3660:
        inquiry.ask(path, f"{days:f} days", "a whole number of days from 1 to 3660")
        return None
    return int(days)
