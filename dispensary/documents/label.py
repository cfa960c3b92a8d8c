"""The label on the box: 70 x 35 mm, one or more of them, never cut."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import pairwise, product
from typing import Any

import zxingcpp

from baclofen_rules.text import format_amount
from dispensary.documents.paper import ENGLISH, Course, DoesNotFit, Handover, Stretch
from dispensary.documents.typesetting import draw_pages, typeset
from dispensary.documents.words import (
    NB,
    RIGHT_TO_LEFT,
    how_to_take,
    how_to_take_as_needed,
    long_day,
    name_tablets,
    own,
    short_day,
    when,
    words_in,
)
from dispensary.models.pharmacy import LabelLayout

MOST_LABELS = 3
"""Labels of one language; a course that takes more is on the dated calendar, and the label says so. [D]"""
_LONG_WORD = re.compile(r"([^\s-]{24})(?=[^\s-]{4})")
"""The first part of a word of a name that is wider than the label: a line may end behind it, with a hyphen."""


def label_pdf(handover: Handover, *, at: datetime | None = None) -> bytes:
    """Render the labels of a dispense as a tagged PDF, one page a label. `at` is the time of printing.

    A course of several phases is spread over as few labels as hold it at a readable size ("1 of 3"). Where that takes
    more than MOST_LABELS, one label says the first phase, where it has room for it, and "as on your calendar". Raises DoesNotFit when even one phase
    alone does not fit.
    """
    return typeset("label.typ", _fit(handover), at=at)


def label_png(handover: Handover, *, ppi: int = 400) -> bytes:
    """Render the first label as a PNG, for a preview on the screen."""
    return typeset("label.typ", _fit(handover), png_ppi=ppi)


def draw_labels(handover: Handover) -> list[bytes]:
    """Return the labels of a dispense as SVG, one each, for a browser to print. Raises DoesNotFit as `label_pdf` does."""
    return draw_pages("label.typ", _fit(handover))


def label_text(handover: Handover) -> list[str]:
    """Return what the printed labels say of taking it, a line for each stretch, and their warnings, by language.

    Raises DoesNotFit where they cannot be printed.
    """
    texts: list[str] = []
    for labels in _fit_languages(handover):
        lines = [f"{line['when']} {line['take']}".strip() for label in labels for line in label["lines"]]
        texts += [line.replace(NB, " ") for line in (*lines, labels[0]["warnings"]) if line]
    return texts


def say_course(course: Course) -> list[str]:
    """Return how a medicine is taken, a text for each stretch with its days, as an English label in words has them."""
    return [f"{line['when']} {line['take']}".strip() for line in _direction_lines(course, ENGLISH)]


def _warnings(handover: Handover, language: str) -> str:
    words = words_in(language)["label"]
    about_supply = [words["emergency_supply"]] if handover.is_emergency_supply else []
    about_supply += [words["together"].format(name=name) for name in handover.together_with]
    is_pharmacys = language == handover.language
    return " ".join([*about_supply, *((is_pharmacys and handover.warnings) or words["warnings"])])


def _fit(handover: Handover) -> dict[str, Any]:
    """Return the data of as few labels of each language as hold the directions. Raises DoesNotFit."""
    return _template_data(handover, [label for labels in _fit_languages(handover) for label in labels])


@lru_cache(maxsize=16)
def _fit_languages(handover: Handover) -> list[list[dict[str, Any]]]:
    """Return the labels in the pharmacy's language, then in the patient's where it is another. Not to be changed."""
    languages = dict.fromkeys((handover.language, handover.patient_language))
    return [_fit_language(handover, language) for language in languages]


def _fit_language(handover: Handover, language: str) -> list[dict[str, Any]]:
    """Return as few labels as hold the directions: with "with food" where some number of labels has room for it."""
    lines = _direction_lines(handover.course, language, in_figures=handover.layout == LabelLayout.US)
    trouble = DoesNotFit("label: nothing to print")
    counts = range(1, min(len(lines), MOST_LABELS) + 1)
    trials = list(product((True, False), [_spread(lines, count) for count in counts]))
    if len(lines) > MOST_LABELS:
        all_days, rest = _calendar_line(handover, 0, language), _calendar_line(handover, 1, language)
        without_stop = _calendar_line(handover, 1, language, says_stop=False)
        trials += product((True, False), [[[lines[0], rest]], [[lines[0], without_stop]]])
        trials += product((True, False), [[[all_days]]])
    for has_food, spread in trials:
        labels = [
            _label_data(handover, part, _which(n, len(spread), language), language=language, has_food=has_food)
            for n, part in enumerate(spread, 1)
        ]
        try:
            typeset("label.typ", _template_data(handover, labels), png_ppi=18)
        except DoesNotFit as error:
            trouble = error
        else:
            return labels
    raise trouble


def _calendar_line(handover: Handover, stretch: int, language: str, *, says_stop: bool = True) -> dict[str, Any]:
    """Return that the days from a stretch on are on the dated calendar, and when they end."""
    words, first = words_in(language)["label"], short_day(handover.course.stretches[stretch].first_on, language)
    take = f"{words['as_calendar']} {_stop_words(handover.course, language) if says_stop else ''}".strip()
    return {"when": f"{words['from_day'].format(first=first)}:", "take": take, "tablets": []}


def _spread(lines: Sequence[dict[str, Any]], labels: int) -> list[list[dict[str, Any]]]:
    """Spread `lines` in order over so many labels, as evenly as can be."""
    size, more = divmod(len(lines), labels)
    starts = [n * size + min(n, more) for n in range(labels + 1)]
    return [list(lines[a:b]) for a, b in pairwise(starts)]


def _direction_lines(course: Course, language: str, *, in_figures: bool = False) -> list[dict[str, Any]]:
    words = words_in(language)["label"]
    is_dated = course.is_dated or len(course.stretches) > 1
    say = how_to_take_as_needed if course.as_needed else how_to_take
    lines = [
        {
            "when": f"{when(s, language)}:" if is_dated else "",
            "take": f"{say(s, language, in_figures=in_figures)}.",
            "tablets": _different_tablets(s),
        }
        for s in course.stretches
    ]
    if course.starts_later and not is_dated:
        lines[0]["when"] = f"{words['from_day'].format(first=short_day(course.stretches[0].first_on, language))}:"
    lines[-1]["take"] = f"{lines[-1]['take']} {_stop_words(course, language)}".strip()
    return lines


def _stop_words(course: Course, language: str) -> str:
    """Return the first day without tablets of a course that ends; empty for one that goes on."""
    last = course.stretches[-1].last_on
    if not course.then_stop or last is None:
        return ""
    return str(words_in(language)["label"]["stop"]).format(day=short_day(last + timedelta(days=1), language))


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
        "prescriber": words["prescriber"].format(name=own(handover.prescriber, language))
        if handover.prescriber
        else "",
        "refills": "" if handover.refills is None else words["refills"].format(n=handover.refills),
        "discard": words["discard"].format(day=long_day(handover.discard_on, language)) if handover.discard_on else "",
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
        "layout": handover.layout,
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
