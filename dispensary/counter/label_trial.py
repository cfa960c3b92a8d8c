"""The trial of the labels of a hand-over, before it is made."""

from __future__ import annotations

from collections.abc import Sequence

from dispensary.actions.handover_problems import Item
from dispensary.actions.handover_review import preview_dispense
from dispensary.counter.reviewing import Reviewed
from dispensary.counter.visit import Visit
from dispensary.documents import DoesNotFit
from dispensary.handover import try_labels


def find_label_trouble(reviewed: Reviewed, items: Sequence[Item], visit: Visit) -> str:
    """Return why a label could not be printed after the hand-over, in words; empty where it could, or nothing is known."""
    after = reviewed.assessment.after_hand_over()
    products = [line.product for line in reviewed.lines if line.product is not None]
    if after is None or len(products) < len(items):
        return ""
    rows = [preview_dispense(item, product, visit.now) for item, product in zip(items, products, strict=True)]
    try:
        try_labels(rows, after)
    except DoesNotFit as error:
        return (
            f"The label cannot be printed: {str(error).removeprefix('label: ')}. Nothing was handed over yet. Where it is the patient's name, "
            "give it as it is printed on the patient's page; or press the button again to hand over with a label written by hand."
        )
    return ""
