"""Quantity, repeats, duration and dates of an order, from its `dispenseRequest`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from dispensary.fhir.elements import Inquiry, as_day, as_object, as_text, as_whole, check_elements
from dispensary.fhir.units import Measure, Quantity, read_quantity

_READ = [
    "quantity", "expectedSupplyDuration", "numberOfRepeatsAllowed", "validityPeriod", "initialFill", "dispenseInterval",
    "performer",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Supply:
    """The supply that an order asks for; None is what it does not say."""

    quantity: Decimal | None
    """Tablets."""
    unit: str
    """ "tablet", what else the quantity is counted in, or "" where it names no unit."""
    repeats: int | None
    expected_days: int | None
    interval_days: int | None
    valid_from: date | None
    valid_until: date | None


def read_supply(request: Mapping[str, Any], path: str, inquiry: Inquiry, *, is_tablet: bool) -> Supply:
    """Read the `dispenseRequest` of an order; of a product that is no tablet the quantity may be in anything."""
    path = f"{path}.dispenseRequest"
    ordered = as_object(request.get("dispenseRequest"), path, inquiry)
    check_elements(ordered, path, inquiry, _READ, may_be_noted=True)
    validity = as_object(ordered.get("validityPeriod"), f"{path}.validityPeriod", inquiry)
    quantity = _read_amount(ordered, path, inquiry, is_tablet=is_tablet)
    _note_first_fill(ordered, path, quantity, inquiry)
    performer = as_object(ordered.get("performer"), f"{path}.performer", inquiry)
    if performer:
        name = as_text(performer.get("display"), f"{path}.performer.display", inquiry)
        inquiry.note(f"{path}.performer", f"names who is to dispense: {name[:200] or 'a reference'}")
    in_tablets = quantity is not None and quantity.measure in {None, Measure.TABLET}
    return Supply(
        quantity=quantity.value if quantity and in_tablets else None,
        unit="" if quantity is None or quantity.measure is None else quantity.unit or str(quantity.measure),
        repeats=as_whole(ordered.get("numberOfRepeatsAllowed"), f"{path}.numberOfRepeatsAllowed", inquiry, least=0),
        expected_days=_read_days(ordered.get("expectedSupplyDuration"), f"{path}.expectedSupplyDuration", inquiry),
        interval_days=_read_days(ordered.get("dispenseInterval"), f"{path}.dispenseInterval", inquiry),
        valid_from=as_day(validity.get("start"), f"{path}.validityPeriod.start", inquiry),
        valid_until=as_day(validity.get("end"), f"{path}.validityPeriod.end", inquiry, is_end=True),
    )


def _read_amount(ordered: Mapping[str, Any], path: str, inquiry: Inquiry, *, is_tablet: bool) -> Quantity | None:
    path = f"{path}.quantity"
    amount = as_object(ordered.get("quantity"), path, inquiry)
    quantity = read_quantity(amount, path, inquiry, may_be_other=not is_tablet) if amount else None
    if quantity is None:
        return None
    if quantity.measure is None:
        inquiry.note(path, "has no unit, read as tablets")
    elif quantity.measure is Measure.PACK:
        inquiry.note(path, f"in packs ({quantity.value:f}): how many tablets they hold was not read")
        return None
    elif quantity.measure is Measure.OTHER:
        inquiry.note(path, f"{quantity.value:f} {quantity.unit} is no number of tablets and was not read")
    elif quantity.measure is not Measure.TABLET:
        inquiry.ask(path, f"a quantity in {quantity.measure}", "a number of tablets")
    return quantity


def _note_first_fill(ordered: Mapping[str, Any], path: str, quantity: Quantity | None, inquiry: Inquiry) -> None:
    """Note a first supply that differs from the others; the person who hands over decides about it."""
    path = f"{path}.initialFill"
    first = as_object(ordered.get("initialFill"), path, inquiry)
    if not first:
        return
    amount = as_object(first.get("quantity"), f"{path}.quantity", inquiry)
    of_first = read_quantity(amount, f"{path}.quantity", inquiry) if amount else None
    days = _read_days(first.get("duration"), f"{path}.duration", inquiry)
    asked_for = [f"{of_first.value:f}" if of_first else "", f"{days} days" if days else ""]
    if of_first is None or quantity is None or of_first.value != quantity.value:
        inquiry.note(path, f"asks for a first supply of its own: {', '.join(filter(None, asked_for)) or 'not read'}")


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
    if days != int(days) or not 1 <= days <= 3650:
        inquiry.ask(path, f"{days:f} days", "a whole number of days from 1 to 3650")
        return None
    return int(days)
