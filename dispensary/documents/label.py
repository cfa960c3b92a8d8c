"""The label on the box: 70 x 35 mm, one or more of them, never cut."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise, product
from typing import Any

import zxingcpp

from baclofen_rules.text import format_amount
from dispensary.documents.paper import ENGLISH, DoesNotFit, Handover, Stretch
from dispensary.documents.typesetting import typeset
from dispensary.documents.words import (
    NB,
    RIGHT_TO_LEFT,
    how_to_take,
    how_to_take_as_needed,
    long_day,
    name_tablets,
    short_day,
    when,
    words_in,
)

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
    """Return what the labels of a dispense say of taking it, a line for each stretch, and their warnings, by language."""
    texts = []
    for language in _languages(handover):
        lines = [f"{line['when']} {line['take']}".strip() for line in _direction_lines(handover, language)]
        texts += [line.replace(NB, " ") for line in (*lines, _warnings(handover, language)) if line]
    return texts


def _languages(handover: Handover) -> list[str]:
    """Return the pharmacy's language, then the patient's where it is another."""
    return list(dict.fromkeys((handover.language, handover.patient_language)))


def _warnings(handover: Handover, language: str) -> str:
    words = words_in(language)["label"]
    together = [words["together"].format(name=name) for name in handover.together_with]
    is_pharmacys = language == handover.language
    return " ".join([*together, *((is_pharmacys and handover.warnings) or words["warnings"])])


def _fit(handover: Handover) -> dict[str, Any]:
    """Return the data of as few labels of each language as hold the directions. Raises DoesNotFit.

    "With food" is left to the calendar where no number of labels has room for it.
    """
    labels = [label for language in _languages(handover) for label in _fit_language(handover, language)]
    return _template_data(handover, labels)


def _fit_language(handover: Handover, language: str) -> list[dict[str, Any]]:
    lines = _direction_lines(handover, language)
    trouble = DoesNotFit("label: nothing to print")
    counts = range(1, min(len(lines), MOST_LABELS) + 1)
    for has_food, count in product((True, False), counts):
        spread = _spread(lines, count)
        labels = [
            _label_data(handover, part, _which(n, count, language), language=language, has_food=has_food)
            for n, part in enumerate(spread, 1)
        ]
        try:
            typeset("label.typ", _template_data(handover, labels), png_ppi=18)
        except DoesNotFit as error:
            trouble = error
        else:
            return labels
    raise trouble


def _spread(lines: Sequence[dict[str, Any]], labels: int) -> list[list[dict[str, Any]]]:
    """Spread `lines` in order over so many labels, as evenly as can be."""
    size, more = divmod(len(lines), labels)
    starts = [n * size + min(n, more) for n in range(labels + 1)]
    return [list(lines[a:b]) for a, b in pairwise(starts)]


def _direction_lines(handover: Handover, language: str) -> list[dict[str, Any]]:
    course, words = handover.course, words_in(language)["label"]
    is_dated = course.is_dated or len(course.stretches) > 1
    say = how_to_take_as_needed if course.as_needed else how_to_take
    lines = [
        {
            "when": f"{when(s, language)}:" if is_dated else "",
            "take": f"{say(s, language)}.",
            "tablets": _different_tablets(s),
        }
        for s in course.stretches
    ]
    if course.starts_later and not is_dated:
        lines[0]["when"] = f"{words['from_day'].format(first=short_day(course.stretches[0].first_on, language))}:"
    last = course.stretches[-1].last_on
    if course.then_stop and last is not None:
        stop = words["stop"].format(day=short_day(last + timedelta(days=1), language))
        lines[-1]["take"] = f"{lines[-1]['take']} {stop}"
    return lines


def _different_tablets(stretch: Stretch) -> list[str]:
    """Return each different number of tablets once, in the order taken, for the drawing."""
    return [format_amount(t) for t in dict.fromkeys(stretch.tablets)]


def _label_data(
    handover: Handover, lines: Sequence[dict[str, Any]], which: str, *, language: str, has_food: bool
) -> dict[str, Any]:
    """Return what one label says in its language."""
    words = words_in(language)["label"]
    tablets = name_tablets(handover.name, handover.strength_mg, language)
    if language == ENGLISH and handover.quantity == 1:
        tablets = tablets.removesuffix("s")
    return {
        "language": language,
        "rtl": language in RIGHT_TO_LEFT,
        "product": tablets,
        "lines": list(lines),
        "warnings": " ".join([_warnings(handover, language), *([words["food"]] if has_food else [])]),
        "dispensed": long_day(handover.dispensed_on, language),
        "which": which,
        "words": {name: words[name] for name in ("children", "phone", "number", "log", "between")},
    }


def _which(number: int, count: int, language: str) -> str:
    """Return "1 of 3"; nothing where there is one label."""
    return str(words_in(language)["label"]["of"]).format(which=number, of=count) if count > 1 else ""


def _template_data(handover: Handover, labels: Sequence[dict[str, Any]]) -> dict[str, Any]:
    receipt = handover.receipt
    return {
        "title": f"Label, prescription {handover.number}",
        "language": handover.language,
        "quantity": format_amount(handover.quantity),
        "labels": list(labels),
        "patient": _LONG_WORD.sub("\\1\u00ad", handover.patient_name),
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
