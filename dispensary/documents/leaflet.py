"""The leaflet of a supply in the patient's language: how to take the medicine, and when to call whom."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from dispensary.documents.paper import Handover
from dispensary.documents.typesetting import typeset
from dispensary.documents.words import RIGHT_TO_LEFT, numbers_to_call, own, words_in


class LeafletLayout(StrEnum):
    """The paper, and the size of its type. Large print (18 pt) takes as many pages as it needs."""

    A4 = "a4"
    A5 = "a5"
    LARGE = "large"


_SECTIONS = ("take", "stop", "help", "call", "care")


def leaflet_pdf(handover: Handover, *, layout: LeafletLayout = LeafletLayout.A4, at: datetime | None = None) -> bytes:
    """Render the counselling points as a tagged PDF. `at` is the time of printing. Raises DoesNotFit.

    The points are those of the product information and of the NHS (https://www.nhs.uk/medicines/baclofen/).
    """
    language = handover.patient_language
    words = words_in(language)["leaflet"]
    values = numbers_to_call(handover.pharmacy.phone, handover.emergency)
    data = {
        "title": words["title"].format(name=own(handover.name, language)),
        "language": language,
        "rtl": language in RIGHT_TO_LEFT,
        "names_language": handover.language,
        "layout": layout,
        "sections": [
            {
                "heading": words[name]["heading"].format(**values),
                "points": [point.format(**values) for point in words[name]["points"]],
                "urgent": name == "help",
            }
            for name in _SECTIONS
        ],
        "questions": words["questions"].format(**values),
        "pharmacy": handover.pharmacy.name,
        "address": handover.pharmacy.address,
    }
    return typeset("leaflet.typ", data, at=at)
