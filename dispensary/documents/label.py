"""The label on the box: 70 x 35 mm, one or more of them, never cut."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import zxingcpp

from baclofen_rules.text import format_amount
from dispensary.documents.paper import DoesNotFit, Handover, Stretch
from dispensary.documents.typesetting import typeset
from dispensary.documents.words import NB, how_to_take, how_to_take_as_needed, long_day, mg, short_day, when

MOST_LABELS = 16
_LONG_WORD = re.compile(r"([^\s-]{24})(?=[^\s-]{4})")
"""The first part of a word of a name that is wider than the label: a line may end behind it, with a hyphen."""


def label_pdf(handover: Handover, *, at: datetime | None = None) -> bytes:
    """Render the labels of a dispense as a tagged PDF, one page a label. `at` is the time of printing.

    A course of many phases is spread over as few labels as hold it at a readable size ("1 of 3"). Raises DoesNotFit
    when even one phase alone does not fit, or more than MOST_LABELS would be needed.
    """
    return typeset("label.typ", _fit(handover), at=at)


def label_png(handover: Handover, *, ppi: int = 400) -> bytes:
    """Render the first label as a PNG, for a preview on the screen."""
    return typeset("label.typ", _fit(handover), png_ppi=ppi)


def label_text(handover: Handover) -> list[str]:
    """Return what the labels of a dispense say of taking it, a line for each stretch, and their warnings."""
    lines = [f"{line['when']} {line['take']}".strip() for line in _direction_lines(handover)]
    return [line.replace(NB, " ") for line in (*lines, _warnings(handover)) if line]


def _warnings(handover: Handover) -> str:
    return " ".join([*(f"Together with {name}." for name in handover.together_with), *handover.warnings])


def _fit(handover: Handover) -> dict[str, Any]:
    lines = _direction_lines(handover)
    trouble = DoesNotFit("label: nothing to print")
    for labels in range(1, min(len(lines), MOST_LABELS) + 1):
        data = _template_data(handover, _spread(lines, labels))
        try:
            typeset("label.typ", data, png_ppi=18)
        except DoesNotFit as error:
            trouble = error
        else:
            return data
    raise trouble


def _spread(lines: Sequence[dict[str, Any]], labels: int) -> list[list[dict[str, Any]]]:
    """Spread `lines` in order over so many labels, as evenly as can be."""
    size, more = divmod(len(lines), labels)
    starts = [n * size + min(n, more) for n in range(labels + 1)]
    return [list(lines[a:b]) for a, b in pairwise(starts)]


def _direction_lines(handover: Handover) -> list[dict[str, Any]]:
    course = handover.course
    is_dated = len(course.stretches) > 1
    say = how_to_take_as_needed if course.as_needed else how_to_take
    lines = [
        {"when": f"{when(s)}:" if is_dated else "", "take": f"{say(s)}.", "tablets": _different_tablets(s)}
        for s in course.stretches
    ]
    if course.starts_later and not is_dated:
        lines[0]["when"] = f"From {short_day(course.stretches[0].first_on)}:"
    last = course.stretches[-1].last_on
    if course.then_stop and last is not None:
        lines[-1]["take"] = f"{lines[-1]['take']} Then STOP: no tablets from {short_day(last + timedelta(days=1))}."
    return lines


def _different_tablets(stretch: Stretch) -> list[str]:
    """Return each different number of tablets once, in the order taken, for the drawing."""
    return [format_amount(t) for t in dict.fromkeys(stretch.tablets)]


def _template_data(handover: Handover, labels: Sequence[Sequence[dict[str, Any]]]) -> dict[str, Any]:
    tablets = "tablet" if handover.quantity == 1 else "tablets"
    receipt = handover.receipt
    return {
        "title": f"Label, prescription {handover.number}",
        "product": f"{handover.medicine}{NB}{mg(handover.strength_mg)} {tablets}",
        "quantity": format_amount(handover.quantity),
        "labels": [list(lines) for lines in labels],
        "warnings": _warnings(handover),
        "patient": _LONG_WORD.sub("\\1\u00ad", handover.patient_name),
        "dispensed": long_day(handover.dispensed_on),
        "number": handover.number,
        "pharmacy": handover.pharmacy.name,
        "address": handover.pharmacy.address,
        "phone": handover.pharmacy.phone.replace(" ", NB),
        "receipt": receipt.short if receipt else "",
        "symbol": _render_symbol(handover),
    }


def _render_symbol(handover: Handover) -> str:
    """Render a DataMatrix of the prescription's number and the audit receipt; nothing about the patient."""
    parts = [handover.number, *([str(handover.receipt.seq), handover.receipt.leaf[:16]] if handover.receipt else [])]
    barcode = zxingcpp.create_barcode("|".join(parts), zxingcpp.BarcodeFormat.DataMatrix, force_square=True)
    return zxingcpp.write_barcode_to_svg(barcode)
