"""An order written in several lines: the words of each beside the doses of that line, and what the words say together.

The lines of one sequence number are taken on the same days; a higher number follows a lower one.
"""

import re
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from itertools import groupby
from typing import NamedTuple

from baclofen_rules.directions import Question, Reading
from baclofen_rules.regimen import Phase, Regimen, find_difference
from baclofen_rules.supply import tablets_for

ReadWords = Callable[[str], Reading | Question]


class Line(NamedTuple):
    """One line of an order."""

    sequence: int
    directions: str | None
    phase: Phase | None
    """Its own doses; None where it has only words."""
    starts_on: date | None
    """The first day that its structure names."""
    reading: Reading | Question | None
    """What its words say; None without words."""
    total_mg: Decimal | None
    """Milligrams of all its days by its words, also where only the number of doses a day is in doubt."""


_THEN = re.compile(
    r"^\s*(?:and\s+)?(?:then|followed by|after that|afterwards|thereafter|puis|ensuite|dann|danach|anschlie(?:ß|ss)end|luego|después|poi|quindi)"
    r"\b[\s,:]*",
    re.IGNORECASE,
)
_DAILY = re.compile(r"\b(?:daily|(?:a|per|each|every) day)\b", re.IGNORECASE)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_STARTING = re.compile(
    r",?\s*\b(?:starting|beginning|from)(?:\s+on)?\s+(?:(?P<iso>\d{4}-\d\d-\d\d)|"
    rf"(?P<before>\d{{1,2}}\s+)?(?P<month>{'|'.join(_MONTHS)})[a-z]*\s+(?P<after>\d{{1,2}},?\s+)?(?P<year>\d{{4}}))\b",
    re.IGNORECASE,
)


def read_line(
    sequence: int, directions: str | None, phase: Phase | None, starts_on: date | None, read: ReadWords
) -> Line:
    """Return a line with what its words say.

    A first day in words that is that of the structure says nothing new, nor does "then" where a line follows others.
    """
    if directions is None:
        return Line(sequence, None, phase, starts_on, None, None)
    text = _drop_start(directions, starts_on)
    if sequence > 1:
        text = drop_then(text)
    reading = read(text)
    return Line(sequence, directions, phase, starts_on, reading, _total_mg(text, reading, phase, read))


def combine_lines(lines: Sequence[Line], text: str | None) -> Reading | None:
    """Return what the words of all lines say together; None where no line has words, or they cannot be put together.

    A line without words counts by its structure. Where the words of a line name no length, it has that of its structure.
    """
    readings = [_reading_of(line) for line in lines]
    if text is None or not lines or None in readings:
        return None
    readable = [reading for reading in readings if reading is not None]
    phases = _put_together(
        lines, [_with_days(reading.regimen, line.phase) for line, reading in zip(lines, readable, strict=True)]
    )
    if phases is None:
        return None
    as_needed = all(reading.as_needed for reading in readable)
    return Reading(text, Regimen(phases, readable[-1].then_stop), as_needed)


def find_scheme(lines: Sequence[Line]) -> Reading | None:
    """Return what one text says that stands on one or all of several lines, where it is the doses of all of them together."""
    texts = {line.directions: line.reading for line in lines if line.directions is not None}
    structures = [[line.phase] for line in lines if line.phase is not None]
    if len(texts) != 1 or len(lines) < 2 or len(structures) != len(lines):
        return None
    phases, reading = _put_together(lines, structures), next(iter(texts.values()))
    if (
        phases is None
        or not isinstance(reading, Reading)
        or find_difference(reading.regimen, Regimen(phases)) == "dose"
    ):
        return None
    return reading


def _reading_of(line: Line) -> Reading | None:
    """Return what the words of a line say; without words its structure, of which an open end goes on."""
    if line.directions is None and line.phase is not None:
        return Reading("", Regimen((line.phase,), None if line.phase.days else False))
    return line.reading if isinstance(line.reading, Reading) else None


def _put_together(lines: Sequence[Line], courses: Sequence[list[Phase]]) -> tuple[Phase, ...] | None:
    """Return the phases of lines that follow each other or share a number; None where they do not fit."""
    phases: list[Phase] = []
    for _, group in groupby(zip(lines, courses, strict=True), key=lambda pair: pair[0].sequence):
        together = _take_together([course for _, course in group])
        if together is None or (phases and phases[-1].days is None):
            return None
        phases += together
    return tuple(phases)


def _take_together(group: list[list[Phase]]) -> list[Phase] | None:
    """Return the phases of the lines of one sequence number: those of a single line, or the doses of all on the same days."""
    first, *others = group
    if not others:
        return first
    if any(len(phases) != 1 or phases[0].days != first[0].days for phases in group):
        return None
    return [Phase(tuple(dose for (phase,) in group for dose in phase.doses), first[0].days)]


def _with_days(regimen: Regimen, phase: Phase | None) -> list[Phase]:
    """Return the phases of a line's words, in milligrams; a last one without a length has that of the line's structure."""
    *first, last = regimen.phases
    days = last.days if last.days is not None or phase is None else phase.days
    return [*first, Phase(last.doses, days)]


def drop_then(text: str) -> str:
    """Return the words of a line that follows another without a "then" at their head."""
    return _THEN.sub("", text)


def _drop_start(text: str, starts_on: date | None) -> str:
    match = _STARTING.search(text)
    if match is None or starts_on is None or _read_day(match) != starts_on:
        return text
    return f"{text[: match.start()]}{text[match.end() :]}"


def _read_day(match: re.Match[str]) -> date | None:
    """Return the day of "2026-12-01", "1 December 2026" or "December 1, 2026"."""
    try:
        if match["iso"]:
            return date.fromisoformat(match["iso"])
        number = (match["before"] or match["after"] or "").strip(" ,")
        return date(int(match["year"]), _MONTHS.index(match["month"].lower()) + 1, int(number))
    except ValueError:
        return None


def _total_mg(text: str, reading: Reading | Question, phase: Phase | None, read: ReadWords) -> Decimal | None:
    if isinstance(reading, Question):
        reading = read(_DAILY.sub("once daily", text))
    if isinstance(reading, Question):
        return None
    phases = _with_days(reading.regimen, phase)
    return None if phases[-1].days is None else tablets_for(phases, Decimal(1))
