"""Supplies of baclofen that another system recorded, from MedicationDispense, as a case has them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from baclofen_rules.medicines import own_medicine
from baclofen_rules.order import MOST_DAYS
from baclofen_rules.products import Identity, identify
from dispensary.fhir.dosage import read_dosing
from dispensary.fhir.elements import Inquiry, as_amount, as_day, as_object, as_text
from dispensary.fhir.facts import Medications, Resources, name_medicine
from dispensary.fhir.resources import Bundle, name_contained, read_medication


def read_supplies(resources: Resources, medications: Medications, inquiry: Inquiry) -> list[dict[str, Any]]:
    """Return the completed supplies of baclofen. One that cannot be counted is noted, with what it lacks."""
    supplies: list[dict[str, Any]] = []
    for path, dispense in resources:
        if dispense.get("resourceType") != "MedicationDispense" or dispense.get("status") != "completed":
            continue
        medicine = name_medicine(dispense, path, inquiry, medications)
        if medicine is None or identify(medicine, None, own_medicine())[0] is not Identity.OWN:
            continue
        if supply := _read_supply(dispense, path, medications, f"sent-{len(supplies) + 1}", inquiry):
            supplies.append(supply)
    return supplies


def _read_supply(
    dispense: Mapping[str, Any], path: str, medications: Medications, name: str, inquiry: Inquiry
) -> dict[str, Any] | None:
    on = as_day(dispense.get("whenHandedOver") or dispense.get("whenPrepared"), f"{path}.whenHandedOver", inquiry)
    if on is None or (inquiry.on is not None and on > inquiry.on):
        inquiry.note(f"{path}.whenHandedOver", "says no day up to today; the supply was not counted")
        return None
    own = Inquiry(inquiry.on, inquiry.zone)
    bundle = Bundle(by_name={key: (f"{path}.medicationReference", thing) for key, thing in medications.items()})
    bundle.by_name |= name_contained(dispense, path, Inquiry())  # what is none was asked about where it is referred to
    medicine = read_medication(dispense, path, bundle, own)
    strength = medicine.strength_mg if medicine else None
    dosing = read_dosing(dispense.get("dosageInstruction"), f"{path}.dosageInstruction", strength, own)
    phases = dosing.phases if dosing and not own.problems else None
    days = _read_days(dispense, path, inquiry)
    tablets = _read_tablets(dispense, path, inquiry) if phases and strength else None
    if days is None and tablets is None:
        inquiry.note(path, "says neither its days nor tablets and doses to count them by; the supply was not counted")
        return None
    product = {"strength_mg": strength, "phases": [dict(phases[-1], days=None)]} if phases else None
    if product is None:
        inquiry.note(f"{path}.dosageInstruction", "says no dose that is read; its days count, its dose is not known")
    regimen = {"products": [product] if product else []}
    supply: dict[str, Any] = {"id": name, "on": on.isoformat(), "order": None, "regimen": regimen}
    return supply | ({"tablets": [tablets]} if days is None else {"days": min(days, MOST_DAYS)})


def _read_days(dispense: Mapping[str, Any], path: str, inquiry: Inquiry) -> int | None:
    where = f"{path}.daysSupply"
    quantity = as_object(dispense.get("daysSupply"), where, inquiry)
    days = as_amount(quantity.get("value"), f"{where}.value", inquiry)
    unit = as_text(quantity.get("code") or quantity.get("unit"), where, inquiry)
    if days is None or days < 1 or days != int(days) or unit not in {"d", "day", "days", ""}:
        return None
    return int(days)


def _read_tablets(dispense: Mapping[str, Any], path: str, inquiry: Inquiry) -> Decimal | None:
    quantity = as_object(dispense.get("quantity"), f"{path}.quantity", inquiry)
    tablets = as_amount(quantity.get("value"), f"{path}.quantity.value", inquiry)
    return tablets if tablets and tablets > 0 else None
