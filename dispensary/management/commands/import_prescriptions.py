"""Import of the orders that are open on the day a pharmacy starts with us."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from baclofen_rules.text import format_amount
from dispensary.actions.intake import Intake, take_in
from dispensary.actors import Actor
from dispensary.errors import InvalidInput, Problem
from dispensary.management.line_import import PATIENT, PRESCRIBER, LineImport, objects_of, person_of
from dispensary.models import Pharmacy, Source

IMPORTED = "urn:dispensary:import"
"""The system of the identifier that an order gets from the digest of its line: the same line is the same order."""


class Command(LineImport):
    """Each line: the body of `POST prescriptions/`."""

    help = (
        'Import orders, a line for each: {"patient": {...}, "prescriber": {...}, "case": {"format": "baclofen-case/1", '
        '"prescription": {...}, "patient": {...}, "history": [...]}}, as POST prescriptions/ takes them.'
    )
    fields = ("patient", "prescriber", "case")

    def import_document(self, document: Mapping[str, Any], pharmacy: Pharmacy, by: Actor, now: datetime) -> bool:
        case = document["case"]
        parts = {"format", "prescription", "patient", "history"}
        if not isinstance(case, Mapping) or not isinstance(case.get("prescription"), Mapping) or case.keys() - parts:
            raise InvalidInput(
                "The line cannot be read.", Problem("case", "another value", f"a case with {', '.join(sorted(parts))}")
            )
        facts = case.get("patient", {})
        if not isinstance(facts, Mapping):
            raise InvalidInput("The line cannot be read.", Problem("case.patient", "another value", "an object"))
        text = json.dumps(document, sort_keys=True, default=format_amount)
        intake = Intake(
            patient=person_of(document, "patient", PATIENT),
            prescriber=person_of(document, "prescriber", PRESCRIBER),
            order=case["prescription"],
            source=Source.CASE,
            document=json.loads(text)["case"],
            facts=facts,
            history=objects_of(case.get("history", []), "case.history"),
            identifiers=((IMPORTED, hashlib.sha256(text.encode()).hexdigest()),),
        )
        return take_in(intake, pharmacy=pharmacy, by=by, now=now).is_new
