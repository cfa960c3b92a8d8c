"""The downtime form: what is known of the patients who are due, and blank lines for what is handed over meanwhile."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from dispensary.documents.paper import DoesNotFit, PharmacyLines
from dispensary.documents.typesetting import typeset

_RARE = re.compile(r"[^\n\u0020-\u017f\u2013\u2014\u2018-\u201d]")
"""Everything but Latin letters and common signs."""


class Paper(StrEnum):
    """The sizes of paper."""

    A4 = "a4"
    LETTER = "letter"


@dataclass(frozen=True, slots=True)
class DowntimeOrder:
    """An open order, in words."""

    number: str
    what: str
    """Strength and directions."""
    left: str
    """Tablets that may still be handed over."""
    earliest: str
    prescriber: str
    waits: str
    """What stood in its way; empty where nothing did."""


@dataclass(frozen=True, slots=True)
class DowntimePatient:
    """A patient, in words."""

    name: str
    born: str
    number: str
    facts: Sequence[tuple[str, str]]
    """Names and values of what is known."""
    orders: Sequence[DowntimeOrder]


@dataclass(frozen=True, slots=True)
class DowntimeForm:
    """All patients of the form, in the order of their names."""

    patients: Sequence[DowntimePatient]
    period: str
    """For which days it was printed."""
    printed: str
    """When, and by whom."""
    pharmacy: PharmacyLines


def downtime_form_pdf(form: DowntimeForm, *, paper: Paper, at: datetime | None = None) -> bytes:
    """Render the form as a tagged PDF of as many pages as it takes.

    A patient whose words have a letter that cannot be drawn does not keep the others from it: there it is a question mark.
    """
    data = asdict(form) | {"paper": paper.value}
    try:
        return typeset("downtime.typ", data, at=at)
    except DoesNotFit:
        empty = _draw_plainly(data | {"patients": []}, lambda head: head)
        patients = [
            _draw_plainly(patient, lambda patient_row: empty | {"patients": [patient_row]})
            for patient in data["patients"]
        ]
        return typeset("downtime.typ", empty | {"patients": patients}, at=at)


def _draw_plainly(part: dict[str, Any], place: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    """Return a part of the form as it is where it can be drawn, else with a question mark for each letter that may not be."""
    try:
        typeset("downtime.typ", place(part))
    except DoesNotFit:
        plain: dict[str, Any] = json.loads(_RARE.sub("?", json.dumps(part, ensure_ascii=False)))
        return plain
    return part
