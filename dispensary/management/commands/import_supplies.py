"""Import of the supplies that patients have in their hands on the day a pharmacy starts with us."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from dispensary.actions.intake import take_in_supplies
from dispensary.actors import Actor
from dispensary.management.line_import import PATIENT, LineImport, objects_of, person_of
from dispensary.models import Pharmacy


class Command(LineImport):
    """Each line: a patient, and supplies as `history` of the case format. One that is recorded already is skipped."""

    help = (
        'Import supplies made elsewhere, a line for each patient: {"patient": {"identifier": ..., "family_name": ...}, '
        '"supplies": [{"dispensed_on": ..., "doses": [...], "days_supply": ..., "relation": "same-course"}]}. '
        "Their run-outs stand on the withdrawal-risk list at once."
    )
    fields = ("patient", "supplies")

    def import_document(self, document: Mapping[str, Any], pharmacy: Pharmacy, by: Actor, now: datetime) -> bool:
        return take_in_supplies(
            patient=person_of(document, "patient", PATIENT),
            supplies=objects_of(document["supplies"], "supplies"),
            pharmacy=pharmacy,
            by=by,
            now=now,
        )
