"""Phases of the case format from `dosageInstruction[]`; words alone where it has no structure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import groupby, zip_longest
from typing import Any

from baclofen_rules.lines import drop_then
from dispensary.fhir.elements import (
    Inquiry,
    as_objects,
)
from dispensary.fhir.line import Line, read_line
from dispensary.fhir.units import Measure

_STOP = re.compile(r"\W*(then\s+)?stop(ped|\s+(baclofen|taking it|the tablets))?\W*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Dosing:
    """The dosing of an order. `phases` is None where there are only words."""

    phases: list[dict[str, Any]] | None
    then_stop: bool | None
    directions: str
    route: str
    starts_on: date | None = None
    """The earliest first day that a structured line names."""
    as_needed: bool = False
    max_mg_per_day: Decimal | None = None
    lines: list[dict[str, Any]] = field(default_factory=list)
    """Each line with its words and its own doses, where there are several or one names its first day."""


@dataclass(frozen=True, slots=True)
class _Phase:
    path: str
    doses: tuple[Decimal, ...]
    times: tuple[str | None, ...]
    """Of each dose; None where the order names none."""
    unit: Measure
    days: int | None
    starts_on: date | None
    from_day: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the phase as the order of the case format has it."""
        fields: dict[str, Any] = {"doses": list(self.doses), "unit": str(self.unit), "days": self.days}
        stated = {"times": list(self.times) if any(self.times) else None, "from_day": self.from_day}
        return fields | {name: value for name, value in stated.items() if value}


def read_dosing(
    instructions: Any, path: str, strength_mg: Decimal | None, inquiry: Inquiry, *, is_tablet: bool = True
) -> Dosing | None:
    """Read all dosage instructions.

    `strength_mg` turns tablets into milligrams; without it a dose in tablets is asked back. A product that is no tablet
    may have doses in other units: of them only the words are read, if there are any.
    """
    pairs = as_objects(instructions, path, inquiry)
    lines = [read_line(thing, where, strength_mg, inquiry, is_tablet=is_tablet) for where, thing in pairs]
    if not lines:
        inquiry.ask(path, "nothing", "at least one dosage instruction")
        return None
    routes = {line.route for line in lines if line.route}
    if len(routes) > 1:
        inquiry.ask(f"{path}.route", "several routes", "one route")
    if len({line.as_needed for line in lines}) > 1:
        inquiry.ask(f"{path}.asNeeded", "lines taken when needed beside regular ones", "an order for each of the two")
    _check_repeated_lines(lines, inquiry)
    words = Dosing(
        phases=None,
        then_stop=None,
        directions=_join_directions(lines),
        route=next(iter(routes), ""),
        as_needed=lines[0].as_needed,
        starts_on=min((line.starts_on for line in lines if line.starts_on), default=None),
        max_mg_per_day=min((line.max_mg_per_day for line in lines if line.max_mg_per_day is not None), default=None),
        lines=_number_lines(lines),
    )
    structured = [line for line in lines if line.structure]
    if not structured:
        if not words.directions and is_tablet:
            inquiry.ask(path, "no dose and no words", "a dose with its timing, or the directions as text")
        return words
    if len(structured) != len(lines):
        missing = next(line for line in lines if not line.structure)
        if all(line.text for line in lines):
            inquiry.note(missing.path, "has no dose that is read; the words of all lines are")
        else:
            expected = "a dose and a timing in every instruction"
            inquiry.ask(missing.path, "words only, beside instructions that have a dose", expected)
        return words
    phases = _order_phases(lines, path, inquiry)
    _check_dates(phases, inquiry)
    return _build_dosing(phases, words, inquiry)


def _check_repeated_lines(lines: list[Line], inquiry: Inquiry) -> None:
    """Ask about a line that says what another says: a slip, or twice as much.

    Words alone are asked about under any number, and the same doses where they are to be taken on the same days.
    """
    for number, line in enumerate(lines):
        for earlier in lines[:number]:
            is_same = bool(line.text or line.structure) and (line.text, line.structure) == (
                earlier.text,
                earlier.structure,
            )
            if is_same and (line.structure is None or line.sequence == earlier.sequence):
                inquiry.ask(line.path, f"the same as {earlier.path}", "each line once, or what differs in its words")
                break


def _number_lines(lines: list[Line]) -> list[dict[str, Any]]:
    """Return the lines numbered from 1 as they follow each other, where there are several or one names its first day.

    A dose of zero that only says stop is no line: it ends the course.
    """
    lines = [line for line in lines if line.dose != 0 or (line.text and not _STOP.match(line.text))]
    if len(lines) < 2 and not any(line.starts_on for line in lines):
        return []
    if any(line.sequence is None for line in lines):
        ordered = sorted(lines, key=lambda line: line.starts_on or date.min)
        groups = [[line] for line in ordered]
    else:
        ordered = sorted(lines, key=lambda line: line.sequence or 0)
        groups = [list(group) for _, group in groupby(ordered, key=lambda line: line.sequence)]
    return [line.to_json(number) for number, group in enumerate(groups, start=1) for line in group]


def _join_directions(lines: list[Line]) -> str:
    """Join the words of all lines: "and" for the same days, "then" for days that follow."""
    ordered = sorted((line for line in lines if line.text), key=lambda line: line.sequence or 0)
    groups = groupby(ordered, key=lambda line: id(line) if line.sequence is None else line.sequence)
    first, *later = [" and ".join(line.text.rstrip(" .;,") for line in group) for _, group in groups] or [""]
    return ", then ".join([first, *map(drop_then, later)])


def _order_phases(lines: list[Line], path: str, inquiry: Inquiry) -> list[_Phase]:
    """Return the phases in order: lines with one number share their days, different numbers follow each other."""
    if len(lines) > 1 and any(line.sequence is None for line in lines):
        if any(line.sequence is not None for line in lines) or not all(line.starts_on for line in lines):
            inquiry.ask(f"{path}.sequence", "instructions without a number", "a sequence number in each instruction")
            return []
        ordered = sorted(lines, key=lambda line: line.starts_on or date.min)
        groups = [list(group) for _, group in groupby(ordered, key=lambda line: line.starts_on)]
    else:
        ordered = sorted(lines, key=lambda line: line.sequence or 0)
        groups = [list(group) for _, group in groupby(ordered, key=lambda line: line.sequence)]
    phases = [phase for group in groups if (phase := _combine_lines(group, inquiry)) is not None]
    return _place_phases(phases, inquiry)


def _combine_lines(group: list[Line], inquiry: Inquiry) -> _Phase | None:
    first = group[0]
    assert first.when is not None and first.unit is not None
    spans = {(line.when.days, line.when.starts_on) for line in group if line.when}
    if len(spans) > 1 or len({line.unit for line in group}) > 1:
        inquiry.ask(
            first.path, f"sequence {first.sequence} on {len(group)} instructions that differ in length, first day or unit",
            "one number for what is taken on the same days, another for what follows",
        )  # fmt: skip
        return None
    timed = [(moment, line.dose or Decimal(0)) for line in group if line.when for moment in line.when.moments]
    if all(moment is not None for moment, _ in timed):
        timed.sort(key=lambda pair: pair[0].hour if pair[0] else Decimal(0))
    elif len(group) > 1:
        inquiry.note(first.path, "instructions taken on the same days; the order within the day is not said")
    return _Phase(
        path=first.path,
        doses=tuple(dose for _, dose in timed),
        times=tuple(moment.name if moment else None for moment, _ in timed),
        unit=first.unit,
        days=first.when.days,
        starts_on=first.when.starts_on,
    )


def _place_phases(phases: list[_Phase], inquiry: Inquiry) -> list[_Phase]:
    """Give each phase the day of the course on which it is said to begin, and an end where the next one begins on a day."""
    first = _first_day(phases, inquiry)
    placed = []
    for phase, later in zip_longest(phases, phases[1:]):
        from_day = (phase.starts_on - first).days + 1 if first and phase.starts_on else None
        if from_day is not None and from_day < 1:
            inquiry.ask(
                f"{phase.path}.sequence", "a number after phases that begin later", "numbers in the order of days"
            )
            return phases
        days = phase.days
        if days is None and later is not None:
            if phase.starts_on and later.starts_on and later.starts_on > phase.starts_on:
                days = (later.starts_on - phase.starts_on).days
                inquiry.note(
                    f"{phase.path}.timing.repeat", f"has no end, read as {days} days, until the next phase begins"
                )
            else:
                expected = "the days that this phase lasts, in boundsDuration"
                inquiry.ask(f"{phase.path}.timing.repeat", "no end, though another phase follows", expected)
        placed.append(replace(phase, days=days, from_day=from_day))
    return placed


def _first_day(phases: list[_Phase], inquiry: Inquiry) -> date | None:
    """Return the first day of the course; where only a later phase names one, counted back from it."""
    before = 0
    for phase in phases:
        if phase.starts_on is not None:
            if before:
                inquiry.note(
                    f"{phase.path}.timing.repeat", f"the first day is counted back {before} days from this phase"
                )
            return phase.starts_on - timedelta(days=before)
        if phase.days is None:
            return None
        before += phase.days
    return None


def _check_dates(phases: list[_Phase], inquiry: Inquiry) -> None:
    """Ask back a phase whose days are over on the day of the inquiry."""
    for phase in phases:
        if phase.starts_on and phase.days and inquiry.on and phase.starts_on + timedelta(days=phase.days) <= inquiry.on:
            where = f"{phase.path}.timing.repeat.boundsPeriod"
            inquiry.ask(where, "days that are over", f"phases that are still to be taken on {inquiry.on}")


def _build_dosing(phases: list[_Phase], words: Dosing, inquiry: Inquiry) -> Dosing:
    then_stop: bool | None = None
    if len(phases) > 1 and not any(phases[-1].doses):
        *phases, last = phases
        then_stop = True
        inquiry.note(last.path, "a dose of zero at the end, read as: then stop")
        ends = phases[-1].from_day + phases[-1].days if phases[-1].from_day and phases[-1].days else None
        if ends and last.from_day not in {None, ends}:
            inquiry.ask(last.path, "a dose of zero that begins on another day than the doses end", "one last day")
    zero = next((phase for phase in phases if not all(phase.doses)), None)
    if zero is not None:
        inquiry.ask(zero.path, "a dose of zero", "doses above zero; only a last phase may be zero")
        return words
    if not phases or any(phase.days is None for phase in phases[:-1]):
        return words
    starts = [
        phase.starts_on - timedelta(days=phase.from_day - 1) for phase in phases if phase.starts_on and phase.from_day
    ]
    whole = [phase.to_json() for phase in phases]
    return replace(words, phases=whole, then_stop=then_stop, starts_on=min(starts, default=words.starts_on))
