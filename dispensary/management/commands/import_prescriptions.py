"""Import of the orders that are open on the day a pharmacy starts with us."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from baclofen_rules.text import format_amount
from dispensary.actions.intake import Intake, take_in
from dispensary.actors import Actor
from dispensary.errors import Conflict, DispensaryError, InvalidInput, Problem
from dispensary.fhir.intake import read_intake
from dispensary.management.imports.command import PATIENT, PRESCRIBER, ImportCommand, objects_of, person_of
from dispensary.management.imports.tables import (
    PATIENT_COLUMNS,
    Column,
    read_amount,
    read_amounts,
    read_flag,
    read_whole,
)
from dispensary.models import Pharmacy, Source

IMPORTED = "urn:dispensary:import"
"""The system of the identifier that an order without one gets from the digest of what was sent: the same again is the same order."""
ORDER = {"identifier": 255, "identifier_system": 255}
_PLACE = re.compile(r"^Bundle\.entry\[(\d+)\]\.resource")
_PRESCRIPTION = ("case", "prescription")
_PHASE = (*_PRESCRIPTION, "phases[]")


class Command(ImportCommand):
    """Each document: the body of `POST prescriptions/`, a row that says the same, or a MedicationRequest."""

    help = (
        'Import orders, a line for each: {"patient": {...}, "prescriber": {...}, "case": {"format": "baclofen-case/1", '
        '"prescription": {...}, "patient": {...}, "history": [...]}}, as POST prescriptions/ takes them, and "order": '
        '{"identifier": ..., "identifier_system": ...} where it has a number; or a CSV (--columns); or MedicationRequests '
        "with their Patient and Practitioner, as NDJSON or a Bundle."
    )
    fields = ("patient", "prescriber", "case")
    optional_fields = ("order",)
    columns = (
        *PATIENT_COLUMNS,
        Column("weight_kg", ("case", "patient", "weight_kg"), "of the patient, kg", read=read_amount),
        Column("egfr", ("case", "patient", "egfr"), "mL/min/1.73 m2", read=read_amount),
        Column("egfr_on", ("case", "patient", "egfr_on"), "day of the eGFR, YYYY-MM-DD"),
        Column("prescriber_number", ("prescriber", "identifier"), "registration number", is_needed=True),
        Column("prescriber_number_system", ("prescriber", "identifier_system"), "the register of the number"),
        Column("prescriber_name", ("prescriber", "name"), "needed where the prescriber may be new"),
        Column("prescriber_phone", ("prescriber", "phone"), "telephone"),
        Column("prescriber_organisation", ("prescriber", "organisation"), "practice or hospital"),
        Column("order_number", ("order", "identifier"), "the old system's number of the order"),
        Column("order_number_system", ("order", "identifier_system"), "the system of that number"),
        Column("written_on", (*_PRESCRIPTION, "written_on"), "day of the order, YYYY-MM-DD", is_needed=True),
        Column("medicine", (*_PRESCRIPTION, "medicine"), "name as ordered, such as Baclofen 10 mg tablets", is_needed=True),
        Column("form", (*_PRESCRIPTION, "form"), "such as tablet"),
        Column("route", (*_PRESCRIPTION, "route"), "such as oral"),
        Column("strength_mg", (*_PRESCRIPTION, "strength_mg"), "mg in a tablet", read=read_amount),
        Column("brand", (*_PRESCRIPTION, "brand"), "where a brand is ordered"),
        Column("directions", (*_PRESCRIPTION, "directions"), "as written by the prescriber"),
        Column("doses_mg", (*_PHASE, "doses"), "one day's doses in mg, such as 10 10 10", read=read_amounts, beside={"unit": "mg"}),
        Column("days", (*_PHASE, "days"), "days of these doses; empty: without an end", read=read_whole, beside={"unit": "mg"}),
        Column("quantity", (*_PRESCRIPTION, "quantity"), "tablets", is_needed=True, read=read_amount),
        Column("repeats", (*_PRESCRIPTION, "repeats"), "further supplies of the quantity", read=read_whole),
        Column("interval_days", (*_PRESCRIPTION, "interval_days"), "least days between supplies", read=read_whole),
        Column("starts_on", (*_PRESCRIPTION, "starts_on"), "planned start, YYYY-MM-DD"),
        Column("as_needed", (*_PRESCRIPTION, "as_needed"), "true or false", read=read_flag),
        Column("then_stop", (*_PRESCRIPTION, "then_stop"), "true: the medicine ends after the last dose", read=read_flag),
    )  # fmt: skip
    resource_type = "MedicationRequest"

    def import_document(self, document: Mapping[str, Any], pharmacy: Pharmacy, by: Actor, now: datetime) -> bool:
        if "resourceType" not in document:
            intake = _read_document(document)
            received = take_in(intake, pharmacy=pharmacy, by=by, now=now)
            system, digest = intake.identifiers[0]
            if (
                not received.is_new
                and not received.prescription.identifiers.filter(system=system, value=digest).exists()
            ):
                problem = Problem(
                    "order", "the number of another order here", "the same order again, or a number of its own"
                )
                raise Conflict("There is another order with this number here. Nothing was stored.", problem)
            return received.is_new
        try:
            intake, _ = read_intake(document, pharmacy=pharmacy, on=pharmacy.local_day(now))
            own = intake.identifiers or [_digest(document["entry"][0]["resource"])]
            return take_in(replace(intake, identifiers=own), pharmacy=pharmacy, by=by, now=now).is_new
        except DispensaryError as error:
            error.problems = tuple(_name_place(problem, document) for problem in error.problems)
            raise


def _read_document(document: Mapping[str, Any]) -> Intake:
    """Return the intake of a document; its first identifier is the digest of the whole."""
    case = document["case"]
    parts = {"format", "prescription", "patient", "history"}
    if not isinstance(case, Mapping) or not isinstance(case.get("prescription"), Mapping) or case.keys() - parts:
        raise InvalidInput(
            "The line cannot be read.", Problem("case", "another value", f"a case with {', '.join(sorted(parts))}")
        )
    facts = case.get("patient", {})
    if not isinstance(facts, Mapping):
        raise InvalidInput("The line cannot be read.", Problem("case.patient", "another value", "an object"))
    number = person_of(document, "order", ORDER) if "order" in document else None
    if number and not number["identifier"].strip():
        raise InvalidInput(
            "The line cannot be read.", Problem("order.identifier", "empty text", "a number, or no order")
        )
    return Intake(
        patient=person_of(document, "patient", PATIENT),
        prescriber=person_of(document, "prescriber", PRESCRIBER),
        order=case["prescription"],
        source=Source.CASE,
        document=json.loads(_to_text(case)),
        facts=facts,
        history=objects_of(case.get("history", []), "case.history"),
        identifiers=[
            _digest(document),
            *([(number.get("identifier_system", ""), number["identifier"])] if number else []),
        ],
    )


def _digest(document: Any) -> tuple[str, str]:
    return IMPORTED, hashlib.sha256(_to_text(document).encode()).hexdigest()


def _to_text(document: Any) -> str:
    return json.dumps(document, sort_keys=True, default=format_amount)


def _name_place(problem: Problem, bundle: Mapping[str, Any]) -> Problem:
    """Return a problem with its path from the resource on: the Bundle was made by the import."""
    path = _PLACE.sub(lambda match: bundle["entry"][int(match[1])]["resource"]["resourceType"], problem.field)
    return replace(problem, field=path)
