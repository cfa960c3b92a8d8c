"""Import of the supplies that patients have in their hands on the day a pharmacy starts with us."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from baclofen_rules.regimen import Phase, Unit
from dispensary.actions.intake import take_in_supplies
from dispensary.actors import Actor
from dispensary.fhir.elements import Inquiry
from dispensary.fhir.resources import Bundle, name_contained, read_person
from dispensary.fhir.supplies import read_supplies
from dispensary.management.imports.command import PATIENT, ImportCommand, objects_of, person_of
from dispensary.management.imports.tables import PATIENT_COLUMNS, Column, read_amount, read_amounts, read_whole
from dispensary.models import Pharmacy


class Command(ImportCommand):
    """Each document: a patient, and supplies as `history` of the case format. One that is recorded already is skipped."""

    help = (
        'Import supplies made elsewhere, a line for each patient: {"patient": {"identifier": ..., "family_name": ...}, '
        '"supplies": [{"dispensed_on": ..., "doses": [...], "days_supply": ..., "relation": "same-course"}]}; or a CSV with '
        "a row for each supply (--columns); or completed MedicationDispenses with their Patient and Medication, as NDJSON or a "
        "Bundle. Their run-outs stand on the withdrawal-risk list at once."
    )
    fields = ("patient", "supplies")
    columns = (
        *PATIENT_COLUMNS,
        Column("dispensed_on", ("supplies[]", "dispensed_on"), "day of the supply, YYYY-MM-DD", is_needed=True),
        Column("days_supply", ("supplies[]", "days_supply"), "days that it lasts", is_needed=True, read=read_whole),
        Column("doses_mg", ("supplies[]", "doses"), "one day's doses in mg, such as 10 10 10", is_needed=True, read=read_amounts),
        Column("strength_mg", ("supplies[]", "strength_mg"), "mg in a tablet", read=read_amount),
        Column("dose_since", ("supplies[]", "dose_since"), "day since which the dose is the same, YYYY-MM-DD"),
        Column("relation", ("supplies[]", "relation"), "same-course, or concurrent: one beside the others", is_needed=True),
    )  # fmt: skip

    resource_type = "MedicationDispense"

    def import_document(self, document: Mapping[str, Any], pharmacy: Pharmacy, by: Actor, now: datetime) -> bool:
        if "resourceType" in document:
            patient, supply = _read_dispense(document, pharmacy, now)
            supplies: list[Mapping[str, Any]] = [supply]
        else:
            patient = person_of(document, "patient", PATIENT)
            supplies = objects_of(document["supplies"], "supplies")
        return take_in_supplies(patient=patient, supplies=supplies, pharmacy=pharmacy, by=by, now=now)


def _read_dispense(
    bundle: Mapping[str, Any], pharmacy: Pharmacy, now: datetime
) -> tuple[Mapping[str, Any], dict[str, Any]]:
    """Return the patient and the supply of a MedicationDispense, as `history` has it. Raises `InvalidInput`."""
    inquiry = Inquiry(pharmacy.local_day(now), ZoneInfo(pharmacy.time_zone))
    kind = Command.resource_type
    dispense, *others = [entry["resource"] for entry in bundle["entry"]]
    if dispense.get("status") != "completed":
        inquiry.ask(f"{kind}.status", "another status or none", "completed", "Only supplies in patients' hands count.")
        inquiry.raise_problems()
    names = [entry.get("fullUrl", "") for entry in bundle["entry"][1:]]
    by_name = dict(zip(names, ((thing["resourceType"], thing) for thing in others), strict=True))
    by_name |= {f"{thing['resourceType']}/{thing.get('id')}": (thing["resourceType"], thing) for thing in others}
    medications = {name: thing for name, (_, thing) in by_name.items() if thing["resourceType"] == "Medication"}
    by_name |= name_contained(dispense, kind, inquiry)
    person = read_person(dispense.get("subject"), f"{kind}.subject", "Patient", Bundle(by_name), inquiry)
    supplies = read_supplies([(kind, dispense)], medications, inquiry)
    if not supplies and not inquiry.problems:
        reasons = "; ".join(inquiry.notes) or "a supply of another medicine"
        inquiry.ask(kind, reasons[:250], "a supply of baclofen with its day and its days or tablets")
    inquiry.raise_problems()
    supply = supplies[0]
    products = supply["regimen"]["products"]
    if not products:
        inquiry.ask(f"{kind}.dosageInstruction", "no dose that is read", "the doses of a day in mg or tablets")
        inquiry.raise_problems()
    read, strength = products[0]["phases"][-1], products[0]["strength_mg"]
    phase = Phase(tuple(read["doses"]), days=None, unit=Unit(read["unit"]))
    days = supply.get("days") or int(supply["tablets"][0] * strength / phase.mg_per_day)
    return dict(person.details), {
        "dispensed_on": supply["on"],
        "doses": list(phase.doses_mg),
        "strength_mg": strength,
        "days_supply": days,
        "relation": "same-course",
    }
